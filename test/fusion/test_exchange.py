# SPDX-License-Identifier: Apache-2.0
"""The exchange: whatever happens to the messages, all robots end with the same."""

import itertools
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from fusion_team import GATE, MODALITIES, NOW, Team, code, embedding, memory, nothing, patient
from hypothesis import example, given, settings
from hypothesis import strategies as st

from m2vae_ros.fusion.exchange import supersedes

held = st.dictionaries(st.sampled_from(MODALITIES), st.integers(0, 3), min_size=1)
embeddings = st.builds(
    lambda held, sender, seed, x, disowned: embedding(
        held=held,
        sender=sender,
        mean=code(seed)[[0, 1, 0]],
        position=(x, 0.0, 0.0),
        disowned=disowned,
    ),
    held,
    st.sampled_from("ab"),
    st.integers(0, 1),
    st.sampled_from([0.0, 0.1]),
    st.integers(0, 1),
)
of_nothing = st.builds(
    lambda stamp, sender, disowned: nothing(stamp, sender=sender, disowned=disowned),
    st.integers(1, 3),
    st.sampled_from("ab"),
    st.integers(0, 1),
)
statements = embeddings | of_nothing


@given(statements, statements, statements)
@patient
def test_superseding_is_a_strict_partial_order(x, y, z):
    assert not supersedes(x, x)
    assert not (supersedes(x, y) and supersedes(y, x))
    if supersedes(x, y) and supersedes(y, z):
        assert supersedes(x, z)


@given(embeddings, embeddings)
@patient
def test_of_two_with_the_same_observations_one_supersedes(x, y):
    if x.held == y.held and x.disowned == y.disowned and x != y:
        assert supersedes(x, y) != supersedes(y, x)
        assert supersedes(min(x, y, key=lambda e: e.digest), max(x, y, key=lambda e: e.digest))


@given(embeddings, st.integers(1, 5))
@patient
def test_of_two_with_the_same_observations_the_one_less_reencoded_supersedes(x, more):
    worse = replace(x, sender="", reencodings=dict.fromkeys(x.held, more))
    assert supersedes(x, worse)
    assert not supersedes(worse, x)


near_places = st.tuples(st.integers(0, 6), st.integers(0, 1)).map(
    lambda p: (p[0] / 4, p[1] / 4, 0.0)
)
"""A grid finer than the gate: in chains of near places anyone may be wrong."""

apart = st.integers(0, 2).map(lambda x: (1.5 * x, 0.0, 0.0))
"""Places of which nobody takes one for another."""


def histories(places, names):
    """What may happen to a team: sensings, and deliveries of any earlier message to any robot."""
    senses = st.tuples(
        st.just("sense"),
        st.integers(0, 2),  # robot
        places,
        st.sets(st.sampled_from(MODALITIES), min_size=1, max_size=2),
        st.integers(0, 8),  # stamp: few, so that robots often sense at the very same time
        names,
    )
    deliveries = st.tuples(st.just("deliver"), st.integers(0, 200), st.integers(0, 2))
    return st.lists(st.one_of(senses, deliveries), max_size=25)


confused = histories(near_places, st.sampled_from([None, None, "x", "y"]))
orderly = histories(apart, st.none())


def play(history) -> Team:
    team = Team()
    for seed, (what, *how) in enumerate(history):
        if what == "sense":
            robot, place, modalities, stamp, name = how
            observations = {m: code(seed + i) for i, m in enumerate(sorted(modalities))}
            team.sense(robot, place, observations, stamp, name)
        elif team.published:
            message, robot = how
            team.deliver(message % len(team.published), robot)
    return team


@given(confused, st.randoms(use_true_random=False))
@settings(patient, max_examples=80)
def test_all_robots_end_with_the_same_bytes_once_every_message_arrived(history, random):
    team = play(history)
    team.deliver_the_rest(random)
    team.assert_agreed()


@given(confused, st.randoms(use_true_random=False))
@settings(patient, max_examples=80)
def test_lost_messages_do_no_harm_once_robots_tell_what_they_hold(history, random):
    team = play(history)  # what was not delivered by now is lost
    team.tell_all_that_is_held(random)
    team.assert_agreed()


@given(orderly, st.randoms(use_true_random=False))
@settings(patient, max_examples=50)
def test_a_late_joiner_learns_all_from_what_one_robot_holds(history, random):
    team = play(history)
    team.deliver_the_rest(random)
    newcomer = memory("amiro9")
    told = team.robots[0].statements()
    for message in random.sample(told, len(told)):
        newcomer.receive(message, NOW)
    for message in newcomer.statements():  # what it has worked out before it had heard all
        team.robots[0].receive(message, NOW)
    assert newcomer.objects() == team.robots[0].objects()


@given(confused, st.randoms(use_true_random=False))
@settings(patient, max_examples=50)
def test_a_message_that_arrives_again_changes_nothing(history, random):
    team = play(history)
    team.deliver_the_rest(random)
    for robot in team.robots:
        before = robot.objects()
        for message in team.published:
            assert robot.receive(message, NOW).kind == "known"
        assert robot.objects() == before


stands = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=4, unique=True
)
"""Objects farther apart than twice the gate, on a grid of 1.1 m."""


@given(
    stands,
    st.lists(
        st.tuples(
            st.integers(0, 2),  # robot
            st.integers(0, 3),  # object
            st.sampled_from(MODALITIES),
            st.floats(0, GATE / 2 - 0.01),  # how far off the object is placed
            st.floats(0, 6.3),  # in which direction
            st.lists(st.tuples(st.integers(0, 200), st.integers(0, 2)), max_size=3),
        ),
        min_size=1,
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
@settings(patient, max_examples=80)
def test_each_object_has_one_id_and_everything_sensed_of_it(stands, sensings, random):
    team = Team()
    newest: dict[int, dict[str, int]] = {}
    for stamp, (robot, which, modality, off, direction, deliveries) in enumerate(sensings):
        which %= len(stands)
        x, y = (1.1 * c for c in stands[which])
        placed = (x + off * np.cos(direction), y + off * np.sin(direction), 0.0)
        looked = team.sense(robot, placed, {modality: code(stamp)}, stamp)
        if looked.kind == "fused":
            newest.setdefault(which, {})[modality] = stamp
        for message, other in deliveries:
            team.deliver(message % len(team.published), other)
    team.deliver_the_rest(random)
    team.assert_agreed()
    for robot in team.robots:
        assert len(robot.objects()) == len(newest)
        for which, stamps in newest.items():
            x, y = (1.1 * c for c in stands[which])
            assert dict(robot.nearest((x, y, 0.0)).held) == stamps


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_three_robots_with_one_sensor_each_know_all_three_in_any_order(order):
    team = Team()
    for robot, modality in enumerate(MODALITIES):
        team.sense(robot, (0.1 * robot, 0.0, 0.0), {modality: code(robot)}, 10 + robot)
    for message in order:
        for robot in order:
            team.deliver(message, robot)
    team.tell_all_that_is_held(np.random.default_rng(0))
    team.assert_agreed()
    (one,) = team.robots[0].objects()
    assert dict(one.held) == {"camera": 10, "lidar": 11, "reflectance": 12}
    assert one.object_id in {"at_0.00_0.00", "at_0.10_0.00", "at_0.20_0.00"}
    assert one.position == (0.2, 0.0, 0.0)


two_called_alike = [
    ("sense", 0, (0.0, 0.0, 0.0), {"lidar"}, 0, None),
    ("sense", 0, (0.75, 0.0, 0.0), {"camera"}, 0, None),
    ("sense", 1, (0.5, 0.25, 0.0), {"lidar"}, 1, None),
    *(("deliver", 0, robot) for robot in range(3)),
    ("sense", 0, (0.0, 0.0, 0.0), {"lidar"}, 0, None),
    ("sense", 0, (0.25, 0.0, 0.0), {"camera"}, 0, None),
    ("sense", 1, (0.0, 0.0, 0.0), {"camera"}, 0, None),
]
"""Others have the better claim to all that statements call some object."""

forgotten_with_another = [
    ("sense", 0, (1.0, 0.25, 0.0), {"lidar", "camera"}, 0, None),
    ("sense", 1, (1.25, 0.0, 0.0), {"camera"}, 1, "y"),
    ("sense", 0, (0.0, 0.0, 0.0), {"camera"}, 0, "x"),
    ("deliver", 0, 0),
    ("deliver", 0, 1),
    ("deliver", 1, 1),
    ("sense", 0, (0.0, 0.0, 0.0), {"camera"}, 0, None),
    ("sense", 0, (0.0, 0.0, 0.0), {"camera"}, 0, None),
    ("sense", 2, (0.75, 0.0, 0.0), {"reflectance", "camera"}, 0, None),
    ("deliver", 4, 0),
    ("deliver", 1, 0),
    ("deliver", 1, 2),
    ("sense", 0, (1.5, 0.0, 0.0), {"camera"}, 2, "x"),
]
"""What its robot calls it, another object is called, which was forgotten with a third one."""


@given(confused, st.integers(9, 20), st.randoms(use_true_random=False))
@example(two_called_alike, 9, Random(0))
@example(two_called_alike, 9, Random(1))
@example(forgotten_with_another, 9, Random(0))
@settings(patient, max_examples=50)
def test_robots_that_all_forgot_the_objects_agree_on_what_comes_later(history, now, random):
    team = play(history)
    team.deliver_the_rest(random)
    for robot in team.robots:
        for known in robot.objects():
            robot.reset(known.object_id, now)  # forgets with it what is only called so by others
        assert robot.objects() == []
    for stamp, robot in enumerate((0, 1, 2, 0), start=now + 1):
        team.sense(robot, (0.0, 0.0, 0.0), {MODALITIES[stamp % 3]: code(stamp)}, stamp)
    team.deliver_the_rest(random)
    team.tell_all_that_is_held(random)
    team.assert_agreed()
    assert all(min(e.held.values()) > now for e in team.robots[0].objects())
