# SPDX-License-Identifier: Apache-2.0
"""A program that knows standard messages only: it prints what a robot publishes, as JSON lines.

Arguments: the robot's namespace, and the topics to listen to below it.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

import rclpy
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from visualization_msgs.msg import Marker, MarkerArray

ACTIONS = {Marker.ADD: "add", Marker.DELETE: "delete", Marker.DELETEALL: "delete all"}


def place(point: Any) -> list[float]:
    return [point.x, point.y, point.z]


def seconds(stamp: Any) -> float:
    return stamp.sec + stamp.nanosec / 1e9


def detections(message: Any) -> dict[str, Any]:
    return {
        "frame": message.header.frame_id,
        "stamp": seconds(message.header.stamp),
        "detections": {
            each.id: {
                "frame": each.header.frame_id,
                "stamp": seconds(each.header.stamp),
                "position": place(each.bbox.center.position),
                "size": place(each.bbox.size),
                "results": [[r.hypothesis.class_id, r.hypothesis.score] for r in each.results],
                "poses": [place(r.pose.pose.position) for r in each.results],
            }
            for each in message.detections
        },
    }


def markers(message: MarkerArray) -> dict[str, Any]:
    return {
        "markers": [
            {
                "name": [marker.ns, marker.id],
                "action": ACTIONS[marker.action],
                "type": marker.type,
                "frame": marker.header.frame_id,
                "locked": marker.frame_locked,
                "position": place(marker.pose.position),
                "scale": place(marker.scale),
                "colour": [marker.color.r, marker.color.g, marker.color.b, marker.color.a],
                "text": marker.text,
                "points": [place(point) for point in marker.points],
            }
            for marker in message.markers
        ]
    }


def image(message: Image) -> dict[str, Any]:
    return {
        "frame": message.header.frame_id,
        "stamp": seconds(message.header.stamp),
        "encoding": message.encoding,
        "shape": [message.height, message.width],
        "data": list(message.data),
    }


def main() -> None:
    # rclpy's own handlers may miss a signal that comes just before it waits
    stop: list[int] = []
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    node = rclpy.create_node("standard_listener")
    namespace, *topics = sys.argv[1:]
    for topic in topics:
        if topic == "detections":
            from vision_msgs.msg import Detection3DArray

            kind, shown = Detection3DArray, detections
        else:
            kind, shown = (MarkerArray, markers) if topic == "markers" else (Image, image)

        def listen(message: Any, topic: str = topic, shown: Any = shown) -> None:
            print(json.dumps({"topic": topic, **shown(message)}), flush=True)

        # as viewers do: nobody asks for what was said before
        node.create_subscription(kind, f"{namespace}/{topic}", listen, QoSProfile(depth=10))
    known = sorted({name.partition(".")[0] for name in sys.modules} & {"m2vae_ros"})
    print(json.dumps({"topic": "", "knows": known}), flush=True)
    while not stop:
        rclpy.spin_once(node, timeout_sec=0.1)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
