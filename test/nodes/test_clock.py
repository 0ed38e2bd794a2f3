# SPDX-License-Identifier: Apache-2.0
"""A clock that jumps back, as of a bag that is played again, leaves no robot deaf."""

from __future__ import annotations

import pytest
from builtin_interfaces.msg import Time
from nav_msgs.msg import Odometry
from rclpy.lifecycle import TransitionCallbackReturn
from ros_team import Team, image, team
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from untrained import untrained_weights

from m2vae_ros.nodes.fusion_node import FusionNode

pytestmark = pytest.mark.ros

SUCCESS = TransitionCallbackReturn.SUCCESS
CAMERA = "/amiro1/front_camera/image_raw"


def held(node: FusionNode) -> list[int]:
    """Of when the objects are that it knows, seconds."""
    return [one.newest // 10**9 for one in node._memory.objects()]


def played(t: Team, value: int, start: int = 100) -> bool:
    """A second of a bag: the clock, odometry of a robot that stands, and one picture."""
    for tenth in range(10):
        now = Time(sec=start, nanosec=tenth * 10**8)
        t.send("/clock", Clock(clock=now))
        odometry = Odometry(child_frame_id="amiro1/base_link")
        odometry.header.stamp, odometry.header.frame_id = now, "map"
        odometry.pose.pose.orientation.w = 1.0
        t.send("/amiro1/odom", odometry)
        if tenth == 5:
            seen: Image = image(value)
            seen.header.stamp = now
            t.send(CAMERA, seen)
        t.settle(0.1)
    return True


@pytest.mark.parametrize("keep", [True, False])
def test_a_bag_played_again_and_again_is_sensed_each_time(keep: bool, tmp_path) -> None:
    how = {"use_sim_time": True, "min_gain": 0.0, "keep_when_time_jumps_back": keep}
    with team() as t:
        node = t.robot("amiro1", untrained_weights(tmp_path), ["camera"], **how)
        assert node.trigger_configure() == SUCCESS
        assert node.trigger_activate() == SUCCESS
        t.send("/clock", Clock(clock=Time(sec=90)))
        t.until(lambda: node.count_subscribers(CAMERA) == 1)
        for round, value in enumerate((10, 200, 90)):
            jumps = node._drops.counts["time jumped back"]
            assert jumps == round
            t.until(lambda v=value: played(t, v) and held(node) == [100])
            t.send("/clock", Clock(clock=Time(sec=90)))
            t.until(lambda j=jumps: node._drops.counts["time jumped back"] > j)
            assert held(node) == [0] * keep


def test_after_time_jumped_back_an_object_can_be_reset_and_sensed(tmp_path) -> None:
    """What the reset ignored was all that was to come."""
    with team() as t:
        how = {"use_sim_time": True, "min_gain": 0.0}
        node = t.robot("amiro1", untrained_weights(tmp_path), ["camera"], **how)
        assert node.trigger_configure() == SUCCESS
        assert node.trigger_activate() == SUCCESS
        t.send("/clock", Clock(clock=Time(sec=1000)))
        t.until(lambda: node.count_subscribers(CAMERA) == 1)
        t.until(lambda: played(t, 10, 1001) and held(node) == [1001])
        t.send("/clock", Clock(clock=Time(sec=90)))
        t.until(lambda: node._drops.counts["time jumped back"] > 0)
        assert node._perception.reset("pillar", node._now) is not None
        assert not held(node)
        t.until(lambda: played(t, 200) and held(node) == [100])
