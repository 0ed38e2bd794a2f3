# SPDX-License-Identifier: Apache-2.0
"""An embedding that does not fit is refused with its reason, and changes nothing."""

import numpy as np
import pytest
from fusion_team import ENGINE, NOW, code, embedding, memory, patient, state
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.fusion.memory import Outcome
from m2vae_ros.fusion.validation import KINDS, UnfitEmbedding, by_modality, check, check_sizes

not_finite = st.sampled_from([np.nan, np.inf, -np.inf, 1e39])
numbers = st.lists(st.floats(-3, 3), min_size=3, max_size=3)


def spoilt(values):
    return st.builds(
        lambda good, bad, at: [*good[:at], bad, *good[at + 1 :]], numbers, values, st.integers(0, 2)
    )


wrong_length = st.lists(st.floats(-3, 3), max_size=9).filter(lambda v: len(v) != 3)
too_long = st.integers(129, 200).map(lambda n: "x" * n)

UNFIT = st.one_of(
    st.tuples(st.just("fingerprint"), st.fixed_dictionaries({"fingerprint": st.text()})),
    st.tuples(st.just("length"), st.fixed_dictionaries({"mean": wrong_length})),
    st.tuples(st.just("length"), st.fixed_dictionaries({"log_variance": wrong_length})),
    st.tuples(st.just("length"), st.just({"mean": np.zeros((1, 3))})),
    st.tuples(st.just("not_finite"), st.fixed_dictionaries({"mean": spoilt(not_finite)})),
    st.tuples(st.just("not_finite"), st.fixed_dictionaries({"log_variance": spoilt(not_finite)})),
    st.tuples(
        st.just("mean"),
        st.fixed_dictionaries({"mean": spoilt(st.sampled_from([1001.0, -1e5, 3e38]))}),
    ),
    st.tuples(
        st.just("variance"),
        st.fixed_dictionaries({"log_variance": spoilt(st.sampled_from([-31.0, 11.0, 3e38]))}),
    ),
    st.tuples(st.just("no_modality"), st.just({"held": {}})),
    st.tuples(
        st.just("unknown_modality"),
        st.fixed_dictionaries(
            {"held": st.sampled_from([{"radar": 1}, {"": 1}, {"camera": 1, "Lidar": 1}])}
        ),
    ),
    st.tuples(
        st.just("stamp"),
        st.fixed_dictionaries(
            {
                "held": st.one_of(st.integers(NOW + 11, 2**70), st.integers(-(2**40), -1)).map(
                    lambda stamp: {"camera": 5, "lidar": stamp}
                )
            }
        ),
    ),
    st.tuples(
        st.just("position"),
        st.fixed_dictionaries(
            {"position": st.tuples(st.just(0.0), st.just(0.0), st.one_of(not_finite, st.just(2e6)))}
        ),
    ),
    st.tuples(st.just("position"), st.just({"position": (0.0, 0.0)})),
    st.tuples(
        st.just("position"), st.fixed_dictionaries({"deviation": st.just(-0.1) | not_finite})
    ),
    st.tuples(st.just("frame"), st.fixed_dictionaries({"frame": st.sampled_from(["", "odom"])})),
    st.tuples(
        st.just("object_id"), st.fixed_dictionaries({"object_id": st.one_of(st.just(""), too_long)})
    ),
    st.tuples(st.just("object_id"), st.just({"aliases": ("",)})),
    st.tuples(st.just("object_id"), st.just({"aliases": tuple(map(str, range(40)))})),
    st.tuples(
        st.just("sender"), st.fixed_dictionaries({"sender": st.one_of(st.just(""), too_long)})
    ),
)


def holding_something():
    robot = memory()
    robot.receive(embedding(), NOW)
    robot.observe(None, (3.0, 0.0, 0.0), {"lidar": code(1)}, {"lidar": 3})
    robot.observe("gone", (6.0, 0.0, 0.0), {"lidar": code(2)}, {"lidar": 4})
    robot.reset("gone", 5)
    return robot


@given(UNFIT)
@patient
def test_an_unfit_embedding_is_refused_by_kind_and_changes_nothing(unfit):
    kind, fields = unfit
    robot = holding_something()
    before = state(robot)
    with pytest.raises(UnfitEmbedding) as refused:
        robot.receive(embedding(**{"object_id": "pillar", **fields}), NOW)
    assert refused.value.kind == kind
    assert kind in KINDS
    assert refused.value.reason == str(refused.value) != ""
    assert state(robot) == before


def test_a_union_that_the_model_makes_no_sense_of_changes_nothing():
    class Overflowing(type(ENGINE)):
        def decode(self, modality, mean):
            return np.full(2, np.inf, dtype=np.float32)

    robot = memory(engine=Overflowing())
    robot.observe("pillar", (1.0, 2.0, 0.0), {"lidar": code(1)}, {"lidar": 3})
    before = state(robot)
    with np.errstate(invalid="ignore"), pytest.raises(UnfitEmbedding) as refused:
        robot.receive(embedding(), NOW)
    assert refused.value.kind == "not_finite"
    assert state(robot) == before


@given(numbers, st.lists(st.floats(-30, 10), min_size=3, max_size=3), st.integers(0, NOW + 10))
@patient
def test_a_fit_embedding_is_accepted(mean, log_variance, stamp):
    fit = embedding(mean=mean, log_variance=log_variance, held={"camera": stamp})
    check(fit, ENGINE, NOW, 10)
    assert memory().receive(fit, NOW) == Outcome("new", fit)


def test_the_two_lists_of_a_message_become_one_mapping():
    assert by_modality(["lidar", "camera"], [4, 3], "stamps") == {"camera": 3, "lidar": 4}
    assert by_modality([], [], "stamps") == {}


@pytest.mark.parametrize(
    ("kind", "modalities", "stamps"),
    [
        ("repeated_modality", ["camera", "camera"], [1, 1]),
        ("length", ["camera"], []),
        ("length", ["camera"], [1, 2]),
    ],
)
def test_lists_that_are_no_mapping_are_refused(kind, modalities, stamps):
    with pytest.raises(UnfitEmbedding) as refused:
        by_modality(modalities, stamps, "stamps")
    assert refused.value.kind == kind


@pytest.mark.parametrize("many", [65, 30_000])
def test_more_modalities_than_anything_has_are_refused_unseen(many):
    class Unseen(list):
        """Whoever looks at a member fails."""

        __iter__ = __getitem__ = __contains__ = None

    modalities = Unseen(["camera"] * many)
    for values in (Unseen([1] * many), [1]):
        with pytest.raises(UnfitEmbedding, match="at most 64") as refused:
            by_modality(modalities, values, "stamps")
        assert refused.value.kind == "length"


@pytest.mark.parametrize(
    ("kind", "texts", "names", "numbers"),
    [
        ("length", ["a", "x" * 129], 1, 20),
        ("object_id", ["a"], 33, 20),
        ("length", ["a"], 1, 131_073),
    ],
)
def test_a_message_is_refused_for_its_size_alone(kind, texts, names, numbers):
    with pytest.raises(UnfitEmbedding, match="at most") as refused:
        check_sizes(texts, names, numbers)
    assert refused.value.kind == kind
    check_sizes(["x" * 128], 32, 131_072)


def test_a_reason_shows_little_of_what_others_sent():
    robot = memory()
    for told in (
        embedding(fingerprint="x" * 5_000_000),
        embedding(frame="x" * 5_000_000),
        embedding(held={"x" * 5_000_000: 1}),
    ):
        with pytest.raises(UnfitEmbedding) as refused:
            robot.receive(told, NOW)
        assert len(refused.value.reason) < 200
