# SPDX-License-Identifier: Apache-2.0
"""A process that publishes what a standing robot's sensors and odometry do, at their rates."""

from __future__ import annotations

import signal
import sys
from typing import Any

import rclpy
from nav_msgs.msg import Odometry
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data

from m2vae_ros.world.suite import AMIRO
from tools.bench.subjects import readings

RATES = {"camera": 30.0, "lidar": 10.0, "reflectance": 20.0, "odom": 50.0}
"""Messages a second."""


class SensorSource(Node):
    """Each topic has a timer; stamps are of when a message leaves."""

    def __init__(self, robot: str) -> None:
        super().__init__("source", namespace=f"/{robot}")
        odometry = Odometry(child_frame_id=f"{robot}/base_link")
        odometry.header.frame_id = "map"
        odometry.pose.pose.orientation.w = 1.0
        messages = {"odom": odometry, **readings()}
        for name, message in messages.items():
            topic = AMIRO[name].topic if name in AMIRO else name
            out = self.create_publisher(type(message), topic, qos_profile_sensor_data)
            self.create_timer(1 / RATES[name], lambda out=out, said=message: self._send(out, said))

    def _send(self, out: Any, message: Any) -> None:
        message.header.stamp = self.get_clock().now().to_msg()
        out.publish(message)


def main() -> None:
    """Run it until SIGINT; the robot's name is the first argument."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rclpy.init()
    try:
        rclpy.spin(SensorSource(sys.argv[1]))
    except (KeyboardInterrupt, ExternalShutdownException):
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
