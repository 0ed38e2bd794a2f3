# SPDX-License-Identifier: Apache-2.0
"""MVAE: one expert per modality, and their product for every subset."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from m2vae_ros.vae.baselines.experts import prior_like, product_of_experts
from m2vae_ros.vae.baselines.model import NetworkModel, total
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.m2vae import M2VAEConfig


class MVAE(NetworkModel):
    """The product of experts with sub-sampled training (Wu & Goodman, 2018).

    The heads are the experts q~(z|m); the posterior of any subset is the product of its experts and
    the prior, q(z|S) ∝ p(z) Π q~(z|m). Of more than two modalities, training takes the whole and
    each alone, without the original's further random subsets.
    """

    def __init__(self, config: M2VAEConfig) -> None:
        super().__init__(config, encoders=[(m,) for m in config.dims])

    def encode(self, x: Mapping[str, Tensor]) -> Gaussian:
        """q(z|S) ∝ p(z) Π q~(z|m) over the modalities m in ``x``, (B, D_z).

        Raises:
            ValueError: if ``x`` is empty or names a modality the model does not have.
        """
        experts = [self.network.encode({m: x[m]}) for m in self._subset(x)]
        return product_of_experts([prior_like(experts[0]), *experts])

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """ELBO(M) + Σ ELBO(m) over the modalities m: Eq. 2-3 and Eq. 1 each, (B,)."""
        x = self._complete(x)
        parts = [(m,) for m in x] + [self.modalities]
        posteriors = [self.encode({m: x[m] for m in part}) for part in parts]
        terms = zip(posteriors, parts, strict=True)
        return total(self._elbo(x, posterior, part, beta_norm) for posterior, part in terms)
