# SPDX-License-Identifier: Apache-2.0
"""JMVAE-Zero: one encoder of everything, and zeros for what is missing."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from m2vae_ros.vae.baselines.model import NetworkModel, with_zeros
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.m2vae import M2VAEConfig
from m2vae_ros.vae.networks import GaussianHead, perceptron


class JMVAEZero(NetworkModel):
    """The joint bound alone, for any number of modalities (Suzuki et al., 2016, their JMVAE-zero).

    It has none of the M2VAE's encoders: the inputs are concatenated as they are and pass one trunk
    of the sizes ``hidden``. Training always sees all modalities; only where an embedding of fewer
    is asked for are the others zeros, which the encoder has never met.
    """

    def __init__(self, config: M2VAEConfig) -> None:
        super().__init__(config, encoders=[])
        self.encoder = nn.Sequential(
            perceptron((sum(config.dims.values()), *config.hidden)),
            GaussianHead(config.hidden[-1], config.latent_dim),
        )

    def encode(self, x: Mapping[str, Tensor]) -> Gaussian:
        """q(z | x, 0): the joint posterior with zeros for what ``x`` lacks, (B, D_z).

        Raises:
            ValueError: if ``x`` is empty or names a modality the model does not have.
        """
        self._subset(x)
        whole = torch.cat(list(with_zeros(self.config, x).values()), -1)
        posterior: Gaussian = self.encoder(whole)
        return posterior

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """Eq. 2-3: E_q(z|M)[log p(M|z)] - β KL(q(z|M) ‖ p(z)), (B,)."""
        x = self._complete(x)
        return self._elbo(x, self.encode(x), self.modalities, beta_norm)
