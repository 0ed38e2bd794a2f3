# SPDX-License-Identifier: Apache-2.0
"""What the running system asks of a trained model, whatever computes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from numpy import ndarray

from m2vae_ros.sensors import View


class Posterior(Protocol):
    """A diagonal Gaussian q(z|m) over the latent space.

    Attributes:
        mean: float32 (D_z,).
        log_variance: float32 (D_z,), the natural logarithm of the variance.
    """

    mean: ndarray
    log_variance: ndarray


class Engine(Protocol):
    """A trained system that serves one observation at a time, in numpy float32.

    A reading goes view → `observe` → code (D_m,) → `encode` → posterior over z (D_z,).
    `m2vae_ros.vae.in_place.fuse_in_place` and `merge` work on any engine.

    Attributes:
        fingerprint: names the latent space; embeddings of another one mean nothing here.
        modalities: those of the model, in its order.
        latent_dim: D_z.
        classes: names of the classes, in the order of `classify`.
        views: modality -> what turns a raw reading into the array that `observe` takes.
    """

    fingerprint: str
    modalities: tuple[str, ...]
    latent_dim: int
    classes: tuple[str, ...]
    views: Mapping[str, View]

    def observe(self, modality: str, observation: ndarray) -> ndarray:
        """The β-VAE's code (D_m,) of an observation in the shape of the modality's view."""
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
        """The probability of each class (len(classes),) given the embedding's mean (D_z,)."""
        ...

    def surprise(self, modality: str, observation: ndarray) -> float:
        """How unlike the training data an observation is.

        Returns:
            The β-VAE's reconstruction error relative to the error that 99.9 % of the training
            observations stay below: above 1 the model has seen nothing like it.
        """
        ...
