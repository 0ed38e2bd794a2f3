# SPDX-License-Identifier: Apache-2.0
"""The M2VAE itself, behind the interface of the models it is compared with."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from m2vae_ros.vae.baselines.model import EncoderModel
from m2vae_ros.vae.m2vae import M2VAEConfig, subsets
from m2vae_ros.vae.objectives import cross_bound


class M2VAEModel(EncoderModel):
    """The whole network under Eq. 17: it embeds every subset. ``network`` is the `M2VAE`.

    Args:
        config: the network.
        cross: weight of the cross terms, see `objectives.cross_bound`.
    """

    def __init__(self, config: M2VAEConfig, cross: float = 0.0) -> None:
        super().__init__(config, encoders=subsets(tuple(config.dims)))
        self.cross = cross

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """Eq. 17, with cross terms if there are any, see `objectives.cross_bound`."""
        x = self._complete(x)
        return cross_bound(self.network, x, self.network.posteriors(x), beta_norm, self.cross)
