# SPDX-License-Identifier: Apache-2.0
"""How a patrol goes by where its robot is, and by where it is sent."""

from __future__ import annotations

import math

import pytest
from geometry_msgs.msg import TransformStamped, Twist
from m2vae_ros.msg import ObjectClassification
from patrolling import Patrol
from ros_team import Team, team
from sensor_msgs.msg import LaserScan
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from m2vae_ros.ros import messages, qos

pytestmark = pytest.mark.ros
ODOM = "amiro1/odom"
TOPIC = "/amiro1/patrol/wanted"


def localise(t: Team, seconds: float, x: float) -> None:
    made = TransformStamped(child_frame_id=ODOM)
    made.header.frame_id, made.header.stamp = "map", messages.stamp(round(seconds * 1e9))
    made.transform.translation.x = x
    t.send("/tf", TFMessage(transforms=[made]))


def sensed(t: Team, name: str, modality: str, seconds: float) -> None:
    """The robot's fusion node says that it has looked at an object."""
    made = ObjectClassification(object_id=name, sensed=[modality])
    made.header.stamp = messages.stamp(round(seconds * 1e9))
    t.send("/amiro1/classification", made)


def test_a_patrol_drives_on_while_localisation_lags_and_stands_when_it_has_ended() -> None:
    with team() as t:
        patrol = Patrol(t, speed=0.4)
        assert patrol.command(1.0, frame=ODOM).linear.x == 0.0  # it is nowhere yet
        localise(t, 1.0, 5.0)
        t.until(lambda: patrol.command(1.0, frame=ODOM).angular.z != 0.0)  # the object is behind it
        assert patrol.command(1.3, yaw=3.1, frame=ODOM).linear.x == 0.4
        assert patrol.command(1.9, yaw=3.1, frame=ODOM).linear.x == 0.4
        assert patrol.command(2.1, yaw=3.1, frame=ODOM).linear.x == 0.0
        localise(t, 2.0, 5.0)
        t.until(lambda: patrol.command(2.2, yaw=3.1, frame=ODOM).linear.x == 0.4)


def test_a_patrol_whose_clock_went_back_goes_by_what_is_told_since() -> None:
    with team() as t:
        patrol = Patrol(t, speed=0.4)
        localise(t, 9.0, 0.0)
        t.until(lambda: patrol.command(9.0, frame=ODOM).linear.x == 0.4)
        assert patrol.command(1.0, frame=ODOM).linear.x == 0.0
        localise(t, 1.0, 0.0)
        t.until(lambda: patrol.command(1.0, frame=ODOM).linear.x == 0.4)


def test_a_patrol_goes_where_it_is_sent_stays_when_it_is_not_and_goes_on_when_nobody_plans() -> (
    None
):
    with team() as t:
        patrol = Patrol(t, modalities=["camera", "lidar"])
        scans = "/amiro1/laser_scan"
        t.listen(LaserScan, scans, lambda _: None, qos.NEWEST_READING)
        t.until(lambda: patrol.node.count_subscribers(scans) > 0)
        assert patrol.command(1.0).linear.x > 0.0  # its own round: a is ahead of it
        wanted = t.tester.create_publisher(String, TOPIC, qos.STATE)
        t.until(lambda: patrol.node.count_publishers(TOPIC) == 1)
        wanted.publish(String(data="b"))
        t.until(lambda: patrol.node._asked == "b")
        assert patrol.command(1.1).linear.x == 0.0  # it turns round
        for number, (modality, there) in enumerate([("camera", -2.2), ("lidar", -2.5)], start=1):
            patrol.command(2.0 * number, there, math.pi)
            patrol.command(2.0 * number + 0.1, there, math.pi)
            sensed(t, "b", modality, 2.0 * number + 0.2)
            t.until(lambda: bool(patrol.node._looks))
            patrol.command(2.0 * number + 0.3, there, math.pi)
            said = f"amiro1 {number}/4: has sensed b by {modality}"
            t.until(lambda said=said: said in patrol.said)
        assert patrol.command(6.0, 0.0) == Twist()  # nobody has sent it anywhere
        t.tester.destroy_publisher(wanted)
        t.until(lambda: patrol.node.count_publishers(TOPIC) == 0)
        assert patrol.command(6.1, 0.0).linear.x > 0.0


def test_a_patrol_cannot_be_sent_to_what_it_does_not_know() -> None:
    with team() as t:
        patrol = Patrol(t)
        t.send(TOPIC, String(data="nowhere"))
        t.send(TOPIC, String(data="a"))
        t.until(lambda: patrol.node._asked == "a")
        assert patrol.command(1.0).linear.x > 0.0
