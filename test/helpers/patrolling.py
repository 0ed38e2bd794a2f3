# SPDX-License-Identifier: Apache-2.0
"""A patrol node, and a tester who is its odometry."""

from __future__ import annotations

import math
from typing import Any

from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from ros_team import Team
from sensor_msgs.msg import Image
from std_msgs.msg import String

from m2vae_ros.nodes.patrol_node import PatrolNode
from m2vae_ros.ros import messages, qos


class Patrol:
    """A patrol that is told where it is, in times of the tester's own."""

    def __init__(self, t: Team, **parameters: Any) -> None:
        self.t = t
        self.commands: list[Twist] = []
        self.said: list[str] = []
        places = {"objects.names": ["a", "b"], "objects.x": [3.0, -3.0], "objects.y": [0.0, 0.0]}
        self.node = t.add(PatrolNode, namespace="/amiro1", **places, **parameters)
        t.listen(Twist, "/amiro1/cmd_vel", self.commands.append, qos.STATE)
        t.listen(
            String, "/amiro1/patrol/progress", lambda m: self.said.append(m.data), qos.EVERY_ONE
        )
        camera = "/amiro1/front_camera/image_raw"  # somebody looks through it
        t.listen(Image, camera, lambda _: None, qos.NEWEST_READING)
        t.until(lambda: t.tester.count_publishers("/amiro1/cmd_vel") > 0)
        t.until(lambda: self.node.count_subscribers(camera) > 0)
        t.until(lambda: self.node.count_subscribers("/amiro1/cmd_vel") > 0)

    def command(
        self, seconds: float, x: float = 0.0, yaw: float = 0.0, frame: str = "map"
    ) -> Twist:
        """What it answers to odometry of this time and pose."""
        message, before = Odometry(), len(self.commands)
        message.header.frame_id = frame
        message.header.stamp = messages.stamp(round(seconds * 1e9))
        message.pose.pose.position.x = x
        message.pose.pose.orientation.w = math.cos(yaw / 2)
        message.pose.pose.orientation.z = math.sin(yaw / 2)
        self.t.send("/amiro1/odom", message)
        self.t.until(lambda: len(self.commands) > before)
        return self.commands[-1]
