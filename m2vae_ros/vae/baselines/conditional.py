# SPDX-License-Identifier: Apache-2.0
"""CVAE and CMMA: one modality conditioned on the other, in one direction.

The first modality of the configuration is given, the second is generated. For the other direction,
name them the other way round; that is another model, with another latent space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from m2vae_ros.vae.baselines.model import EncoderModel, pair_of, part_of
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.m2vae import M2VAEConfig
from m2vae_ros.vae.objectives import beta_of


class _Conditional(EncoderModel):
    """Recognition q(z | a, b) and prior p(z | a): the M2VAE's encoders of (a, b) and of a."""

    def __init__(self, config: M2VAEConfig, bound: str, decoders: list[str]) -> None:
        a, b = pair_of(config, type(self).__name__)
        super().__init__(config, encoders=[(a,), (a, b)], decoders=decoders)
        self.given, self.generated = a, b
        reason = f"{bound} has q(z|{a},{b}) and p(z|{a}), and nothing that reads {b} alone."
        self.cannot = {(b,): reason}

    def _conditional_elbo(
        self, likelihood: Tensor, posterior: Gaussian, prior: Gaussian, beta_norm: float
    ) -> Tensor:
        beta = beta_of(self, (self.generated,), beta_norm)
        return likelihood - beta * posterior.kl(prior)


class CVAE(_Conditional):
    """The conditional variational autoencoder (Sohn et al., 2015): (a, z) -> b.

    The prior network shares the trunk of a with the recognition network, as in the M2VAE. The
    decoder is the M2VAE's, with the given modality as it is beside z.

    Attributes:
        generator: decodes b from z and a, concatenated.
    """

    def __init__(self, config: M2VAEConfig) -> None:
        a, b = pair_of(config, "CVAE")
        bound = f"E_q[log p({b}|{a},z)] - KL(q(z|{a},{b}) ‖ p(z|{a})) (Sohn et al., 2015)"
        super().__init__(config, bound, decoders=[])
        self.no_lower_bound = (
            f"Eq. 20 asks for p({a},{b}|z), and {bound} has p({b}|{a},z) alone: no decoder of {a}, "
            f"and none of {b} from z only."
        )
        # what the generator's M2VAE takes for its latent space is z and a
        beside = config.latent_dim + config.dims[a]
        kinds = {m: kind for m, kind in config.likelihoods.items() if m == b}
        wide = replace(config, dims={b: config.dims[b]}, latent_dim=beside, likelihoods=kinds)
        self.generator = part_of(wide, encoders=[], decoders=[b])

    def generate(self, given: Tensor, z: Tensor) -> Tensor:
        """The reconstruction of b from a, (B, D_a), and z, (B, D_z): (B, D_b)."""
        return self.generator.decode(self.generated, torch.cat([z, given], -1))

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """log p(b|a) >= E_q(z|a,b)[log p(b|a,z)] - β KL(q(z|a,b) ‖ p(z|a)), (B,)."""
        x = self._complete(x)
        a, b = self.given, self.generated
        posterior, prior = self.encode(x), self.encode({a: x[a]})
        z_and_a = torch.cat([posterior.sample(), x[a]], -1)
        likelihood = self.generator.log_likelihood({b: x[b]}, z_and_a)
        return self._conditional_elbo(likelihood, posterior, prior, beta_norm)


class CMMA(_Conditional):
    """The conditional multi-modal autoencoder (Pandey & Dukkipati, 2017): a -> z -> b."""

    def __init__(self, config: M2VAEConfig) -> None:
        a, b = pair_of(config, "CMMA")
        bound = f"E_q[log p({b}|z)] - KL(q(z|{a},{b}) ‖ p(z|{a})) (Pandey & Dukkipati, 2017)"
        super().__init__(config, bound, decoders=[b])
        self.no_lower_bound = (
            f"Eq. 20 asks for p({a},{b}|z), and {bound} has p({b}|z) alone: no decoder of {a}."
        )

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """log p(b|a) >= E_q(z|a,b)[log p(b|z)] - β KL(q(z|a,b) ‖ p(z|a)), (B,)."""
        x = self._complete(x)
        a, b = self.given, self.generated
        posterior, prior = self.encode(x), self.encode({a: x[a]})
        likelihood = self.log_likelihood({b: x[b]}, posterior.sample())
        return self._conditional_elbo(likelihood, posterior, prior, beta_norm)
