# SPDX-License-Identifier: Apache-2.0
"""From a sensor's message to its code, and a whole look through a robot's perception."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import numpy as np
from rclpy.serialization import deserialize_message, serialize_message

from m2vae_ros.fusion.engine import Engine
from m2vae_ros.robot.perception import Perception, Settings, Target
from m2vae_ros.sensors.messages import NANOSECONDS, Motion
from tools.bench.figures import Measured
from tools.bench.subjects import node_engine, readings, torch_engine
from tools.bench.timing import Step, compare


def measure() -> Measured:
    """See the module's text."""
    steps: dict[str, dict[str, Step]] = {}
    for name, message in readings().items():
        steps[f"{name}: message → view → code"] = {
            "view, engine of the nodes": _coded(node_engine(), name, message),
            "view, eager torch": _coded(torch_engine(), name, message),
        }
    image = readings()["camera"]
    view = node_engine().suite["camera"].view
    steps["camera: message → view"] = {
        "the band alone": lambda: view.read(image),
        "the whole frame, then the band": lambda: _whole_frame(image, view.shape),
    }
    raw = serialize_message(image)
    steps["camera: bytes → message"] = {
        "rclpy": lambda: deserialize_message(raw, type(image)),
        "a copy of the bytes": lambda: bytearray(raw),
    }
    steps["a look: camera reading, odometry, fused, classified"] = {
        "engine of the nodes": _looking(node_engine()),
        "eager torch": _looking(torch_engine()),
        "its encoding and fusion alone": _bare_look(node_engine()),
    }
    return compare(steps)


def _coded(engine: Engine, name: str, message: object) -> Step:
    view = engine.suite[name].view
    return lambda: engine.encode_modality(name, view.read(message))


def _whole_frame(message: object, shape: tuple[int, ...]) -> np.ndarray:
    """The straightforward way: every pixel is a float, rows and columns are averaged."""
    channels, rows, columns = shape
    pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, channels)
    whole = pixels.astype(np.float32).transpose(2, 0, 1) / 255.0
    tall = 3 * rows  # the band is a third of the picture
    blocks = whole.reshape(channels, tall, message.height // tall, columns, -1)
    return blocks.mean((2, 4))[:, rows : 2 * rows]


def _bare_look(engine: Engine) -> Step:
    image = node_engine().suite["camera"].view.read(readings()["camera"])

    def look() -> None:
        code = engine.encode_modality("camera", image).code
        engine.classify(engine.encode({"camera": code}).mean)

    return look


def _looking(engine: Engine) -> Step:
    """Each look is at an object of which a robot holds one of the same sensor."""
    image = engine.suite["camera"].view.read(readings()["camera"])
    ranges = {"camera": engine.suite["camera"].range}
    near = engine.suite["camera"].range
    place = Target("it", ((near.min_distance + near.max_distance) / 2, 0.0, 0.0))
    settings = Settings(ranges, places=[place], max_surprise=np.inf, min_gain=0.0)
    robot = Perception(engine, "robot", settings)
    clock: Callable[[], int] = count(NANOSECONDS, NANOSECONDS // 10).__next__

    def look() -> None:
        stamp = clock()
        robot.move(Motion(0.0, 0.0, 0.0, 0.0, 0.0, stamp - 1_000_000), stamp)
        robot.sense("camera", image, stamp, stamp)
        robot.move(Motion(0.0, 0.0, 0.0, 0.0, 0.0, stamp + 1_000_000), stamp + 1_000_000)
        (event,) = robot.update(stamp + 2_000_000)
        assert event.kind in ("fused", "confirmed"), event

    return look
