#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How often do the sensors of Gazebo's robots arrive over ROS 2?

    ./run python tools/gazebo_rates.py --seconds 20
    ./run python tools/gazebo_rates.py --robots 1 --camera-rate 30

Starts Gazebo and the bridge, listens to the sensors of three robots and to /clock, and counts, by
the clock on the wall and by the stamps.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path

from m2vae_ros.world.suite import AMIRO

PATIENCE = 60.0
"""Seconds until every topic has to be heard."""

Heard = Mapping[str, Sequence[tuple[float, float]]]
"""Topic -> when each message was heard (s, a steady clock) and its stamp (s, simulated)."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="default: %(default)s")
    parser.add_argument("--robots", type=int, default=3, help="of three; default: %(default)s")
    parser.add_argument("--camera-rate", type=float, help="Hz; default: what the world file says")
    options = parser.parse_args()
    from m2vae_ros.host.resources import resource

    with tempfile.TemporaryDirectory() as folder:
        tree = ElementTree.parse(resource("worlds/amiro.world"))
        if options.camera_rate:
            for camera in tree.iterfind(".//sensor[@type='camera']"):
                camera.find("update_rate").text = str(options.camera_rate)
        world = Path(folder, "amiro.world")
        tree.write(world)
        heard = listen(world, options.robots, options.seconds)
    print(f"{'topic':34}{'Hz, wall':>10}{'Hz, simulated':>15}{'longest gap, s':>16}")
    for topic, messages in heard.items():
        if topic == "/clock":
            continue
        if len(messages) < 2:
            print(f"{topic:34}{'silent':>10}")
            continue
        rates = [(len(messages) - 1) / (messages[-1][i] - messages[0][i]) for i in (0, 1)]
        gap = max(b[1] - a[1] for a, b in zip(messages, messages[1:], strict=False))
        print(f"{topic:34}{rates[0]:>10.2f}{rates[1]:>15.2f}{gap:>16.3f}")
    clock, factor = heard["/clock"], "unknown"
    if len(clock) > 1:
        factor = f"{(clock[-1][1] - clock[0][1]) / (clock[-1][0] - clock[0][0]):.3f}"
    print(f"real-time factor {factor}, load average {os.getloadavg()[0]:.1f}")
    return 0


def listen(world: Path, robots: int, seconds: float) -> Heard:
    """Hear all sensors of so many robots of a world for that long."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rosgraph_msgs.msg import Clock

    from m2vae_ros.bringup.processes import Processes, environment
    from m2vae_ros.bringup.specs import gazebo_bridge
    from m2vae_ros.gazebo.server import GazeboServer
    from m2vae_ros.host.domains import own_domain
    from m2vae_ros.ros import qos
    from m2vae_ros.ros.beside import AMID_WORK
    from m2vae_ros.ros.message_types import message_class
    from m2vae_ros.ros.process import letting_go

    heard: dict[str, list[tuple[float, float]]] = {}
    with own_domain(), GazeboServer(world) as server:
        os.environ.update(environment())
        with Processes([gazebo_bridge(master=server.master_uri)]) as processes:
            rclpy.init()
            node = rclpy.create_node("gazebo_rates")
            executor = SingleThreadedExecutor()
            executor.add_node(node)

            def hear(kind: type, topic: str) -> None:
                heard[topic] = []

                def note(message: object) -> None:
                    stamp = message.clock if topic == "/clock" else message.header.stamp
                    heard[topic].append((time.monotonic(), stamp.sec + stamp.nanosec * 1e-9))

                node.create_subscription(kind, topic, note, qos.NEWEST_READING)

            for number in range(1, robots + 1):
                for sensor in AMIRO.values():
                    hear(message_class(sensor.type), f"/amiro{number}/{sensor.topic}")
            hear(Clock, "/clock")
            try:
                deadline = time.monotonic() + PATIENCE
                while not all(heard.values()):
                    executor.spin_once(timeout_sec=0.05)
                    processes.check()
                    if time.monotonic() > deadline:
                        silent = ", ".join(
                            topic for topic, messages in heard.items() if not messages
                        )
                        raise SystemExit(f"{silent}: not heard in {PATIENCE:g} s")
                for messages in heard.values():
                    messages.clear()
                deadline = time.monotonic() + seconds
                while time.monotonic() < deadline:
                    executor.spin_once(timeout_sec=0.05)
            finally:
                executor.shutdown()
                with letting_go(AMID_WORK):
                    node.destroy_node()
                    rclpy.shutdown()
    return heard


if __name__ == "__main__":
    sys.exit(main())
