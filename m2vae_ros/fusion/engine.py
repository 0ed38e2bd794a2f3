# SPDX-License-Identifier: Apache-2.0
"""What the running system asks of a trained model, whatever computes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from numpy import ndarray

from m2vae_ros.sensors import SensorSuite

FAMILIAR = 1.0
"""Largest surprise at a reading of something known."""


class Posterior(Protocol):
    """A diagonal Gaussian q(z|m) over the latent space; an `Embedding` is one, too."""

    @property
    def mean(self) -> ndarray:
        """Of z: float32 (D_z,)."""
        ...

    @property
    def log_variance(self) -> ndarray:
        """The natural logarithm of the variance of z: float32 (D_z,)."""
        ...


class Encoding(NamedTuple):
    """What one pass of a β-VAE makes of an observation.

    Attributes:
        code: float32 (D_m,).
        surprise: how unlike what is known the observation is: 0 is usual, and what is known has at
            most `FAMILIAR`, see `m2vae_ros.vae.novelty`. Where that was not fitted
            (`Engine.tells_unknown`) its reconstruction error relative to the error that 99.9 % of
            the training observations stay below.
    """

    code: ndarray
    surprise: float


class Engine(Protocol):
    """A trained system that serves one observation at a time, in numpy float32.

    A reading goes view → `encode_modality` → code (D_m,) → `encode` → posterior over z (D_z,).
    `m2vae_ros.vae.in_place.fuse_in_place` and `merge` work on any engine.

    Attributes:
        fingerprint: names the latent space; embeddings of another one mean nothing here.
        modalities: those of the model, in its order.
        latent_dim: D_z.
        suite: what the sensors are: views, ranges and classes, in the order of `classify`.
        tells_unknown: whether a larger surprise than `FAMILIAR` means that a thing is unknown.
    """

    fingerprint: str
    modalities: tuple[str, ...]
    latent_dim: int
    suite: SensorSuite
    tells_unknown: bool

    def encode_modality(self, modality: str, observation: ndarray) -> Encoding:
        """The β-VAE's code of an observation in the shape of the modality's view."""
        ...

    def encode(self, codes: Mapping[str, ndarray]) -> Posterior:
        """The posterior q(z | codes) of a non-empty set of modalities -> code (D_m,)."""
        ...

    def decode(self, modality: str, mean: ndarray) -> ndarray:
        """The code (D_m,) that the embedding's mean (D_z,) says the modality has."""
        ...

    def reconstruct(self, modality: str, mean: ndarray) -> ndarray:
        """What the sensor would see, in the shape and unit of the modality's view."""
        ...

    def classify(self, mean: ndarray) -> ndarray:
        """The probability of each class of the suite, given the embedding's mean (D_z,)."""
        ...
