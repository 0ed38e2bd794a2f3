# SPDX-License-Identifier: Apache-2.0
"""What a robot's work on one message costs, as ratios within this one run.

Machines differ and are noisy, so nothing here is a bound that a test checks: everything is told in
units of one in-place fusion step (Eq. 18: decode one held modality, encode the union of two).
"""

from __future__ import annotations

import itertools
import timeit
from typing import Any

import numpy as np
import torch
from rclpy.serialization import serialize_message
from rich.console import Console
from rich.table import Table

from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.fusion.torch_engine import TorchEngine
from m2vae_ros.host.resources import resource
from m2vae_ros.ros.messages import embedding, embedding_message
from m2vae_ros.vae.in_place import fuse_in_place, unfold


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)  # as the nodes do
    engine = TorchEngine.load(resource("models/amiro"))
    random = np.random.default_rng(0)
    readings = {
        "camera": (random.integers(0, 256, (480, 640, 3), dtype=np.uint8),),
        "lidar": (random.uniform(0.3, 2.0, 683), -2.0943951, 4.1887902 / 682),
        "reflectance": (random.uniform(0.0, 1.0, 8),),
    }
    sense: Any = engine.suite.views  # called with readings, each as its view takes them
    views = {m: sense[m](*reading) for m, reading in readings.items()}
    codes = {m: engine.encode_modality(m, view).code for m, view in views.items()}
    mean = engine.encode({"camera": codes["camera"]}).mean

    memory = ObjectMemory(engine, "robot", 0.3)
    held = memory.observe("it", (0.0, 0.0, 0.0), codes, dict.fromkeys(codes, 1)).embedding
    message = embedding_message(held)
    other = ObjectMemory(engine, "other", 0.3)
    other.receive(held, 2)
    again, clock = memory, itertools.count(2)

    steps = {
        "in-place fusion of one modality": lambda: fuse_in_place(
            engine, mean, ["camera"], {"lidar": codes["lidar"]}
        ),
        "unfolding an embedding of three modalities": lambda: unfold(
            engine, held.mean, engine.modalities
        ),
        "a further look that tells nothing new": lambda: again.observe(
            "it", (0.0, 0.0, 0.0), {"camera": codes["camera"]}, {"camera": next(clock)}
        ),
        "joint encoding of three modalities": lambda: engine.encode(codes),
        "classification": lambda: engine.classify(mean),
        "camera: 640×480 image → view": lambda: sense["camera"](*readings["camera"]),
        "camera: view → code": lambda: engine.encode_modality("camera", views["camera"]),
        "LiDAR: scan → view": lambda: sense["lidar"](*readings["lidar"]),
        "LiDAR: view → code": lambda: engine.encode_modality("lidar", views["lidar"]),
        "reflectance: view → code": lambda: engine.encode_modality(
            "reflectance", views["reflectance"]
        ),
        "message → embedding → memory (known)": lambda: other.receive(embedding(message), 2),
        "embedding → message → bytes": lambda: serialize_message(embedding_message(held)),
    }
    seconds = {name: _seconds(step) for name, step in steps.items()}
    unit = next(iter(seconds.values()))
    table = Table(title="cost of one step, in units of one in-place fusion")
    table.add_column("step")
    table.add_column("ratio", justify="right")
    for name, duration in seconds.items():
        table.add_row(name, f"{duration / unit:.2f}")
    console = Console()
    console.print(table)
    console.print(
        f"one embedding of three modalities: {len(serialize_message(message))} bytes; "
        f"one 640×480 image: {readings['camera'][0].size} bytes"
    )


def _seconds(step) -> float:
    """The best of several rounds: what the machine does beside only makes it slower."""
    step()
    timer = timeit.Timer(step)
    count = max(1, timer.autorange()[0] // 4)
    return min(timer.repeat(7, count)) / count


if __name__ == "__main__":
    main()
