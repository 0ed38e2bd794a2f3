#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much of what a team publishes does `m2vae record` lose?

    ./run python tools/recording_load.py --seconds 20

Three processes publish what three robots do: a 640×480 rgb8 image and a scan ten times a second,
reflectance and odometry twenty times a second, all as the simulator does. The recording is read
with PyPI's mcap, and every message published is looked for, by its checksum.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rclpy.node import Node

PUBLISHED_WITHIN = 60.0
"""Seconds a publisher waits for the recorder, on a busy machine."""


def main() -> int:
    """Run the load, or one of its publishers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="default: %(default)s")
    parser.add_argument("--robots", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--options", default="", help='of m2vae record, e.g. "--split 100MB"')
    parser.add_argument("--json", type=Path, help="write the counts there")
    parser.add_argument("--publish", metavar="ROBOT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        print(json.dumps(publish(options.publish, options.seconds)))
        return 0
    counts = load(options.seconds, options.robots, options.options.split())
    print(f"{'topic':34}{'published':>10}{'in the bag':>11}{'equal':>7}")
    for topic, count in counts.items():
        print(f"{topic:34}{count['published']:>10}{count['recorded']:>11}{count['equal']:>7}")
    if options.json:
        options.json.write_text(json.dumps(counts))
    return 0


def load(seconds: float, robots: int, recording: list[str]) -> dict[str, dict[str, int]]:
    """Topic -> messages published, recorded, and recorded with the very bytes published."""
    from m2vae_ros.host.domains import own_domain

    with tempfile.TemporaryDirectory() as folder, own_domain():
        bag = Path(folder) / "bag"
        record = [sys.executable, "-m", "m2vae_ros.cli", "record", str(bag), *recording]
        recorder = subprocess.Popen(record, stdout=subprocess.DEVNULL)
        publishers = [
            subprocess.Popen(
                [sys.executable, __file__, "--publish", f"amiro{i}", "--seconds", str(seconds)],
                stdout=subprocess.PIPE,
            )
            for i in range(1, robots + 1)
        ]
        published: dict[str, list[int]] = {}
        for publisher in publishers:
            published |= json.loads(publisher.communicate()[0])
        recorder.send_signal(signal.SIGINT)
        recorder.wait()
        return compare(published, checksums(bag))


def compare(
    published: dict[str, list[int]], recorded: dict[str, list[int]]
) -> dict[str, dict[str, int]]:
    """Count what was published, what is recorded, and what is both."""
    return {
        topic: {
            "published": len(sums),
            "recorded": len(recorded.get(topic, [])),
            "equal": (Counter(sums) & Counter(recorded.get(topic, []))).total(),
        }
        for topic, sums in sorted(published.items())
    }


def checksums(bag: Path) -> dict[str, list[int]]:
    """Topic -> checksum of each message of a bag, read without rosbags."""
    from mcap.reader import make_reader

    found: dict[str, list[int]] = {}
    for path in sorted(bag.glob("*.mcap")):
        with path.open("rb") as file:
            for _, channel, message in make_reader(file).iter_messages():
                found.setdefault(channel.topic, []).append(zlib.crc32(message.data))
    return found


def publish(robot: str, seconds: float) -> dict[str, list[int]]:
    """Publish as a robot does; topic -> checksum of each message."""
    from rclpy.node import Node

    from m2vae_ros.ros.beside import node_beside

    with node_beside(lambda context: Node("load", namespace=f"/{robot}", context=context)) as (
        node,
        _,
    ):
        return publish_by(node, robot, seconds)


def publish_by(node: Node, robot: str, seconds: float) -> dict[str, list[int]]:
    """Publish by this node."""
    from rclpy.serialization import serialize_message

    from m2vae_ros.ros import qos

    streams = []
    for topic, period, make in messages():
        message = make()
        profile = qos.STATE if topic == "odom" else qos.NEWEST_READING
        publisher = node.create_publisher(type(message), topic, profile)
        streams.append((f"/{robot}/{topic}", period, message, publisher))
    deadline = time.monotonic() + PUBLISHED_WITHIN
    while not all(p.get_subscription_count() for *_, p in streams):
        if time.monotonic() > deadline:
            raise SystemExit("nobody records")
        time.sleep(0.05)
    time.sleep(1.0)  # the other side has to know of the match, too
    sums: dict[str, list[int]] = {topic: [] for topic, *_ in streams}
    begin = time.monotonic()
    due = [0.0] * len(streams)
    while (now := time.monotonic() - begin) < seconds:
        for index, (topic, period, message, publisher) in enumerate(streams):
            if now < due[index]:
                continue
            due[index] += period
            message.header.stamp = node.get_clock().now().to_msg()
            data = serialize_message(message)
            publisher.publish(data)
            sums[topic].append(zlib.crc32(data))
        time.sleep(max(0.0, min(due) - (time.monotonic() - begin)))
    time.sleep(2.0)  # the last ones are still on their way
    return sums


def messages() -> list[tuple[str, float, Callable[[], Any]]]:
    """Topic, seconds between two messages, and a message, of everything that a robot publishes."""
    import numpy as np
    from nav_msgs.msg import Odometry
    from sensor_msgs.msg import LaserScan

    from m2vae_ros.ros.images import image_message

    noise = np.random.default_rng(0)
    return [
        (
            "front_camera/image_raw",
            0.1,
            lambda: image_message(noise.integers(0, 255, (480, 640, 3), np.uint8)),
        ),
        ("laser_scan", 0.1, lambda: LaserScan(ranges=noise.random(683).tolist())),
        ("reflectance", 0.05, lambda: LaserScan(intensities=noise.random(8).tolist())),
        ("odom", 0.05, Odometry),
    ]


if __name__ == "__main__":
    sys.exit(main())
