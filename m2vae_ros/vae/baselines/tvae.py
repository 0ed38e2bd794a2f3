# SPDX-License-Identifier: Apache-2.0
"""tVAE: the triplet of evidence lower bounds."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from m2vae_ros.vae.baselines.model import EncoderModel, pair_of, total
from m2vae_ros.vae.m2vae import M2VAEConfig, subsets


class TVAE(EncoderModel):
    """The M2VAE's network under the triplet of bounds (Vedantam et al., 2018).

    Unlike in Eq. 17, nothing draws the three posteriors together but the shared decoders and the
    prior. All networks are trained at once and every likelihood counts 1; the original has
    weights to balance an image with a few attributes.
    """

    def __init__(self, config: M2VAEConfig) -> None:
        super().__init__(config, encoders=subsets(pair_of(config, "TVAE")))

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """ELBO(a) + ELBO(b) + ELBO(a, b): Eq. 1, twice, and Eq. 2-3, (B,)."""
        posteriors = self.network.posteriors(self._complete(x))
        return total(self._elbo(x, q, subset, beta_norm) for subset, q in posteriors.items())
