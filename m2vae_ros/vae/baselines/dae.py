# SPDX-License-Identifier: Apache-2.0
"""The bimodal deep autoencoder: no probabilities, but a training set with missing modalities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import torch
from torch import Tensor

from m2vae_ros.vae.baselines.model import NetworkModel, pair_of, total, with_zeros
from m2vae_ros.vae.m2vae import M2VAEConfig, subsets
from m2vae_ros.vae.networks import GaussianHead


class BimodalDAE(NetworkModel):
    """The bimodal deep autoencoder on the augmented training set (Ngiam et al., 2011).

    The M2VAE's encoder of both modalities with a point instead of a Gaussian at its end. It is
    trained end to end with both modalities and with each alone, the other being zeros, and always
    reconstructs both; the original pre-trains its layers as restricted Boltzmann machines.

    Attributes:
        joint: the layer behind the concatenated trunks.
        code: the last layer of the encoder, to (B, D_z).
    """

    no_lower_bound = (
        "Eq. 20 samples a posterior q(z|·), and a deterministic autoencoder (Ngiam et al., 2011) "
        "has a point."
    )

    def __init__(self, config: M2VAEConfig) -> None:
        super().__init__(config, encoders=[pair_of(config, "BimodalDAE")])
        (joint,), (head,) = self.network.joints.values(), self.network.heads.values()
        assert isinstance(head, GaussianHead)
        self.joint, self.code = joint, head.mean  # a mean without a variance
        self.network.joints.clear()
        self.network.heads.clear()

    def encode(self, x: Mapping[str, Tensor]) -> NoReturn:
        """Raises NoSuchDistribution: there is a code, `embed`, and no posterior."""
        self._refuse(f"posterior of {list(x)}", self.no_lower_bound)

    def embed(self, x: Mapping[str, Tensor]) -> Tensor:
        """The code, with zeros for what ``x`` lacks: (B, D_m) -> (B, D_z).

        Raises:
            ValueError: if ``x`` is empty or names a modality the model does not have.
        """
        self._subset(x)
        whole = with_zeros(self.config, x)
        features = [self.network.trunks[m](x_m) for m, x_m in whole.items()]
        code: Tensor = self.code(self.joint(torch.cat(features, -1)))
        return code

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """The mean of log p(a, b | code) with both, a alone and b alone as the input, (B,).

        ``beta_norm`` weighs nothing here: there is no divergence.
        """
        x = self._complete(x)
        inputs = [{m: x[m] for m in subset} for subset in subsets(self.modalities)]
        return total(self.log_likelihood(x, self.embed(part)) for part in inputs) / len(inputs)
