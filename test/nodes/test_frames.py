# SPDX-License-Identifier: Apache-2.0
"""Robots with odometry in frames of their own: /tf leads to the team's, or nothing is placed."""

from __future__ import annotations

import math
from functools import partial

import pytest
from geometry_msgs.msg import TransformStamped
from ros_team import image, scan, team
from sensor_msgs.msg import LaserScan
from tf2_msgs.msg import TFMessage
from untrained import untrained_weights

pytestmark = pytest.mark.ros
FINDING = {"objects.names": [], "objects.x": [], "objects.y": [], "odometry_tolerance": 0.5}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return untrained_weights(tmp_path_factory.mktemp("weights"))


def transform(parent: str, child: str, x: float = 0.0, y: float = 0.0, yaw: float = 0.0):
    made = TransformStamped(child_frame_id=child)
    made.header.frame_id = parent
    made.transform.translation.x, made.transform.translation.y = x, y
    made.transform.rotation.z, made.transform.rotation.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return made


def pillar_ahead(frame: str) -> LaserScan:
    """Something 17 cm wide, whose middle is 0.6 m straight ahead of the scanner."""
    seen = scan(value=float("inf"))
    seen.header.frame_id = frame
    for beam in range(325, 358):
        seen.ranges[beam] = 0.5
    return seen


def finder(t, name: str, weights, **parameters):
    """An active robot that finds what stands before its LiDAR; its odometry begins at its start."""
    return t.active_robot(name, weights, ["lidar"], **FINDING | parameters)


def look(t, name: str, frame: str) -> None:
    """The scanner of a robot that stands where its odometry began sees something ahead of it."""
    t.stand(name, frame=f"{name}/odom", child=f"{name}/base")
    t.sense(name, pillar_ahead(f"{name}/{frame}"), "lidar")


def received(t, name: str) -> bool:
    return t.counted(name, "received /tf_static") == 1


def dropped(t, name: str) -> bool:
    return t.counted(name, "dropped laser_scan: header.frame_id") == 1


def sensed(t, name: str) -> bool:
    """Something new, or what another has told already."""
    return t.counted(name, "fused lidar") + t.counted(name, "confirmed lidar") == 1


def held(node) -> dict[str, tuple[float, float, float]]:
    return {each.object_id: each.position for each in node._memory.objects()}


def test_robots_before_one_object_share_it_and_those_before_two_do_not(weights) -> None:
    """One looks east, one comes from the other side, and one is two metres to the north."""
    with team() as t:
        nodes = [finder(t, f"amiro{i}", weights) for i in (1, 2, 3)]
        starts = ((0.0, 0.0, 0.0), (1.2, 0.0, math.pi), (0.0, 2.0, 0.0))
        placed = [transform("map", f"amiro{i}/odom", *at) for i, at in enumerate(starts, 1)]
        mounts = [transform(f"amiro{i}/base", f"amiro{i}/laser") for i in (1, 2, 3)]
        t.send("/tf_static", TFMessage(transforms=placed + mounts))
        for name in ("amiro1", "amiro2", "amiro3"):
            t.until(partial(received, t, name))
            look(t, name, "laser")
            t.until(partial(sensed, t, name))
        t.until(lambda: all(len(held(node)) == 2 for node in nodes))
        assert held(nodes[0]) == held(nodes[1]) == held(nodes[2])
        south, north = sorted(held(nodes[0]).values(), key=lambda place: place[1])
        assert south == pytest.approx((0.6, 0.0, 0.0), abs=0.02)
        assert north == pytest.approx((0.6, 2.0, 0.0), abs=0.02)


def test_without_a_way_to_the_teams_frame_nothing_is_placed_and_that_is_told(weights) -> None:
    with team() as t:
        nodes = [finder(t, f"amiro{i}", weights) for i in (1, 2)]
        for name in ("amiro1", "amiro2"):
            look(t, name, "laser")
            t.until(partial(dropped, t, name))
        assert [held(node) for node in nodes] == [{}, {}]
        assert not t.embeddings
        reason = nodes[0]._drops.last_error
        assert "no transform from 'amiro1/odom' to 'map'" in reason


def test_a_sideways_sensor_sees_what_stands_beside_the_robot(weights) -> None:
    with team() as t:
        node = finder(t, "amiro1", weights)
        mount = transform("amiro1/base", "amiro1/laser", 0.1, 0.0, math.pi / 2)
        origin = transform("map", "amiro1/odom", 5.0, 0.0, math.pi / 2)
        t.send("/tf_static", TFMessage(transforms=[mount, origin]))
        t.until(partial(received, t, "amiro1"))
        look(t, "amiro1", "laser")
        t.until(lambda: len(held(node)) == 1)
        (place,) = held(node).values()
        assert place == pytest.approx((4.4, 0.1, 0.0), abs=0.02)


def test_a_localisation_that_lags_is_waited_for(weights) -> None:
    """The map's transform is of a moment after the reading; the robot drifts in between."""
    with team() as t:
        node = finder(t, "amiro1", weights)

        def localise(x: float) -> None:
            moved = transform("map", "amiro1/odom", x)
            moved.header.stamp = t.tester.get_clock().now().to_msg()
            t.send("/tf", TFMessage(transforms=[moved]))

        localise(1.0)
        t.until(lambda: t.counted("amiro1", "received /tf") == 1)
        look(t, "amiro1", "base")
        t.settle()
        assert held(node) == {}
        localise(1.0)
        t.until(lambda: len(held(node)) == 1)
        (place,) = held(node).values()
        assert place == pytest.approx((1.6, 0.0, 0.0), abs=0.02)


def test_a_sensor_whose_frame_is_mistyped_is_refused_on_a_robot_with_transforms(weights) -> None:
    with team() as t:
        node = finder(t, "amiro1", weights)
        known = [transform("map", "amiro1/odom"), transform("amiro1/base", "amiro1/laser")]
        t.send("/tf_static", TFMessage(transforms=known))
        t.until(partial(received, t, "amiro1"))
        look(t, "amiro1", "lasre")
        t.until(partial(dropped, t, "amiro1"))
        assert "'amiro1/lasre'" in node._drops.last_error
        assert held(node) == {}


def test_odometry_in_the_teams_frame_needs_no_transforms_but_the_guess_is_told(weights) -> None:
    with team() as t:
        t.active_robot("amiro1", weights, ["camera"])
        seen = image()
        seen.header.frame_id = "amiro1/eye"
        t.sense("amiro1", seen, "camera")
        t.until(lambda: len(t.embeddings) == 1)
        guess = "no transform of amiro1/eye"
        t.until(lambda: guess in t.diagnostics["amiro1/fusion"] or guess in str(t.diagnostics))


def test_a_bad_transform_is_dropped_and_the_others_are_taken(weights) -> None:
    with team() as t:
        node = finder(t, "amiro1", weights)
        bad = transform("map", "broken")
        bad.transform.rotation.w = math.nan
        good = transform("map", "amiro1/odom")
        t.send("/tf_static", TFMessage(transforms=[bad, transform("map", "map"), good]))
        t.until(lambda: t.counted("amiro1", "dropped /tf_static: transform") == 1)
        t.until(lambda: t.counted("amiro1", "dropped /tf_static: child_frame_id") == 1)
        look(t, "amiro1", "base")
        t.until(lambda: len(held(node)) == 1)


def test_a_teams_transforms_are_not_taken_for_the_robots_own(weights) -> None:
    """Others are heard first; what is seen before one's own come would be placed straight ahead."""
    with team() as t:
        node = t.active_robot("amiro1", weights, ["lidar"], **FINDING)
        t.send("/tf_static", TFMessage(transforms=[transform("map", "amiro2/odom")]))
        t.until(lambda: t.counted("amiro1", "received /tf_static") == 1)
        t.stand("amiro1", child="amiro1/base")
        t.sense("amiro1", pillar_ahead("amiro1/laser"), "lidar")
        t.until(lambda: t.counted("amiro1", "unused: no transform has come yet") == 1)
        mount = transform("amiro1/base", "amiro1/laser", yaw=math.pi / 2)
        t.send("/tf_static", TFMessage(transforms=[mount]))
        t.until(lambda: t.counted("amiro1", "received /tf_static") == 2)
        t.stand("amiro1", child="amiro1/base")
        t.sense("amiro1", pillar_ahead("amiro1/laser"), "lidar")
        t.until(lambda: len(held(node)) == 1)
        (place,) = held(node).values()
        assert place == pytest.approx((0.0, 0.6, 0.0), abs=0.02)
