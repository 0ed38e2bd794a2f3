# SPDX-License-Identifier: Apache-2.0
"""Where sensors are in the frame that a team shares: by transforms, or not at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fusion_team import ENGINE, code
from hypothesis import given
from hypothesis import strategies as st
from transforms import HERE, SECOND, transform

from m2vae_ros.robot.frames import NoTransform, TransformBuffer
from m2vae_ros.robot.perception import Dropped, Perception, Settings
from m2vae_ros.robot.placement import Placement, point_at, pose_of
from m2vae_ros.sensors.messages import Motion
from m2vae_ros.sensors.sensing_range import SensingRange

RANGES = {"camera": SensingRange(0.0, 2.0, 0.1)}
metres, radians = st.floats(-20, 20), st.floats(-3.1, 3.1)
poses = st.tuples(metres, metres, radians)


def yawed(x: float, y: float, yaw: float, z: float = 0.0):
    return (x, y, z, (0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)))


def moved(pose, by):
    """A pose in the frame that lies at another."""
    (x, y, yaw), (u, v, turn) = by, pose
    sin, cos = math.sin(yaw), math.cos(yaw)
    return (x + cos * u - sin * v, y + sin * u + cos * v, math.remainder(yaw + turn, math.tau))


def odometry(x=0.0, y=0.0, yaw=0.0, frame="odom", child="base", stamp=SECOND) -> Motion:
    return Motion(x, y, yaw, 0.0, 0.0, stamp, frame, child)


def robot(*static, **how) -> Placement:
    frames = TransformBuffer()
    for each in static:
        frames.add(each, is_static=True)
    return Placement(frames, **how)


def near(found, expected) -> bool:
    return math.dist(found[:2], expected[:2]) < 1e-6 and (
        abs(math.remainder(found[2] - expected[2], math.tau)) < 1e-6
    )


@given(poses, poses, poses)
def test_a_sensor_is_where_the_whole_chain_puts_it(origin, driven, mounted) -> None:
    placement = robot(
        transform("map", "odom", yawed(*origin)),
        transform("base", "laser", yawed(*mounted, z=0.3)),
    )
    found = pose_of(placement.sensor(odometry(*driven), "laser", SECOND))
    assert near(found, moved(moved(mounted, driven), origin))


def test_an_optical_frame_looks_along_z() -> None:
    optical = transform("base", "camera_optical_frame", (0.1, 0.0, 0.0, (-0.5, 0.5, -0.5, 0.5)))
    placement = robot(optical)
    place = placement.sensor(odometry(frame="map"), "camera_optical_frame", SECOND)
    assert near(pose_of(place), (0.1, 0.0, 0.0))


def test_a_scanner_that_hangs_upside_down_sees_left_on_the_right() -> None:
    placement = robot(transform("base", "laser", (0.0, 0.0, 0.3, (1.0, 0.0, 0.0, 0.0))))
    place = placement.sensor(odometry(frame="map"), "laser", SECOND)
    assert pose_of(place) == (0.0, 0.0, 0.0)
    assert point_at(place, (1.0, 0.5, 0.0)) == pytest.approx((1.0, -0.5, 0.0))


def test_a_frame_that_nothing_leads_from_is_refused_and_named() -> None:
    with pytest.raises(NoTransform, match="from 'odom' to 'map': /tf tells nothing of 'map'"):
        robot().base(odometry(), SECOND)
    placement = robot(transform("map", "odom"), transform("base", "camera"))
    with pytest.raises(NoTransform, match="from 'laser' to 'base': /tf tells nothing of 'laser'"):
        placement.sensor(odometry(), "laser", SECOND)
    with pytest.raises(NoTransform, match="'world'"):
        robot(transform("map", "odom"), global_frame="world").base(odometry(), SECOND)


def test_of_a_robot_without_transforms_sensors_look_ahead_and_that_is_noted() -> None:
    placement = robot(transform("base_of_another", "its_laser"))
    place = placement.sensor(odometry(1.0, 2.0, 0.5, frame="map"), "laser", SECOND)
    assert near(pose_of(place), (1.0, 2.0, 0.5))
    assert placement.assumed == {"laser"}
    placement.frames.add(transform("base", "laser"), is_static=True)
    placement.sensor(odometry(frame="map"), "laser", SECOND)
    assert placement.assumed == set()


def test_the_robots_own_frame_can_be_another_than_that_of_its_odometry() -> None:
    wheels = transform("wheels", "base", yawed(0.5, 0.0, 0.0))
    laser = transform("base", "laser", yawed(0.1, 0.0, math.pi / 2))
    placement = robot(wheels, laser, base_frame="base")
    motion = odometry(1.0, 0.0, math.pi / 2, frame="map", child="wheels")
    assert near(pose_of(placement.base(motion, SECOND)), (1.0, 0.5, math.pi / 2))
    assert near(pose_of(placement.sensor(motion, "laser", SECOND)), (1.0, 0.6, math.pi))


def test_transforms_alone_may_place_a_robot() -> None:
    placement = robot(transform("map", "base", yawed(3.0, 1.0, 0.2)))
    motion = odometry(9.0, 9.0, frame="wheel_odometry")
    assert near(pose_of(placement.base(motion, SECOND)), (3.0, 1.0, 0.2))


def seeing(placement: Placement) -> Perception:
    places = {"places": [], "finders": ["camera"], "ranges": RANGES}
    return Perception(ENGINE, "amiro1", Settings(**places), placement)


def look(robot: Perception, now: int, **frame) -> None:
    """A camera that shows something one metre ahead of it, on a robot that stands at (2, 0)."""
    robot.move(odometry(2.0, stamp=SECOND - 1), SECOND)
    robot.sense("camera", code(0), SECOND, SECOND, ahead=(1.0, 0.0, 0.0), **frame)
    robot.move(odometry(2.0, stamp=SECOND + 1), SECOND + 1)


def test_what_a_sideways_sensor_sees_stands_beside_the_robot() -> None:
    perception = seeing(
        robot(
            transform("map", "odom", yawed(0.0, 5.0, math.pi)),
            transform("base", "camera", yawed(0.0, 0.0, math.pi / 2)),
        )
    )
    look(perception, SECOND, frame="camera")
    (event,) = perception.update(SECOND)
    assert event.embedding.frame == "map"
    assert event.embedding.position == pytest.approx((-2.0, 4.0, 0.0))


def test_a_reading_waits_for_its_transform_and_is_placed_by_that_of_its_time() -> None:
    frames = TransformBuffer()
    perception = seeing(Placement(frames))
    look(perception, SECOND)
    assert list(perception.update(SECOND)) == []
    for x, stamp in ((0.0, 0), (4.0, 2 * SECOND)):
        frames.add(transform("map", "odom", yawed(x, 0.0, 0.0), stamp), is_static=False)
    (event,) = perception.update(2 * SECOND)
    assert event.embedding.position == pytest.approx((5.0, 0.0, 0.0))


def test_a_reading_of_a_robot_that_nothing_places_is_dropped_and_nothing_is_held() -> None:
    perception = seeing(robot())
    look(perception, SECOND)
    assert list(perception.update(SECOND)) == []
    (event,) = perception.update(10 * SECOND)
    assert isinstance(event, Dropped)
    assert "header.frame_id: no transform from 'odom' to 'map'" in str(event.error)
    assert perception.memory.objects() == []


def test_odometry_in_another_frame_begins_anew() -> None:
    perception = seeing(robot(transform("map", "odom", HERE)))
    perception.move(odometry(0.0, frame="map", stamp=SECOND - 1), SECOND)
    perception.sense("camera", code(0), SECOND, SECOND, ahead=(1.0, 0.0, 0.0))
    perception.move(odometry(7.0, stamp=SECOND + 1), SECOND + 1)
    assert all(event.reason == "no odometry of that time" for event in perception.update(SECOND))
    assert perception.memory.objects() == []
    np.testing.assert_array_equal(perception.placement.to_global("odom", 0), np.eye(4))
