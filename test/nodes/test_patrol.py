# SPDX-License-Identifier: Apache-2.0
"""How a patrol goes by where its robot is."""

from __future__ import annotations

import pytest
from geometry_msgs.msg import TransformStamped
from patrolling import Patrol
from ros_team import Team, team
from tf2_msgs.msg import TFMessage

from m2vae_ros.ros import messages

pytestmark = pytest.mark.ros
ODOM = "amiro1/odom"


def localise(t: Team, seconds: float, x: float) -> None:
    made = TransformStamped(child_frame_id=ODOM)
    made.header.frame_id, made.header.stamp = "map", messages.stamp(round(seconds * 1e9))
    made.transform.translation.x = x
    t.send("/tf", TFMessage(transforms=[made]))


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
