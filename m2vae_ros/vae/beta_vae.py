# SPDX-License-Identifier: Apache-2.0
"""β-VAE: one modality, one posterior. The preprocessing that brings every sensor to one size."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.likelihoods import LIKELIHOODS
from m2vae_ros.vae.networks import (
    ConvolutionalDecoder,
    ConvolutionalTrunk,
    GaussianHead,
    perceptron,
)


@dataclass(frozen=True)
class BetaVAEConfig:
    """The architecture of a β-VAE, as a card holds it.

    Attributes:
        shape: of one observation: (D,), or (C, N) or (C, H, W) where there are channels.
        latent_dim: D_z, the length of the code.
        hidden: sizes of the encoder's dense layers; the decoder mirrors them. With channels, the
            convolutions come first and ``hidden`` holds the one dense layer behind them.
        channels: of the strided convolutions, () for a plain perceptron.
        likelihood: "bernoulli" for values in [0, 1], "gaussian" (unit variance) for any.
    """

    shape: tuple[int, ...]
    latent_dim: int = 10
    hidden: tuple[int, ...] = (128, 64)
    channels: tuple[int, ...] = ()
    likelihood: str = "gaussian"

    def __post_init__(self) -> None:
        for name in ("shape", "hidden", "channels"):  # a card brings lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.likelihood not in LIKELIHOODS:
            raise ValueError(f"likelihood: {self.likelihood!r} is not one of {set(LIKELIHOODS)}")
        if self.channels and (len(self.hidden) != 1 or len(self.shape) < 2):
            raise ValueError("channels need one hidden layer and a shape of (C, N) or (C, H, W)")


class BetaVAE(nn.Module):
    """A variational autoencoder (Eq. 1) of one modality; its weight β is the objective's."""

    def __init__(self, config: BetaVAEConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.latent_dim
        if config.channels:
            (features,) = config.hidden
            self.trunk: nn.Module = ConvolutionalTrunk(config.shape, config.channels, features)
            decoder: nn.Module = ConvolutionalDecoder(dim, features, config.channels, config.shape)
        else:
            features = config.hidden[-1]
            flat = math.prod(config.shape)
            self.trunk = nn.Sequential(nn.Flatten(), perceptron((flat, *config.hidden)))
            decoder = nn.Sequential(
                perceptron((dim, *reversed(config.hidden))),
                nn.Linear(config.hidden[0], flat),
                nn.Unflatten(1, config.shape),
            )
        self.head = GaussianHead(features, dim)
        squash = nn.Sigmoid() if config.likelihood == "bernoulli" else nn.Identity()
        self.decoder = nn.Sequential(decoder, squash)

    def encode(self, x: Tensor) -> Gaussian:
        """The posterior q(z | x): (B, *shape) -> Gaussian (B, D_z)."""
        posterior: Gaussian = self.head(self.trunk(x))
        return posterior

    def decode(self, z: Tensor) -> Tensor:
        """The reconstruction: (B, D_z) -> (B, *shape)."""
        x: Tensor = self.decoder(z)
        return x

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x | z) of (B, *shape) given (B, D_z), in nats, (B,)."""
        return LIKELIHOODS[self.config.likelihood](x, self.decode(z))
