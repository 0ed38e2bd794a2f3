# SPDX-License-Identifier: Apache-2.0
"""What a robot holds: fusing in place, forgetting, names of objects, a bounded memory."""

from contextlib import suppress
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from fusion_team import ENGINE, GATE, NOW, Team, code, embedding, memory, patient, state
from hypothesis import example, given
from hypothesis import strategies as st

from m2vae_ros.fusion.statements import MOST_SENDERS
from m2vae_ros.fusion.validation import MOST_NAMES, UnfitEmbedding
from m2vae_ros.sensors import ObservationError
from m2vae_ros.vae.in_place import unfold

HERE = (1.0, 2.0, 0.0)


def sense(robot, modality, stamp, position=HERE, object_id=None, seed=0):
    """What is to be published of a look; None if nothing is."""
    outcome = robot.observe(object_id, position, {modality: code(seed)}, {modality: stamp})
    return outcome.said[0] if outcome.kind == "fused" else None


def test_an_observation_is_fused_in_place_with_what_others_told():
    robot, told = memory(), embedding(held={"camera": 5})
    robot.receive(told, NOW)
    fused = sense(robot, "lidar", 6, told.position, seed=1)
    expected = ENGINE.encode({**unfold(ENGINE, told.mean, ["camera"]), "lidar": code(1)})
    assert np.array_equal(fused.mean, expected.mean)
    assert np.array_equal(fused.log_variance, expected.log_variance)
    assert dict(fused.held) == {"camera": 5, "lidar": 6}
    assert dict(fused.reencodings) == {"camera": 1, "lidar": 0}


def test_observations_by_sensors_of_its_own_are_fused_without_unfolding_anything():
    robot = memory()
    sense(robot, "camera", 5)
    second = sense(robot, "lidar", 6, seed=1)
    expected = ENGINE.encode({"camera": code(0), "lidar": code(1)})
    assert np.array_equal(second.mean, expected.mean)
    assert np.array_equal(second.log_variance, expected.log_variance)
    assert dict(second.held) == {"camera": 5, "lidar": 6}
    assert second.sender == "amiro1"
    assert second.newest == 6
    assert robot.objects() == [second]
    assert robot.nearest(HERE) == robot.get(second.object_id) == second


def test_an_observation_of_a_held_modality_replaces_it():
    robot = memory()
    sense(robot, "camera", 5)
    again = sense(robot, "camera", 6, seed=1)
    alone = ENGINE.encode({"camera": code(1)})
    assert np.array_equal(again.mean, alone.mean)
    assert np.array_equal(again.log_variance, alone.log_variance)


@pytest.mark.parametrize("stamp", [4, 5])
def test_an_observation_that_is_not_newer_is_ignored(stamp):
    robot = memory()
    first = sense(robot, "camera", 5)
    assert sense(robot, "camera", stamp, seed=1) is None
    assert robot.objects() == [first]


def test_of_several_observations_only_the_newer_ones_count():
    robot = memory()
    sense(robot, "camera", 5)
    both = robot.observe(
        None, HERE, {"camera": code(1), "lidar": code(2)}, {"camera": 4, "lidar": 4}
    ).embedding
    expected = ENGINE.encode({"camera": code(0), "lidar": code(2)})
    assert np.array_equal(both.mean, expected.mean)
    assert dict(both.held) == {"camera": 5, "lidar": 4}


def test_the_position_is_that_of_the_newest_observation():
    robot = memory()
    sense(robot, "camera", 5, (1.0, 2.0, 0.0))
    assert sense(robot, "lidar", 6, (1.1, 2.0, 0.0)).position == (1.1, 2.0, 0.0)
    assert sense(robot, "reflectance", 4, (1.2, 2.0, 0.0)).position == (1.1, 2.0, 0.0)
    told = embedding(object_id=robot.objects()[0].object_id, position=(0.9, 2.0, 0.0))
    assert robot.receive(told, NOW).embedding.position == (0.9, 2.0, 0.0)


def test_an_observation_without_a_name_is_of_the_nearest_object_within_the_gate():
    robot = memory()
    sense(robot, "camera", 1, (0.0, 0.0, 0.0), "left")
    sense(robot, "camera", 2, (0.8, 0.0, 0.0), "right")
    assert sense(robot, "lidar", 3, (0.45, 0.0, 0.0)).object_id == "right"
    assert sense(robot, "lidar", 4, (GATE + 0.96, 0.0, 0.0)).object_id == "at_1.46_0.00"
    assert len(robot.objects()) == 3


def test_a_new_object_is_named_after_its_place():
    robot = memory()
    assert sense(robot, "camera", 1, (-0.001, 1.239, 0.0)).object_id == "at_0.00_1.24"


def test_an_object_where_another_was_once_met_has_a_name_of_its_own():
    robot = memory()
    name = sense(robot, "camera", 1).object_id
    sense(robot, "camera", 2, (5.0, 5.0, 0.0), name)
    assert sense(robot, "camera", 3).object_id == name + "'"


def test_a_name_given_by_the_caller_is_kept():
    robot = memory()
    sense(robot, "camera", 1, object_id="pillar")
    assert sense(robot, "camera", 2, (9.0, 9.0, 0.0), "pillar").object_id == "pillar"
    assert len(robot.objects()) == 1


def test_two_names_of_one_object_become_one_and_both_find_it():
    robot = memory()
    sense(robot, "camera", 1, object_id="pillar")
    receipt = robot.receive(embedding(object_id="column", held={"lidar": 2}), NOW)
    assert receipt.kind == "merged"
    assert receipt.embedding.object_id == "column"
    assert receipt.embedding.aliases == ("pillar",)
    assert robot.get("pillar") == robot.get("column") == receipt.embedding
    assert sense(robot, "reflectance", 3, object_id="pillar").object_id == "column"


def test_all_names_of_an_object_are_known_and_nothing_is_sent_for_them():
    robot = memory()
    sense(robot, "camera", 200, object_id="pillar")
    receipt = robot.receive(embedding(object_id="column", held={"camera": 100}), NOW)
    assert (receipt.kind, receipt.said) == ("adopted", ())
    assert receipt.embedding.names == {"pillar", "column"}
    assert dict(receipt.embedding.held) == {"camera": 200}


def test_two_known_objects_stay_two_when_their_positions_come_close():
    robot = memory()
    robot.receive(embedding(object_id="a", position=(0.0, 0.0, 0.0)), NOW)
    robot.receive(embedding(object_id="b", position=(1.0, 0.0, 0.0)), NOW)
    robot.receive(embedding(object_id="a", position=(0.9, 0.0, 0.0), held={"camera": 101}), NOW)
    sense(robot, "lidar", 300, (0.95, 0.0, 0.0), "b")
    assert [e.object_id for e in robot.objects()] == ["a", "b"]


def test_names_alone_never_make_two_objects_one():
    robot = memory()
    sense(robot, "camera", 1, (0.0, 0.0, 0.0), "a")
    sense(robot, "lidar", 2, (5.0, 0.0, 0.0), "b")
    before = robot.objects()
    robot.receive(embedding(object_id="c", aliases=("a", "b"), held={"reflectance": 3}), NOW)
    assert [robot.get(name) for name in "ab"] == before
    assert robot.get("c").names == {"c"}
    assert len(robot.objects()) == 3


def test_the_same_id_far_away_is_another_object():
    robot = memory()
    mine = sense(robot, "camera", 1, object_id="pillar")
    receipt = robot.receive(embedding(position=(500.0, 0.0, 0.0)), NOW)
    assert robot.get("pillar") == mine
    assert receipt.embedding.object_id == "pillar~at_500.00_0.00"
    assert robot.get(receipt.embedding.object_id) == receipt.embedding


def test_newer_messages_are_adopted_and_older_ones_known():
    robot = memory()
    old, new = embedding(held={"camera": 1}), embedding(held={"camera": 2, "lidar": 2})
    assert robot.receive(old, NOW).kind == "new"
    assert robot.receive(new, NOW).kind == "adopted"
    assert robot.receive(old, NOW).kind == "known"
    assert robot.receive(new, NOW).kind == "known"
    assert robot.objects() == [new]


def test_no_name_of_a_sender_wins_a_tie():
    robot = memory()
    several = [
        embedding(sender=name, mean=0.1 * code(n)[[0, 1, 0]]) for n, name in enumerate("!ab~")
    ]
    for told in several:
        robot.receive(told, NOW)
    assert robot.objects() == [min(several, key=lambda told: told.digest)]


def test_a_robot_that_starts_again_learns_its_own_past_from_others():
    robot = memory(instance=1)
    told = sense(robot, "camera", 5)
    again = memory(instance=2)
    assert again.receive(told, NOW).embedding == told
    fused = sense(again, "lidar", 6, seed=1)
    assert dict(fused.held) == {"camera": 5, "lidar": 6}
    assert robot.receive(fused, NOW).embedding == fused


class TestReset:
    def test_older_evidence_is_ignored_when_it_arrives_again(self):
        robot = memory()
        robot.receive(embedding(), NOW)
        assert robot.reset("pillar", 150)
        assert robot.objects() == []
        assert robot.get("pillar") is None
        assert robot.nearest(embedding().position) is None
        receipt = robot.receive(embedding(sender="amiro3", held={"lidar": 150}), NOW)
        assert (receipt.kind, receipt.embedding) == ("known", None)
        assert robot.objects() == []

    def test_the_same_object_under_another_name_stays_forgotten(self):
        robot = memory()
        robot.receive(embedding(), NOW)
        robot.reset("pillar", 150)
        told = embedding(object_id="column", sender="amiro3")
        assert robot.receive(told, NOW).kind == "known"
        assert robot.objects() == []

    def test_a_new_observation_brings_it_back_under_its_id(self):
        robot = memory()
        robot.receive(embedding(), NOW)
        robot.reset("pillar", 150)
        assert sense(robot, "lidar", 150) is None
        back = sense(robot, "lidar", 151)
        assert back.object_id == "pillar"
        assert dict(back.held) == {"lidar": 151}

    def test_only_the_newer_part_of_a_message_counts(self):
        robot = memory()
        robot.receive(embedding(), NOW)
        robot.reset("pillar", 150)
        mixed = embedding(held={"camera": 100, "lidar": 200})
        receipt = robot.receive(mixed, NOW)
        assert receipt.kind == "merged"  # the others have no embedding without the old part
        assert dict(receipt.embedding.held) == {"lidar": 200}
        unfolded = unfold(ENGINE, mixed.mean, mixed.held)
        expected = ENGINE.encode({"lidar": unfolded["lidar"]})
        assert np.array_equal(receipt.embedding.mean, expected.mean)
        assert robot.receive(mixed, NOW).kind == "known"
        assert robot.objects() == [receipt.embedding]

    def test_what_was_held_is_forgotten_even_if_the_clock_is_behind_its_stamp(self):
        robot = memory()
        robot.receive(embedding(held={"camera": 105}), 100)
        robot.reset("pillar", 100)
        assert robot.receive(embedding(held={"camera": 105}), 100).embedding is None

    def test_one_that_is_called_as_another_is_forgotten_by_itself(self):
        robot = memory()
        sense(robot, "camera", 1, object_id="pillar")
        told = embedding(position=(500.0, 0.0, 0.0))
        robot.receive(told, NOW)
        assert robot.reset("pillar~at_500.00_0.00", 150)
        assert [held.object_id for held in robot.objects()] == ["pillar"]
        beside = embedding(position=(500.1, 0.0, 0.0), sender="amiro3", held={"lidar": 120})
        assert robot.receive(beside, NOW).embedding is None
        later = replace(beside, sender="amiro4", held={"lidar": 151})
        assert robot.receive(later, NOW).embedding.held == {"lidar": 151}

    def test_of_an_unknown_object_says_so(self):
        robot = memory()
        assert not robot.reset("nothing", NOW)
        robot.receive(embedding(), NOW)
        assert robot.reset("pillar", NOW)
        assert not robot.reset("pillar", NOW)


class TestBounds:
    def test_the_object_with_the_oldest_evidence_goes_first(self):
        robot = memory(max_objects=2)
        for stamp, name in [(3, "c"), (1, "a"), (2, "b")]:
            sense(robot, "camera", stamp, (float(stamp), 0.0, 0.0), name)
        assert [e.object_id for e in robot.objects()] == ["b", "c"]
        sense(robot, "camera", 4, (3.0, 0.0, 0.0), "c")
        assert robot.get("a") is None
        assert sense(robot, "camera", 5, (1.0, 0.0, 0.0), "a").object_id == "a"
        assert [e.object_id for e in robot.objects()] == ["a", "c"]

    def test_still_older_messages_of_a_sender_are_refused(self):
        robot = memory(max_objects=1)
        robot.receive(embedding(held={"camera": 5}), NOW)
        far = embedding(object_id="far", position=(9, 9, 0), held={"camera": 4})
        with pytest.raises(UnfitEmbedding, match="newer statements of its sender") as refused:
            robot.receive(far, NOW)
        assert refused.value.kind == "full"
        assert robot.receive(replace(far, held={"camera": 6}), NOW).kind == "new"
        assert [e.object_id for e in robot.objects()] == ["far"]

    def test_nobody_displaces_what_others_say(self):
        robot = memory(max_objects=8)
        for n in range(8):
            sense(robot, "camera", n, (2.0 * n, 0.0, 0.0), f"true {n}")
        true = robot.objects()
        for n in range(100):
            junk = embedding(object_id=f"junk {n}", position=(2.0 * n, 9.0, 0.0))
            robot.receive(replace(junk, held={"camera": 100 + n}), NOW)
        assert [e for e in robot.objects() if e.object_id.startswith("true")] == true
        assert len(robot.statements()) == 16

    def test_more_senders_than_any_team_has_are_refused_and_this_robot_goes_on(self):
        robot = memory(max_objects=1000)
        for n in range(MOST_SENDERS):
            robot.receive(embedding(sender=f"robot {n}", position=(2.0 * n, 0.0, 0.0)), NOW)
        with pytest.raises(UnfitEmbedding, match="other senders") as refused:
            robot.receive(embedding(sender="one more", position=(-9, 0, 0)), NOW)
        assert refused.value.kind == "full"
        assert sense(robot, "lidar", 500) is not None

    def test_resets_do_not_pile_up(self):
        robot = memory(max_objects=3)
        for stamp in range(4 * MOST_NAMES):
            name = sense(robot, "camera", stamp, (float(stamp), 0.0, 0.0)).object_id
            robot.reset(name, stamp)
        assert len(robot.statements()) == 3
        assert len(robot._resets) == 3 * MOST_NAMES

    def test_names_of_one_object_do_not_pile_up_and_do_not_poison_it(self):
        robot = memory()
        sense(robot, "camera", 50, object_id="pillar")
        for n in range(2 * MOST_NAMES):
            told = embedding(object_id=f"name {n}", sender=f"robot {n % 3}", instance=n)
            with suppress(UnfitEmbedding):
                robot.receive(replace(told, held={"camera": 100 + n}), NOW)
        (held,) = robot.objects()
        assert len(held.names) <= MOST_NAMES
        assert held.object_id == "pillar"
        assert sense(robot, "lidar", 500, object_id="pillar").object_id == "pillar"


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("object_id", {"object_id": ""}),
        ("object_id", {"object_id": "x" * 1000}),
        ("position", {"position": (float("nan"), 0.0, 0.0)}),
        ("position", {"position": (0.0, 0.0)}),
        ("position", {"position": (1e300, 0.0, 0.0)}),
        ("stamps", {"codes": {}, "stamps": {}}),
        ("stamps", {"stamps": {"lidar": 5}}),
        ("stamps", {"stamps": {"camera": 5, "lidar": 5}}),
        ("radar", {"codes": {"radar": code(0)}, "stamps": {"radar": 500}}),
        ("camera", {"codes": {"camera": np.array([np.nan, 0.0])}}),
        ("camera", {"codes": {"camera": np.array([np.inf, 0.0])}}),
        ("camera", {"codes": {"camera": np.array([1e30, 1e30])}}),
        ("camera", {"stamps": {"camera": -1}}),
    ],
)
def test_an_unfit_observation_names_the_field_and_changes_nothing(field, change):
    robot = memory()
    sense(robot, "camera", 5)
    before = state(robot)
    fit = {
        "object_id": None,
        "position": HERE,
        "codes": {"camera": code(1)},
        "stamps": {"camera": 500},
    }
    with pytest.raises(ObservationError, match=field):
        robot.observe(**{**fit, **change})
    assert state(robot) == before
    assert robot.observe(**fit).kind == "fused"


def test_when_the_model_fails_nothing_changes():
    robot = memory()
    sense(robot, "camera", 5)
    before = state(robot)
    with pytest.raises(ValueError, match="size"):
        robot.observe(None, HERE, {"lidar": np.zeros(17)}, {"lidar": 6})
    assert state(robot) == before


@pytest.mark.parametrize(
    "settings",
    [{"owner": ""}, {"frame": ""}, {"max_objects": 0}, {"tolerance_ns": -1}],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match="must be"):
        memory(**settings)


class TestEmbedding:
    def test_it_cannot_be_changed(self):
        numbers = np.zeros(3)
        one = embedding(mean=numbers)
        numbers[0] = 1
        assert one.mean[0] == 0
        with pytest.raises(ValueError, match="read-only"):
            one.mean[0] = 1
        with pytest.raises(TypeError):
            one.held["camera"] = 3
        with pytest.raises(FrozenInstanceError):
            one.sender = "me"

    def test_equal_means_equal_bit_by_bit(self):
        one = embedding(mean=[0.0, 1.0, 2.0])
        assert one == embedding(mean=[0.0, 1.0, 2.0])
        assert hash(one) == hash(embedding(mean=[0.0, 1.0, 2.0]))
        assert one != embedding(mean=[-0.0, 1.0, 2.0])
        assert one != replace(one, aliases=("column",))
        assert one != "pillar"

    @given(st.sets(st.text(min_size=1), min_size=1))
    @patient
    def test_it_can_be_given_other_names(self, names):
        named = embedding().named(min(names), names)
        assert named.object_id == min(names)
        assert named.names == names
        assert named.named(min(names), names) is named


actions = st.lists(
    st.tuples(
        st.sampled_from(["observe", "receive", "receive", "reset"]),
        st.sets(st.sampled_from("abc"), min_size=1, max_size=2),  # names
        st.integers(0, 3),  # place, half a gate apart
        st.dictionaries(
            st.sampled_from(["camera", "lidar", "reflectance"]), st.integers(0, 9), min_size=1
        ),
    ),
    max_size=15,
)


FORGOTTEN_TWICE = [
    ("observe", {"a"}, 0, {"camera": 0}),
    ("receive", {"a", "b"}, 0, {"camera": 0}),
    ("receive", {"b"}, 0, {"camera": 0}),
    ("reset", {"a"}, 0, {"camera": 0}),
    ("receive", {"a"}, 0, {"camera": 1}),
    ("reset", {"a"}, 0, {"camera": 0}),
]
"""The second time it has one of its names only, which does not bring back the other."""


@given(actions)
@example(FORGOTTEN_TWICE)
@patient
def test_what_was_forgotten_never_comes_back_and_no_two_objects_share_a_name(actions):
    robot, forgotten = memory(), {}
    for what, names, place, stamps in actions:
        position = (place * GATE / 2, 0.0, 0.0)
        if what == "observe":
            codes = {m: code(stamp) for m, stamp in stamps.items()}
            robot.observe(min(names), position, codes, stamps)
        elif what == "receive":
            told = embedding(position=position, held=stamps).named(min(names), names)
            robot.receive(told, NOW)
        else:
            now = min(stamps.values())
            held = robot.get(min(names))
            if robot.reset(min(names), now):
                for name in held.names:
                    forgotten[name] = max(now, held.newest)
        for held in robot.objects():
            assert min(held.held.values()) > max(forgotten.get(name, -1) for name in held.names)
            assert robot.get(held.object_id) == held
        names = [name for held in robot.objects() for name in held.names]
        assert len(names) == len(set(names))


looks = st.tuples(
    st.integers(0, 2), st.sampled_from(["camera", "lidar"]), st.integers(0, 3), st.integers(1, 900)
)


@given(looked=st.lists(looks, min_size=1, max_size=12), random=st.randoms(use_true_random=False))
@patient
def test_after_time_began_anew_robots_hold_the_same_and_whatever_is_sensed_is_newer(
    looked, random
) -> None:
    team = Team()
    for robot, modality, place, stamp in looked:
        team.sense(robot, (2.0 * place, 0.0, 0.0), {modality: code(stamp)}, stamp)
    team.deliver_the_rest(random)
    before = [held.names for held in team.robots[0].objects()]
    for robot in team.robots:
        robot.begin_anew(keep=True)
    team.assert_agreed()
    assert [held.names for held in team.robots[0].objects()] == before
    assert {held.newest for held in team.robots[0].objects()} == {0}
    robot, modality, place, _ = looked[-1]
    outcome = team.sense(robot, (2.0 * place, 0.0, 0.0), {modality: code(1000) + 9}, 1)
    assert outcome.kind == "fused"
    assert outcome.embedding.newest == 1
    team.deliver_the_rest(random)
    team.assert_agreed()


def test_time_that_begins_anew_ends_resets_and_what_is_not_kept():
    robot = memory()
    sense(robot, "camera", 500)
    robot.reset(robot.objects()[0].object_id, 600)
    robot.begin_anew(keep=True)
    assert not robot.objects()
    assert sense(robot, "camera", 5) is not None
    robot.begin_anew(keep=False)
    assert not robot.statements()
    assert sense(robot, "camera", 3) is not None
