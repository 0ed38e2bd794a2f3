# SPDX-License-Identifier: Apache-2.0
"""Who is sent where: by what a look promises, and never twice to one object."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.planning import IN_VAIN, MIN_GAIN, Planner

TEAM = {"seer": ("camera",), "feeler": ("lidar",)}


class Classes:
    """Of a model the classes alone: an embedding's first number is how likely the likeliest is."""

    modalities = ("camera", "lidar")
    suite = SimpleNamespace(classes=("this", "that"))

    def classify(self, mean: np.ndarray) -> np.ndarray:
        return np.array([mean[0], 1.0 - mean[0]])


def known(probability: float, name: str = "a", stamp: int = 1) -> Embedding:
    numbers = np.float32([probability])
    place = (0.0, 0.0, 0.0)
    return Embedding(name, place, "map", {"camera": stamp}, numbers, numbers, "seer", "f")


def planner(gains: dict[str, float] | None = None, **settings: Any) -> Planner:
    """One whose robots promise, of any object, what is said."""
    made = Planner(Classes(), TEAM, **settings)
    if gains is not None:
        made.gain = lambda robot, held: gains[robot]  # type: ignore[method-assign]
    return made


def test_what_is_known_is_left_alone_and_the_robot_goes_that_promises_most() -> None:
    objects = {"a": known(0.95), "b": known(0.94), "c": None}
    one = planner({"seer": 0.2, "feeler": 0.6})
    assert one.send({"a": objects["a"]}, TEAM) == {}
    assert one.send({}, TEAM) == {}
    assert one.send({"b": objects["b"]}, TEAM) == {"feeler": "b"}
    assert planner({"seer": 0.2, "feeler": 0.6}, certain=0.9).send(objects, TEAM) == {"feeler": "c"}
    sent = planner({"seer": 0.2, "feeler": 0.6}).send(objects, TEAM)
    assert set(sent) == set(TEAM)
    assert set(sent.values()) == {"b", "c"}


def test_who_promises_next_to_nothing_stays_unless_nobody_promises_more() -> None:
    objects = {"a": None, "b": None}
    useless = {"seer": MIN_GAIN / 2, "feeler": 0.6}
    assert set(planner(useless).send(objects, TEAM)) == {"feeler"}
    assert planner(useless).send(objects, ["seer"]) == {}
    hopeless = {"seer": -0.05, "feeler": -0.1}
    assert set(planner(hopeless).send(objects, TEAM)) == {"seer"}


def test_of_what_promises_the_same_the_nearer_one() -> None:
    distances = {("seer", "a"): 1.0, ("seer", "b"): 3.0, ("feeler", "a"): 3.0, ("feeler", "b"): 1.0}
    one = planner({"seer": 0.5, "feeler": 0.5})
    assert one.send({"a": None, "b": None}, TEAM, (), distances) == {"seer": "a", "feeler": "b"}


def test_who_was_sent_in_vain_promises_less_until_something_changes() -> None:
    one = planner({"seer": 0.6, "feeler": 0.6 - 0.9 * IN_VAIN})
    held = known(0.5)
    assert one.send({"a": held}, TEAM) == {"seer": "a"}
    assert one.send({"a": held}, TEAM) == {"feeler": "a"}
    assert one.send({"a": held}, TEAM) == {"seer": "a"}
    assert one.send({"a": known(0.6, stamp=2)}, TEAM) == {"seer": "a"}


promises = st.lists(st.floats(-0.3, 1.4), min_size=6, max_size=6)


@given(promises, st.sets(st.sampled_from("abc")), st.sets(st.sampled_from(sorted(TEAM))))
def test_nobody_goes_where_somebody_goes_and_only_free_robots_go(values, taken, free) -> None:
    table = dict(zip([(r, o) for r in TEAM for o in "abc"], values, strict=True))
    one = planner()
    objects = {name: known(0.5, name) for name in "abc"}
    one.gain = lambda robot, held: table[robot, held.object_id]  # type: ignore[method-assign]
    sent = one.send(objects, free, taken)
    assert set(sent) <= free
    assert len(set(sent.values())) == len(sent)
    assert not taken & set(sent.values())
    for robot, name in sent.items():
        best = max(table[r, name] for r in TEAM)
        assert table[robot, name] >= MIN_GAIN or table[robot, name] == best


def test_a_team_that_does_not_fit_the_model_is_refused() -> None:
    with pytest.raises(ValueError, match="'sonar' of bat is not one of camera, lidar"):
        Planner(Classes(), {"bat": ("sonar",)})
    nothing = SimpleNamespace(suite=SimpleNamespace(classes=()), modalities=("camera",))
    with pytest.raises(ValueError, match="the weights say no classes"):
        Planner(nothing, TEAM)
