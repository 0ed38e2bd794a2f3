# SPDX-License-Identifier: Apache-2.0
"""A lifecycle node with three sensor subscriptions that does nothing: what any such node costs."""

from __future__ import annotations

import signal

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, LaserScan

TOPICS = {"front_camera/image_raw": Image, "laser_scan": LaserScan, "reflectance": LaserScan}


class BareNode(LifecycleNode):
    """Subscribes when it is activated."""

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to three sensors."""
        for topic, kind in TOPICS.items():
            self.create_subscription(kind, topic, lambda message: None, qos_profile_sensor_data)
        return super().on_activate(state)


def main() -> None:
    """Run it until SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rclpy.init()
    try:
        rclpy.spin(BareNode("fusion"))
    except (KeyboardInterrupt, ExternalShutdownException):
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
