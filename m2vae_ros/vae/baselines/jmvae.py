# SPDX-License-Identifier: Apache-2.0
"""JMVAE: smaller encoders that follow the joint one, and reconstruct nothing themselves."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from m2vae_ros.vae.baselines.model import EncoderModel
from m2vae_ros.vae.m2vae import M2VAEConfig, one_smaller, subsets
from m2vae_ros.vae.objectives import beta_of, variation_of_information_elbo


class JMVAE(EncoderModel):
    """The bound from the variation of information (Suzuki et al., 2016, their JMVAE-kl).

    For two modalities its network is the M2VAE's. With more, Eq. 5 speaks of the whole and of the
    subsets that lack one modality; smaller ones have no encoder. The paper weighs the divergences
    between posteriors with 1, where Suzuki et al. have a factor α.
    """

    def __init__(self, config: M2VAEConfig) -> None:
        whole = tuple(config.dims)
        self._trained = [*one_smaller(whole), whole]
        super().__init__(config, encoders=self._trained)
        self.cannot = {
            subset: "Eq. 5 trains the encoders of all modalities and of all but one, no smaller."
            for subset in subsets(whole)
            if len(subset) < len(whole) - 1
        }

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """Eq. 5: Eq. 2-3 minus β Σ KL(q(z|M) ‖ q(z|S)) over the subsets S one smaller, (B,)."""
        x = self._complete(x)
        *parts, posterior = self.network.posteriors(x, self._trained).values()
        z = posterior.sample()
        return variation_of_information_elbo(
            [self.log_likelihood(x, z)],
            posterior,
            parts,
            beta_of(self, self.modalities, beta_norm),
        )
