# SPDX-License-Identifier: Apache-2.0
"""What stands there no more is told no more, and whoever says so of what stands is not believed."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from fusion_team import MODALITIES, NOW, Team, code, embedding, memory, nothing, patient, state
from hypothesis import given, settings
from hypothesis import strategies as st

from m2vae_ros.fusion.validation import UnfitEmbedding

HERE, THERE = (0.0, 0.0, 0.0), (5.0, 0.0, 0.0)


def team_of_three(name=None) -> Team:
    """Each with one sensor, at times 10, 11 and 12, and everybody has heard all."""
    team = Team()
    for n, modality in enumerate(MODALITIES):
        team.sense(n, HERE, {modality: code(n)}, 10 + n, name)
        tell(team)
    return team


def tell(team: Team) -> None:
    for message in list(team.published):
        for robot in team.robots:
            team.published.extend(robot.receive(message, NOW).said)
    team.assert_agreed()


def vanish(team: Team, robot: int, stamp: int):
    (held,) = team.robots[robot].objects()
    outcome = team.robots[robot].vanish(held.object_id, stamp)
    team.published.extend(outcome.said)
    tell(team)
    return outcome


def test_what_its_only_witness_sees_no_more_is_gone():
    robot = memory()
    robot.observe("pillar", HERE, {"camera": code(1)}, {"camera": 10})
    assert robot.vanish("pillar", 20).kind == "retired"
    assert robot.objects() == []
    assert (robot.get("pillar"), robot.nearest(HERE), robot.retired()) == (
        None,
        None,
        {"vanished": 1},
    )


def test_two_of_three_robots_retire_an_object_for_all():
    team = team_of_three()
    assert vanish(team, 1, 20).kind == "quarantined"
    assert all(robot.objects() and not robot.retired() for robot in team.robots)
    assert team.robots[0].is_gone(None, HERE)
    assert vanish(team, 0, 21).kind == "retired"
    assert all(
        robot.objects() == [] and robot.retired() == {"vanished": 1} for robot in team.robots
    )
    assert all(robot.quarantined() == [] for robot in team.robots)


def team_of_two_witnesses(hearers=3) -> Team:
    """The others have sensed nothing: each says what follows from what it heard of two."""
    team = Team([f"amiro{n}" for n in range(1, 3 + hearers)])
    for n, modality in enumerate(("camera", "lidar")):
        team.sense(n, HERE, {modality: code(n)}, 10 + n)
    for hearer in team.robots[2:]:
        said = [one for message in team.published[:2] for one in hearer.receive(message, NOW).said]
        team.published.extend(said)
    team.deliver_the_rest(Random(0))
    holding = {one.sender for one in team.robots[0].statements() if len(one.held) == 2}
    assert holding.issuperset(f"amiro{n}" for n in range(3, 3 + hearers))
    return team


def test_who_only_heard_of_an_object_does_not_outvote_those_who_sensed_it():
    team = team_of_two_witnesses()
    assert vanish(team, 1, 20).kind == "quarantined"
    assert vanish(team, 0, 21).kind == "retired"
    assert all(robot.objects() == [] == robot.quarantined() for robot in team.robots)


@pytest.mark.parametrize("stamp", [1, 10, 11, 12, 100, NOW, NOW + 10])
@pytest.mark.parametrize("gone", [(), (1,)])
def test_an_enemy_gains_nothing_by_that_while_a_witness_stands_to_it(stamp, gone):
    team = team_of_two_witnesses()
    for n in gone:
        vanish(team, n, 20)
    (before,) = team.robots[0].objects()
    seen = {"held": {"camera": stamp - 1}, "mean": before.mean}
    lies = embedding(sender="enemy", position=HERE, **seen), nothing(stamp, sender="enemy")
    team.published.extend(replace(lie, position=HERE) for lie in lies)
    team.deliver_the_rest(Random(0))
    team.assert_agreed()
    (held,) = team.robots[0].objects()
    assert held.held["lidar"] == 11
    assert held.held["camera"] in (10, stamp - 1)


def test_who_was_started_again_and_answered_a_forgery_stands_to_what_it_says():
    """It holds no reading of its own any more, and its word still counts as a witness's."""
    first, again, other = memory(instance=1), memory(instance=2), memory("amiro2")
    told = first.observe("pillar", HERE, {"camera": code(1)}, {"camera": 10}).said
    again.receive(*told, NOW)
    forged = embedding(sender="amiro1", instance=2, position=HERE, held={"camera": 11})
    answer = again.receive(forged, NOW).said
    assert not any(0 in one.reencodings.values() for one in answer)
    seen = {"held": {"camera": 9}, "mean": told[0].mean}
    lies = embedding(sender="enemy", position=HERE, **seen), nothing(20, sender="enemy")
    for one in (*told, forged, *answer, *(replace(lie, position=HERE) for lie in lies)):
        other.receive(one, NOW)
    assert other.objects()[0].held == {"camera": 10}


def test_it_is_said_once():
    team = team_of_three()
    assert vanish(team, 1, 20).said
    assert vanish(team, 1, 21).said == ()
    team.sense(1, HERE, {"lidar": code(9)}, 30)
    tell(team)
    assert vanish(team, 1, 31).said


def test_a_look_of_before_the_last_sensing_does_not_count():
    team = team_of_three()
    assert vanish(team, 1, 12).kind == "known"


def test_what_is_seen_again_is_there_again_without_what_was_known_before():
    team = team_of_three("pillar")
    vanish(team, 1, 20)
    vanish(team, 0, 21)
    team.sense(2, HERE, {"reflectance": code(30)}, 30)
    tell(team)
    (held,) = team.robots[0].objects()
    assert held.object_id == "pillar"
    assert held.held == {"reflectance": 30}


@pytest.mark.parametrize("name", ["pillar", None])
def test_what_moved_does_not_stand_at_two_places(name):
    team = team_of_three(name)
    vanish(team, 1, 20)
    team.sense(2, THERE, {"reflectance": code(2)}, 22, name)
    tell(team)
    old = team.robots[0].nearest(HERE)
    team.published.extend(team.robots[2].vanish(old.object_id, 25).said)
    tell(team)
    (held,) = team.robots[1].objects()
    assert held.position == THERE
    assert name in (held.object_id, None)


@pytest.mark.parametrize("stamp", [1, 11, 12, 100, NOW, NOW + 10])
def test_an_enemy_who_says_that_all_is_gone_is_not_believed(stamp):
    team = team_of_three()
    before = team.robots[0].objects()
    lie = nothing(stamp, sender="enemy", position=HERE, object_id=before[0].object_id)
    for robot in team.robots:
        robot.receive(lie, NOW)
    team.assert_agreed()
    assert team.robots[0].objects() == before


@pytest.mark.parametrize("enemies", [1, 3, 7])
def test_who_sees_an_object_says_so_with_effect_whoever_says_it_is_gone(enemies):
    team = team_of_three()
    for robot in team.robots:
        for n in range(enemies):
            robot.receive(nothing(100, sender=f"enemy {n}", position=HERE), NOW)
    assert bool(team.robots[0].objects()) == (enemies < 3 + (enemies == 3))
    team.sense(0, HERE, {"camera": code(50)}, 110)
    tell(team)
    assert all(robot.objects()[0].held["camera"] == 110 for robot in team.robots)


def test_who_says_it_in_the_name_of_another_is_answered():
    team = team_of_three()
    before = team.robots[0].objects()
    (mine,) = (s for s in team.robots[1].statements() if s.sender == "amiro2")
    lie = nothing(50, sender="amiro2", instance=1, object_id=mine.object_id, position=HERE)
    answer = team.robots[1].receive(lie, NOW)
    assert answer.kind == "disowned"
    for robot in team.robots:
        for message in (lie, *answer.said):
            if robot is not team.robots[1]:
                robot.receive(message, NOW)
    team.assert_agreed()
    assert [(o.object_id, o.held) for o in team.robots[0].objects()] == [
        (o.object_id, o.held) for o in before
    ]


def test_what_has_vanished_does_not_come_back_when_time_jumps_back():
    team = team_of_three()
    team.sense(0, THERE, {"camera": code(5)}, 15)
    tell(team)
    gone = team.robots[1].nearest(HERE).object_id
    for robot in (0, 1):
        team.published.extend(team.robots[robot].vanish(gone, 20 + robot).said)
        tell(team)
    for robot in team.robots:
        robot.begin_anew(keep=True)
    team.assert_agreed()
    assert [one.position for one in team.robots[2].objects()] == [THERE]


steps = st.one_of(
    st.tuples(
        st.just("sense"),
        st.integers(0, 2),
        st.integers(0, 2).map(lambda x: (x / 2.5, 0.0, 0.0)),
        st.sampled_from(MODALITIES),
        st.integers(0, 12),
        st.sampled_from([None, None, "x"]),
    ),
    st.tuples(st.just("vanish"), st.integers(0, 2), st.integers(0, 9), st.integers(1, 12)),
    st.tuples(st.just("deliver"), st.integers(0, 200), st.integers(0, 2)),
)
histories = st.lists(steps, max_size=25)


def play(history, forget_after_ns: int = 0) -> Team:
    team = Team()
    for robot in team.robots:
        robot.adjust(robot.gate_m, robot.tolerance_ns, robot.min_gain, forget_after_ns)
    for seed, (what, robot, *how) in enumerate(history):
        if what == "sense":
            place, modality, stamp, name = how
            team.sense(robot, place, {modality: code(seed)}, stamp, name)
        elif what == "vanish" and (known := team.robots[robot].objects()):
            which, stamp = how
            outcome = team.robots[robot].vanish(known[which % len(known)].object_id, stamp)
            team.published.extend(outcome.said)
        elif what == "deliver" and team.published:
            team.deliver(robot % len(team.published), how[0])
    return team


@given(histories, st.randoms(use_true_random=False))
@settings(patient, max_examples=100)
def test_robots_that_heard_the_same_hold_the_same_whatever_the_order(history, random):
    team = play(history)
    team.deliver_the_rest(random)
    team.assert_agreed()


@given(histories, st.randoms(use_true_random=False), st.booleans())
@settings(patient, max_examples=50)
def test_robots_still_agree_when_time_jumps_back(history, random, keep):
    team = play(history)
    team.deliver_the_rest(random)
    for robot in team.robots:
        robot.begin_anew(keep)
    team.assert_agreed()
    assert all(one.held for one in team.robots[0].statements())


@given(histories, st.randoms(use_true_random=False))
@settings(patient, max_examples=60)
def test_lost_messages_do_no_harm(history, random):
    team = play(history)
    team.tell_all_that_is_held(random)
    team.assert_agreed()


def forgetful(name="amiro1"):
    return memory(name, forget_after_ns=100)


def test_what_nobody_has_sensed_for_long_is_retired_and_comes_back_when_it_is_seen():
    robot = forgetful()
    robot.observe("pillar", HERE, {"camera": code(1)}, {"camera": 10})
    robot.observe("box", THERE, {"camera": code(2)}, {"camera": 110})
    assert {one.object_id for one in robot.objects()} == {"pillar", "box"}
    robot.observe("box", THERE, {"lidar": code(2)}, {"lidar": 111})
    assert {one.object_id for one in robot.objects()} == {"box"}
    assert robot.retired() == {"not seen for long": 1}
    robot.observe("pillar", HERE, {"lidar": code(1)}, {"lidar": 120})
    assert robot.get("pillar").held == {"camera": 10, "lidar": 120}


def test_what_is_looked_at_all_the_time_does_not_grow_old():
    robot, other = forgetful(), forgetful("amiro2")
    looks = [
        robot.observe("pillar", HERE, {"camera": code(1)}, {"camera": stamp})
        for stamp in range(1, 900, 10)
    ]
    said = [one for look in looks for one in look.said]
    assert len(said) == 18  # every 50
    for one in said:
        other.receive(one, NOW)
    assert other.objects() == robot.objects() != []


@pytest.mark.parametrize("finder", [0, 1])
def test_the_name_of_what_nobody_has_sensed_for_long_is_free_for_another_object(finder):
    """Whoever gives it to what stands elsewhere, if only the first had called the old one so."""
    team = Team()
    for robot in team.robots:
        robot.adjust(robot.gate_m, robot.tolerance_ns, robot.min_gain, forget_after_ns=100)
    team.sense(0, HERE, {"camera": code(1)}, 10, "pillar")
    tell(team)
    team.sense(1, HERE, {"lidar": code(1)}, 11)
    tell(team)
    team.sense(finder, THERE, {"lidar": code(2)}, 500, "pillar")
    tell(team)
    (new,) = team.robots[2].objects()
    assert (new.object_id, new.position, new.held) == ("pillar", THERE, {"lidar": 500})
    assert team.robots[2].retired() == {"not seen for long": 1}
    team.sense(2, HERE, {"reflectance": code(3)}, 510)  # the old one is there again
    tell(team)
    old = team.robots[0].nearest(HERE)
    assert old.held == {"camera": 10, "lidar": 11, "reflectance": 510}
    assert old.object_id == "pillar~at_0.00_0.00"
    assert team.robots[0].get("pillar") == new


def test_what_comes_back_has_its_name_if_nobody_has_given_it_to_another_object():
    robot = forgetful()
    robot.observe("pillar", HERE, {"camera": code(1)}, {"camera": 10})
    robot.observe("box", THERE, {"camera": code(2)}, {"camera": 500})
    robot.observe(None, HERE, {"lidar": code(1)}, {"lidar": 510})
    assert {one.object_id for one in robot.objects()} == {"pillar", "box"}


looks = st.tuples(
    st.just("sense"),
    st.integers(0, 2),  # robot
    st.integers(0, 2).map(lambda x: (2.0 * x, 0.0, 0.0)),
    st.sampled_from(MODALITIES),
    st.integers(1, 12),
    st.sampled_from("xy"),
)


@given(st.lists(looks, max_size=12), st.randoms(use_true_random=False))
@settings(patient, max_examples=60)
def test_no_object_lacks_its_name_for_one_that_is_not_told_any_more(history, random):
    team = play(history, forget_after_ns=4)
    team.deliver_the_rest(random)
    team.assert_agreed()
    for one in team.robots[0].objects():
        assert team.robots[0].get(one.object_id.partition("~")[0]) is not None


@given(histories, st.randoms(use_true_random=False))
@settings(patient, max_examples=60)
def test_robots_forget_the_same_whatever_the_order(history, random):
    team = play(history, forget_after_ns=4)
    team.deliver_the_rest(random)
    team.assert_agreed()
    seen = [one.newest for one in team.robots[0].objects()]
    latest = max((one.newest for one in team.robots[0].statements()), default=0)
    assert all(newest == 0 or newest >= latest - 4 for newest in seen)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("no_modality", {"mean": np.ones(3)}),
        ("no_modality", {"log_variance": -np.ones(3)}),
        ("stamp", {"vanished": 0}),
        ("stamp", {"vanished": -5}),
        ("stamp", {"vanished": NOW + 11}),
    ],
)
def test_what_is_no_such_statement_is_refused_and_changes_nothing(kind, fields):
    team = team_of_three()
    before = state(team.robots[0])
    with pytest.raises(UnfitEmbedding) as refused:
        team.robots[0].receive(replace(nothing(position=HERE), **fields), NOW)
    assert refused.value.kind == kind
    assert state(team.robots[0]) == before
