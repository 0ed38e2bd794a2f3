# SPDX-License-Identifier: Apache-2.0
"""Weights that no training made: small, made in a moment, and different for each seed."""

from __future__ import annotations

from pathlib import Path

import torch

from m2vae_ros.sensors import SensorSuite
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.weights import Weights, networks
from m2vae_ros.world.suite import AMIRO


def small(suite: SensorSuite = AMIRO) -> SensorSuite:
    """The same suite with tiny networks."""
    plain = suite.to_plain()
    for modality in plain["modalities"].values():
        modality["beta_vae"] |= {"latent_dim": 4, "hidden": [8], "channels": []}
    plain["fusion"] |= {"hidden": [16, 8], "joint": 8}
    return SensorSuite.from_plain(plain)


def random_weights(suite: SensorSuite, seed: int = 0, familiar_error: float = 1e9) -> Weights:
    """Weights of a suite; by default nothing surprises them."""
    torch.manual_seed(seed)
    beta_vaes, m2vae = networks(suite)
    for module in (m2vae, *beta_vaes.values()):
        module.eval()
    classifiers = {}
    if suite.classes:
        sizes = (suite.fusion.latent_dim, 8, len(suite.classes))
        classifiers["embedding"] = Classifier(sizes)
    return Weights(
        "untrained", suite, beta_vaes, m2vae, classifiers, dict.fromkeys(suite, familiar_error)
    )


def untrained_weights(folder: Path, seed: int = 0, familiar_error: float = 1e9) -> Path:
    """A folder of weights of the AMiRo's suite."""
    return random_weights(small(), seed, familiar_error).save(folder)
