# SPDX-License-Identifier: Apache-2.0
"""The parts of an `M2VAE` in the form the library asks for."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from m2vae_ros.experiments.multivae_library.library import (
    BaseDecoder,
    BaseEncoder,
    BaseJointEncoder,
    BaseMultiVAE,
    ModelOutput,
)
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.m2vae import M2VAE


class Encoder(BaseEncoder):  # type: ignore[misc]  # multivae has no types
    """The M2VAE's encoder of one modality: (B, D_m) -> mean and log-variance (B, D_z)."""

    def __init__(self, network: M2VAE, modality: str) -> None:
        super().__init__()
        self.latent_dim = network.config.latent_dim
        self.layers = nn.Sequential(network.trunks[modality], network.heads[modality])

    def forward(self, x: Tensor) -> ModelOutput:
        """(B, D_m) -> the posterior of one modality."""
        return _output(self.layers(x))


class JointEncoder(BaseJointEncoder):  # type: ignore[misc]  # multivae has no types
    """The M2VAE's encoder of all modalities: modality -> (B, D_m), to mean and log-variance."""

    def __init__(self, network: M2VAE) -> None:
        super().__init__()
        self.latent_dim = network.config.latent_dim
        self.network = network

    def forward(self, x: Mapping[str, Tensor]) -> ModelOutput:
        """Modality -> (B, D_m); the joint posterior."""
        return _output(self.network.encode(x))


class Decoder(BaseDecoder):  # type: ignore[misc]  # multivae has no types
    """The M2VAE's decoder of one modality, (B, D_z) -> (B, D_m): logits if it is Bernoulli."""

    def __init__(self, network: M2VAE, modality: str) -> None:
        super().__init__()
        decoder = network.decoders[modality]
        assert isinstance(decoder, nn.Sequential)
        self.layers = decoder[:-1]  # all but the squashing

    def forward(self, z: Tensor) -> ModelOutput:
        """(B, D_z) -> the reconstruction of one modality."""
        return ModelOutput(reconstruction=self.layers(z))


def accept_grey_values(library: BaseMultiVAE, kinds: Mapping[str, str]) -> None:
    """Let the library's Bernoulli likelihoods take values between 0 and 1, as ours do.

    For 0 and 1 nothing changes; the library's own refuse all other values.

    Args:
        library: the library's model, changed in place.
        kinds: modality -> "gaussian" or "bernoulli".
    """
    for modality, kind in kinds.items():
        if kind == "bernoulli":
            library.recon_log_probs[modality] = _cross_entropy


def _cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    target = x.expand_as(logits)  # the library may decode several samples per observation
    return -F.binary_cross_entropy_with_logits(logits, target, reduction="none")


def _output(posterior: Gaussian) -> ModelOutput:
    return ModelOutput(embedding=posterior.mean, log_covariance=posterior.log_variance)
