# SPDX-License-Identifier: Apache-2.0
"""Weights that no training made: small, made in a moment, and different for each seed."""

from __future__ import annotations

from pathlib import Path

import torch

from m2vae_ros.sensors import AMIRO
from m2vae_ros.vae.beta_vae import BetaVAE, BetaVAEConfig
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig
from m2vae_ros.vae.weights import Weights

SHAPES = {"camera": (3, 16, 64), "lidar": (227,), "reflectance": (8,)}


def untrained_weights(folder: Path, seed: int = 0, familiar_error: float = 1e9) -> Path:
    """A folder of weights; by default nothing surprises them."""
    torch.manual_seed(seed)
    weights = Weights(
        name="untrained",
        views={name: view.to_card() for name, view in AMIRO.views.items()},
        beta_vaes={m: BetaVAE(BetaVAEConfig(shape, 4, (8,))) for m, shape in SHAPES.items()},
        m2vae=M2VAE(M2VAEConfig(dict.fromkeys(SHAPES, 4), hidden=(16, 8), joint=8)),
        classes=tuple(AMIRO.classes),
        classifiers={"embedding": Classifier((10, 8, len(AMIRO.classes)))},
        familiar_error=dict.fromkeys(SHAPES, familiar_error),
    )
    return weights.save(folder)
