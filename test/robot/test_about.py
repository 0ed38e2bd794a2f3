# SPDX-License-Identifier: Apache-2.0
"""What a robot perceives of itself, and of what a topic names; no ROS."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fusion_team import ENGINE, code, embedding
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.robot.perception import MOST_WAITING, Perception, Settings, Target, Unused
from m2vae_ros.robot.pointing import NOWHERE
from m2vae_ros.sensors import About, ObservationError
from m2vae_ros.sensors.messages import Motion
from m2vae_ros.sensors.sensing_range import SensingRange
from m2vae_ros.sensors.suite import ABOUT_TYPES, STRING

MS = 1_000_000
SECOND = 1000 * MS
RANGES = dict.fromkeys(("camera", "lidar"))
RANGED = dict.fromkeys(RANGES, SensingRange(0.0, 2.0, 0.5))
_, POINT, DETECTIONS = ABOUT_TYPES


def perception(kind: str, type_: str = "", seconds: float = 1.0, **how) -> Perception:
    about = About(kind, "target" if kind == "topic" else "", type_, seconds)
    return Perception(ENGINE, "rover", Settings(**{"ranges": RANGES, "about": about, **how}))


def sensed(robot: Perception, stamp: int, modality: str = "camera", seed: int = 0) -> list:
    robot.sense(modality, code(seed), stamp, stamp)
    return list(robot.update(stamp))


def move(robot: Perception, stamp: int, x: float = 0.0, speed: float = 0.0) -> None:
    robot.move(Motion(x, 0.0, 0.0, speed, 0.0, stamp), stamp)


# The robot itself


def test_what_is_of_the_robot_itself_needs_no_odometry_and_no_standing() -> None:
    robot = perception("robot")
    (event,) = sensed(robot, SECOND)
    assert event.kind == "fused"
    assert event.embedding.object_id == "rover"
    assert event.embedding.position == (0.0, 0.0, 0.0)
    move(robot, 2 * SECOND, x=3.0, speed=1.0)
    (event,) = sensed(robot, 2 * SECOND + MS, "lidar", 1)
    assert event.embedding.position == (3.0, 0.0, 0.0)
    assert set(event.embedding.held) == {"camera", "lidar"}
    assert len(robot.memory.objects()) == 1


def test_readings_of_the_robot_of_one_tick_are_encoded_together() -> None:
    robot = perception("robot")
    robot.sense("camera", code(0), SECOND, SECOND)
    robot.sense("lidar", code(1), SECOND + MS, SECOND + MS)
    (event,) = robot.update(SECOND + MS)
    together = ENGINE.encode({"camera": code(0), "lidar": code(1)})
    np.testing.assert_allclose(event.embedding.mean, together.mean, atol=1e-5)


def test_a_robot_senses_itself_again_when_it_is_time() -> None:
    robot = perception("robot", refresh_periods={"camera": 2.0})
    sensed(robot, SECOND)
    assert sensed(robot, 2 * SECOND) == [Unused("camera", "sensed a moment ago")]
    (event,) = sensed(robot, 3 * SECOND, seed=5)
    assert event.kind == "fused"


def test_robots_at_one_place_are_not_one_thing() -> None:
    robot = perception("robot")
    sensed(robot, SECOND)
    told = embedding(object_id="other", position=(0.0, 0.0, 0.0), held={"lidar": SECOND})
    assert robot.receive(told, SECOND).kind == "new"
    assert {each.object_id for each in robot.memory.objects()} == {"rover", "other"}
    (event,) = sensed(robot, 5 * SECOND, seed=3)
    assert event.embedding.names == {"rover"}


# What a topic names


def test_a_name_holds_from_when_it_was_said_for_so_many_seconds() -> None:
    robot = perception("topic", STRING, seconds=1.0)
    nobody = [Unused("camera", "nobody says what it is of")]
    assert sensed(robot, SECOND) == nobody
    robot.point([Target("box", NOWHERE)], 2 * SECOND, 2 * SECOND)
    robot.sense("camera", code(0), 2 * SECOND - MS, 2 * SECOND)
    assert list(robot.update(2 * SECOND)) == nobody
    (event,) = sensed(robot, 3 * SECOND)
    assert event.embedding.object_id == "box"
    assert sensed(robot, 3 * SECOND + 100 * MS) == nobody


def test_an_empty_name_ends_the_one_before() -> None:
    robot = perception("topic", STRING, seconds=10.0)
    robot.point([Target("box", NOWHERE)], SECOND, SECOND)
    robot.point([], 2 * SECOND, 2 * SECOND)
    assert sensed(robot, 3 * SECOND) == [Unused("camera", "it is said to be of nothing")]


def test_things_with_names_alone_are_as_many_as_names() -> None:
    robot = perception("topic", STRING)
    for index, name in enumerate(("box", "ball", "box")):
        stamp = (index + 1) * SECOND
        robot.point([Target(name, NOWHERE)], stamp, stamp)
        sensed(robot, stamp + MS, seed=index)
    assert {each.object_id for each in robot.memory.objects()} == {"ball", "box"}


@given(
    said=st.lists(st.tuples(st.integers(0, 900), st.sampled_from("abc")), min_size=1, max_size=20),
    ms=st.integers(0, 1500),
)
def test_of_what_was_said_the_newest_before_the_reading_counts(said, ms) -> None:
    robot = perception("topic", STRING, seconds=0.5)
    for when, name in said:  # not quite in order, as messages come
        robot.point([Target(name, NOWHERE)], SECOND + when * MS, 3 * SECOND)
    (event,) = sensed(robot, SECOND + ms * MS)
    before = [(when, index) for index, (when, _) in enumerate(said) if when <= ms]
    if not before or ms - max(before)[0] > 500:
        assert event == Unused("camera", "nobody says what it is of")
    else:
        assert event.embedding.object_id == said[max(before)[1]][1]


def test_when_time_begins_anew_what_was_said_is_forgotten() -> None:
    robot = perception("topic", STRING, seconds=1000.0)
    robot.point([Target("old", NOWHERE)], 100 * SECOND, 100 * SECOND)
    robot.point([Target("new", NOWHERE)], 5 * SECOND, 5 * SECOND)
    (event,) = sensed(robot, 6 * SECOND)
    assert event.embedding.object_id == "new"
    robot.begin()
    assert sensed(robot, 7 * SECOND) == [Unused("camera", "nobody says what it is of")]


def test_a_topic_that_never_ends_does_not_fill_the_memory() -> None:
    robot = perception("topic", STRING)
    for index in range(10 * MOST_WAITING):
        robot.point([Target("box", NOWHERE)], index * MS, SECOND)
    assert len(robot._pointed) == MOST_WAITING


@pytest.mark.parametrize("stamp", [-1, 9 * SECOND])
def test_a_stamp_of_no_time_of_now_is_refused(stamp) -> None:
    robot = perception("topic", STRING)
    with pytest.raises(ObservationError, match=r"header\.stamp"):
        robot.point([Target("box", NOWHERE)], stamp, SECOND)


def test_a_point_is_a_thing_at_its_place() -> None:
    robot = perception("topic", POINT)
    robot.point([Target(None, (3.0, 1.0, 0.5))], SECOND, SECOND)
    (event,) = sensed(robot, SECOND + MS)
    assert event.embedding.position == (3.0, 1.0, 0.5)
    robot.point([Target(None, (3.1, 1.0, 0.5))], 2 * SECOND, 2 * SECOND)
    (event,) = sensed(robot, 2 * SECOND + MS, "lidar", 1)
    assert set(event.embedding.held) == {"camera", "lidar"}  # near enough to be the same
    robot.point([Target(None, (9.0, 1.0, 0.5))], 3 * SECOND, 3 * SECOND)
    sensed(robot, 3 * SECOND + MS, seed=2)
    assert len(robot.memory.objects()) == 2


def test_of_several_detections_the_one_in_range_counts_where_there_is_a_range() -> None:
    robot = perception("topic", DETECTIONS, ranges=RANGED)
    seen = [Target("behind", (-1.0, 0.0, 0.0)), Target("ahead", (1.0, 0.1, 0.0))]
    robot.point(seen, SECOND, SECOND)
    move(robot, SECOND)
    robot.sense("camera", code(0), SECOND + 10 * MS, SECOND + 10 * MS)
    assert list(robot.update(SECOND + 10 * MS)) == []  # until there is odometry of after it
    move(robot, SECOND + 20 * MS)
    (event,) = robot.update(SECOND + 20 * MS)
    assert event.embedding.object_id == "ahead"


def test_of_several_detections_without_a_range_nobody_knows_which() -> None:
    robot = perception("topic", DETECTIONS)
    seen = [Target("a", (1.0, 0.0, 0.0)), Target("b", (2.0, 0.0, 0.0))]
    robot.point(seen, SECOND, SECOND)
    reason = "several things are named, and no range says which"
    assert sensed(robot, SECOND + MS) == [Unused("camera", reason)]


def test_detections_out_of_range_are_not_looked_at() -> None:
    robot = perception("topic", DETECTIONS, ranges=RANGED)
    robot.point([Target("far", (5.0, 0.0, 0.0))], SECOND, SECOND)
    move(robot, SECOND)
    robot.sense("camera", code(0), SECOND + 10 * MS, SECOND + 10 * MS)
    move(robot, SECOND + 20 * MS)
    assert list(robot.update(SECOND + 20 * MS)) == [Unused("camera", "nothing to look at")]


def test_whoever_moves_does_not_look_at_what_has_a_range() -> None:
    robot = perception("topic", DETECTIONS, ranges=RANGED)
    robot.point([Target("ahead", (1.0, 0.0, 0.0))], SECOND, SECOND)
    move(robot, SECOND, speed=1.0)
    robot.sense("camera", code(0), SECOND + 10 * MS, SECOND + 10 * MS)
    move(robot, SECOND + 20 * MS, speed=1.0)
    assert list(robot.update(SECOND + 20 * MS)) == [Unused("camera", "moving")]


def test_a_name_that_is_too_long_costs_its_reading_and_nothing_else() -> None:
    robot = perception("topic", STRING)
    robot.point([Target("x" * 100_000, NOWHERE)], SECOND, SECOND)
    (event,) = sensed(robot, SECOND + MS)
    assert "object_id" in str(event.error)
    assert robot.memory.objects() == []


@pytest.mark.parametrize(
    ("fields", "by_place"),
    [
        ({}, True),
        ({"kind": "robot"}, False),
        ({"kind": "topic", "topic": "x", "type": STRING}, False),
        ({"kind": "topic", "topic": "x", "type": POINT}, True),
        ({"kind": "topic", "topic": "/x/y", "type": DETECTIONS}, True),
    ],
)
def test_a_place_tells_what_is_met_unless_only_names_do(fields, by_place) -> None:
    assert About(**fields).by_place == by_place


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_what_is_said_holds_for_a_time(seconds) -> None:
    with pytest.raises(ValueError, match="seconds"):
        About("robot", seconds=seconds)
