# SPDX-License-Identifier: Apache-2.0
"""What a sensor would read of an object: what samples of its embedding decode to.

Of a modality that is held they all decode to what was read. Of another they decode to what it might
read, and differ where nothing is known of that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from m2vae_ros.fusion.engine import Engine, Posterior

SAMPLES = 32
"""Of an embedding; an even number."""


class Imagined(NamedTuple):
    """A reading in the shape and the values of the modality's view, float32 both.

    Attributes:
        mean: of what the samples decode to.
        spread: their standard deviation.
    """

    mean: np.ndarray
    spread: np.ndarray


def draws(posterior: Posterior, count: int, seed: int = 0) -> np.ndarray:
    """Samples of z in pairs that mirror each other at the mean: float32 (count, D_z).

    Args:
        posterior: to draw from.
        count: an even number.
        seed: the same one gives the same samples.
    """
    half = np.random.default_rng(seed).standard_normal((count // 2, len(posterior.mean)))
    steps = np.concatenate([half, -half]) * np.exp(0.5 * posterior.log_variance)
    drawn: np.ndarray = (posterior.mean + steps).astype(np.float32)
    return drawn


def imagine(
    engine: Engine, posterior: Posterior, modality: str, samples: int = SAMPLES, seed: int = 0
) -> Imagined:
    """Decode samples of an embedding.

    Args:
        engine: the model.
        posterior: of the object, an embedding for instance.
        modality: one of the model's.
        samples: to decode, an even number.
        seed: of the samples.
    """
    drawn = draws(posterior, samples, seed)
    decoded = np.stack([engine.reconstruct(modality, z) for z in drawn])
    return Imagined(decoded.mean(0), decoded.std(0))
