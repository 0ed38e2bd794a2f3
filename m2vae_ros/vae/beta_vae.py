# SPDX-License-Identifier: Apache-2.0
"""β-VAE: one modality, one posterior. The preprocessing that brings every sensor to one size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from m2vae_ros.sensors import Modality
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.likelihoods import LIKELIHOODS
from m2vae_ros.vae.networks import (
    ConvolutionalDecoder,
    ConvolutionalTrunk,
    GaussianHead,
    perceptron,
)

UNUSED = 0.1
"""Standard deviation of a code's dimension below which it tells next to nothing: the prior's is
1, and a dimension that tells nothing has none."""


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
        normalised: whether the code is brought to mean 0 and variance 1 in each dimension, see
            `BetaVAE.normalise`.
    """

    shape: tuple[int, ...]
    latent_dim: int = 10
    hidden: tuple[int, ...] = (128, 64)
    channels: tuple[int, ...] = ()
    likelihood: str = "gaussian"
    normalised: bool = False

    @classmethod
    def of(cls, modality: Modality) -> BetaVAEConfig:
        """What a suite says of a modality."""
        spec = modality.beta_vae
        return cls(
            modality.view.shape,
            spec.latent_dim,
            spec.hidden,
            spec.channels,
            normalised=spec.normalised,
        )

    def __post_init__(self) -> None:
        for name in ("shape", "hidden", "channels"):  # a card brings lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.likelihood not in LIKELIHOODS:
            raise ValueError(f"likelihood: {self.likelihood!r} is not one of {set(LIKELIHOODS)}")
        if self.channels and (len(self.hidden) != 1 or len(self.shape) < 2):
            raise ValueError("channels need one hidden layer and a shape of (C, N) or (C, H, W)")


class BetaVAE(nn.Module):
    """A variational autoencoder (Eq. 1) of one modality; its weight β is the objective's."""

    code_mean: Tensor
    code_scale: Tensor

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
        if config.normalised:
            self.register_buffer("code_mean", torch.zeros(dim))
            self.register_buffer("code_scale", torch.ones(dim))

    def encode(self, x: Tensor) -> Gaussian:
        """The posterior q(z | x): (B, *shape) -> Gaussian (B, D_z)."""
        posterior: Gaussian = self.head(self.trunk(x))
        return posterior

    def code(self, x: Tensor) -> Tensor:
        """What the fusion takes: the posterior's mean, normalised: (B, *shape) -> (B, D_z)."""
        mean = self.encode(x).mean
        return (mean - self.code_mean) / self.code_scale if self.config.normalised else mean

    def decode_code(self, code: Tensor) -> Tensor:
        """The reading that a code stands for: (B, D_z) -> (B, *shape)."""
        if self.config.normalised:
            code = code * self.code_scale + self.code_mean
        return self.decode(code)

    @torch.no_grad()
    def normalise(self, codes: Tensor) -> None:
        """Let codes like these (N, D_z), not normalised yet, have mean 0 and variance 1.

        A dimension that the β-VAE does not use hardly varies, and is left as small as it is: the
        fusion must not learn noise by heart.
        """
        if self.config.normalised:
            self.code_mean.copy_(codes.mean(0))
            self.code_scale.copy_(codes.std(0).clamp_min(UNUSED))

    def decode(self, z: Tensor) -> Tensor:
        """The reconstruction: (B, D_z) -> (B, *shape)."""
        x: Tensor = self.decoder(z)
        return x

    def reconstruction_error(self, x: Tensor, code: Tensor) -> Tensor:
        """The squared error of readings (B, *shape) that are decoded from codes (B, D_z): (B,)."""
        return (x - self.decode_code(code)).square().flatten(1).sum(1)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x | z) of (B, *shape) given (B, D_z), in nats, (B,)."""
        return LIKELIHOODS[self.config.likelihood](x, self.decode(z))
