# SPDX-License-Identifier: Apache-2.0
"""BiVCCA: two inference networks, each of which explains both modalities."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from m2vae_ros.vae.baselines.model import EncoderModel, pair_of, total
from m2vae_ros.vae.m2vae import M2VAEConfig


class BiVCCA(EncoderModel):
    """Bi-directional variational canonical correlation analysis (Wang et al., 2016).

    Without their private latent variables: one z shared by both, as the paper describes it.
    """

    def __init__(self, config: M2VAEConfig) -> None:
        a, b = pair_of(config, "BiVCCA")
        super().__init__(config, encoders=[(a,), (b,)])
        reason = (
            f"½ E_q(z|{a})[…] + ½ E_q(z|{b})[…] (Wang et al., 2016) has a posterior of {a} and one "
            f"of {b}, and none of both."
        )
        self.cannot = {(a, b): reason}

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """½ Σ over m of E_q(z|m)[log p(a|z) + log p(b|z)] - β KL(q(z|m) ‖ p(z)), (B,)."""
        x = self._complete(x)
        each = [self._elbo(x, self.encode({m: x[m]}), self.modalities, beta_norm) for m in x]
        return total(each) / 2
