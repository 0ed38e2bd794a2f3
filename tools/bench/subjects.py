# SPDX-License-Identifier: Apache-2.0
"""What is measured: the shipped weights, and one reading of each sensor of theirs."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from sensor_msgs.msg import LaserScan

from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.fusion.torch_engine import TorchEngine
from m2vae_ros.host.resources import resource
from m2vae_ros.ros.images import image_message

torch.set_num_threads(1)  # as in the nodes


@cache
def node_engine() -> OnnxEngine:
    """What the nodes run."""
    return OnnxEngine.load(resource("models/amiro"))


@cache
def torch_engine() -> TorchEngine:
    """The same in torch, layer by layer."""
    return TorchEngine.load(resource("models/amiro"))


@cache
def readings() -> dict[str, Any]:
    """Modality -> a message of its sensor; a camera's is 640×480."""
    random = np.random.default_rng(0)
    ranges = random.uniform(0.3, 2.0, 683).astype(np.float32).tolist()
    return {
        "camera": image_message(random.integers(0, 256, (480, 640, 3), dtype=np.uint8)),
        "lidar": LaserScan(
            angle_min=-2.0943951, angle_increment=4.1887902 / 682, range_max=5.0, ranges=ranges
        ),
        "reflectance": LaserScan(
            range_max=0.35, intensities=random.uniform(0, 1, 8).astype(np.float32).tolist()
        ),
    }


@cache
def views() -> dict[str, np.ndarray]:
    """Modality -> what the model takes of its reading."""
    suite = node_engine().suite
    return {name: suite[name].view.read(reading) for name, reading in readings().items()}


@cache
def codes() -> dict[str, np.ndarray]:
    """Modality -> the code of its reading."""
    return {name: node_engine().encode_modality(name, view).code for name, view in views().items()}
