# SPDX-License-Identifier: Apache-2.0
"""A conditional VAE: given the class, its latent space holds only what varies within it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.likelihoods import bernoulli
from m2vae_ros.vae.networks import GaussianHead, perceptron


@dataclass(frozen=True)
class ConditionalVAEConfig:
    """The architecture of a conditional VAE.

    Attributes:
        dim: D_m, the length of one observation, values in [0, 1].
        classes: how many there are.
        latent_dim: D_z.
        hidden: sizes of the encoder's layers; the decoder mirrors them.
    """

    dim: int = 784
    classes: int = 10
    latent_dim: int = 2
    hidden: tuple[int, ...] = (256, 128)


class ConditionalVAE(nn.Module):
    """A variational autoencoder (Eq. 1) given the class (Sohn et al., NIPS 2015).

    The class enters encoder and decoder as a one-hot vector beside their input.
    """

    def __init__(self, config: ConditionalVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = perceptron((config.dim + config.classes, *config.hidden))
        self.head = GaussianHead(config.hidden[-1], config.latent_dim)
        self.decoder = nn.Sequential(
            perceptron((config.latent_dim + config.classes, *reversed(config.hidden))),
            nn.Linear(config.hidden[0], config.dim),
            nn.Sigmoid(),
        )

    def encode(self, x: Tensor, labels: Tensor) -> Gaussian:
        """The posterior q(z | x, class): (B, D_m) and int64 (B,) -> Gaussian (B, D_z)."""
        posterior: Gaussian = self.head(self.trunk(self._with_class(x, labels)))
        return posterior

    def decode(self, z: Tensor, labels: Tensor) -> Tensor:
        """The reconstruction: (B, D_z) and int64 (B,) -> (B, D_m), in [0, 1]."""
        x: Tensor = self.decoder(self._with_class(z, labels))
        return x

    def log_likelihood(self, x: Tensor, z: Tensor, labels: Tensor) -> Tensor:
        """log p(x | z, class) of (B, D_m) given (B, D_z) and int64 (B,), in nats, (B,)."""
        return bernoulli(x, self.decode(z, labels))

    def _with_class(self, values: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([values, F.one_hot(labels, self.config.classes).to(values)], dim=1)
