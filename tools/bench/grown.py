# SPDX-License-Identifier: Apache-2.0
"""Suites and weights of any size: untrained, since what they compute takes as long."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.weights import Weights, networks

CODE = 10
"""D_m of every modality, as of the AMiRo's."""


def suite(modalities: int, latent_dim: int) -> SensorSuite:
    """Of so many vectors of ten numbers; the fusion's other sizes are the AMiRo's."""
    one = {
        "type": "sensor_msgs/msg/JointState",
        "view": {"kind": "vector", "fields": ["position"], "size": CODE},
        "beta_vae": {"latent_dim": CODE, "hidden": [32]},
    }
    return SensorSuite.from_plain(
        {
            "name": "grown",
            "about": "robot",
            "classes": [f"class {index}" for index in range(8)],
            "modalities": {f"m{i}": {**one, "topic": f"m{i}"} for i in range(modalities)},
            "fusion": {"latent_dim": latent_dim, "hidden": [128, 64]},
        }
    )


def engine(modalities: int, latent_dim: int) -> OnnxEngine:
    """The nodes' engine of such weights."""
    of = suite(modalities, latent_dim)
    torch.manual_seed(0)
    beta_vaes, m2vae = networks(of)
    for network in (m2vae, *beta_vaes.values()):
        network.eval()
    classifier = Classifier((latent_dim, 32, len(of.classes)))
    familiar = dict.fromkeys(of, 1.0)
    weights = Weights("grown", of, beta_vaes, m2vae, {"embedding": classifier}, familiar)
    with tempfile.TemporaryDirectory() as folder:
        return OnnxEngine.load(weights.save(Path(folder) / "grown"))


def code(seed: int) -> np.ndarray:
    """One observation's code."""
    return np.random.default_rng(seed).standard_normal(CODE, dtype=np.float32)
