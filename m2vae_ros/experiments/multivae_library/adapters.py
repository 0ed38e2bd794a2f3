# SPDX-License-Identifier: Apache-2.0
"""The library's models behind the interface of ours: its objective, on the M2VAE's network.

What is set for all of them, against the library's defaults: no re-weighting of the modalities, no
warm-up of the divergence, and its weight β from β_norm as everywhere here. Gaussian likelihoods
have unit variance. The library averages its losses over the batch (MMVAE sums); a bound here is
this average, once for each sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from m2vae_ros.experiments.multivae_library import library as lib
from m2vae_ros.experiments.multivae_library.mixture import Mixture
from m2vae_ros.experiments.multivae_library.wrappers import (
    Decoder,
    Encoder,
    JointEncoder,
    accept_grey_values,
)
from m2vae_ros.vae.baselines import NetworkModel, product_of_experts
from m2vae_ros.vae.baselines.model import pair_of, part_of
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig, subsets
from m2vae_ros.vae.objectives import beta_of


class _LibraryModel(NetworkModel):
    """A network, and a model of the library that computes its loss on the network's parts.

    The library's model is no sub-module: the weights are the network's, and stored once.
    """

    def __init__(self, config: M2VAEConfig, joint: bool = False) -> None:
        whole = [tuple(config.dims)] if joint else []
        super().__init__(config, [*((m,) for m in config.dims), *whole])

    @property
    def library(self) -> lib.BaseMultiVAE:
        """The library's own model."""
        return self._unregistered[0]

    def _adopt(
        self, model: type, settings: type, joint: M2VAE | None = None, **options: Any
    ) -> None:
        """Make the library's model on the network's parts, with its joint encoder from ``joint``.

        Args:
            model, settings: the library's classes of the model and of its configuration.
            joint: has the encoder of all modalities, if the model needs one.
            options: of the library's configuration.
        """
        kinds = {m: self.config.likelihoods.get(m, "gaussian") for m in self.modalities}
        made = model(
            settings(
                n_modalities=len(self.modalities),
                latent_dim=self.config.latent_dim,
                uses_likelihood_rescaling=False,
                decoders_dist={m: k.replace("gaussian", "normal") for m, k in kinds.items()},
                **options,
            ),
            encoders={m: Encoder(self.network, m) for m in self.modalities},
            decoders={m: Decoder(self.network, m) for m in self.modalities},
            **({"joint_encoder": JointEncoder(joint)} if joint else {}),
        )
        accept_grey_values(made, kinds)
        self._unregistered = (made,)  # in a tuple torch does not see it

    def _bound(self, x: Mapping[str, Tensor], **arguments: Any) -> Tensor:
        """Minus the library's loss of a batch of all modalities, a number."""
        loss: Tensor = self.library(lib.MultimodalBaseDataset(dict(x)), **arguments).loss
        return -loss

    def _beta(self, beta_norm: float) -> float:
        """β of all modalities together."""
        return beta_of(self, self.modalities, beta_norm)


class LibraryJMVAE(_LibraryModel):
    """The library's JMVAE (Suzuki et al., 2016): same objective as our `JMVAE` for two modalities.

    Its α, the weight of the divergences between posteriors, is β as in Eq. 5. Of three or more
    modalities it trains the encoders of single ones, and takes their product for what is between.
    """

    def __init__(self, config: M2VAEConfig) -> None:
        super().__init__(config, joint=True)
        self._adopt(lib.JMVAE, lib.JMVAEConfig, joint=self.network, warmup=0)

    def encode(self, x: Mapping[str, Tensor]) -> Gaussian:
        """q(z | x); of neither one nor all modalities the product of the single posteriors."""
        subset = self._subset(x)
        if len(subset) in (1, len(self.modalities)):
            return self.network.encode(x)
        return product_of_experts([self.network.encode({m: x[m]}) for m in subset])

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """Eq. 5 with the single posteriors for parts, (B,)."""
        x = self._complete(x)
        self.library.beta = self.library.alpha = self._beta(beta_norm)
        return _for_each_sample(self._bound(x), x)


class LibraryTELBO(_LibraryModel):
    """The library's TELBO, the triplet of bounds (Vedantam et al., 2018); for two modalities.

    It differs from our `TVAE`. The unimodal bounds train the unimodal encoders alone, the decoders
    follow the joint bound: the library trains the joint part first and the encoders afterwards,
    here every step does both. The joint encoder has trunks of its own. And in version 1.0.3 the
    divergence of a unimodal posterior N(μ, σ²) from the prior has the log-variance of the *joint*
    posterior in it, ½ Σ (μ² + σ² - 1 - log σ²_joint): nothing keeps σ from shrinking to zero. So it
    is compared as it is, and its Eq. 20 of one modality tells of it.
    """

    def __init__(self, config: M2VAEConfig) -> None:
        pair = pair_of(config, "TELBO")
        super().__init__(config)
        self.joint = part_of(config, [pair], [])
        self._adopt(lib.TELBO, lib.TELBOConfig, joint=self.joint, warmup=1)

    def encode(self, x: Mapping[str, Tensor]) -> Gaussian:
        """q(z | x), (B, D_z), with the errors of `NetworkModel.encode`."""
        whole = self._subset(x) == self.modalities
        return (self.joint if whole else self.network).encode(x)

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """ELBO(a, b) + ELBO(a) + ELBO(b), the last two with the divergence given above, (B,).

        The library has no β. Its weights of the likelihoods are 1/β here, and the bound is
        multiplied by β again; both unimodal ones by the mean of theirs.

        Raises:
            ValueError: if ``beta_norm`` is not positive.
        """
        x = self._complete(x)
        whole, mean = self._beta(beta_norm), self._beta(beta_norm) / len(x)
        self.library.lambda_factors = dict.fromkeys(x, _inverse(whole))
        self.library.gamma_factors = {m: _inverse(beta_of(self, (m,), beta_norm)) for m in x}
        joint = whole * self._bound(x, epoch=1)
        with _frozen(self.joint, self.network.decoders):
            single = mean * self._bound(x, epoch=2)
        return _for_each_sample(joint + single, x)


class LibraryMVAE(_LibraryModel):
    """The library's MVAE with sub-sampled training (Wu & Goodman, 2018), like our `MVAE`.

    It has one β for all subsets, here that of all modalities; ours balances every subset by its
    own dimensions.
    """

    def __init__(self, config: M2VAEConfig) -> None:
        super().__init__(config)
        self._adopt(lib.MVAE, lib.MVAEConfig, use_subsampling=True, warmup=0)

    def encode(self, x: Mapping[str, Tensor]) -> Gaussian:
        """The library's product of the experts in ``x`` and the prior, (B, D_z)."""
        inputs = lib.MultimodalBaseDataset(dict(x))
        return Gaussian(*self.library.compute_mu_log_var_subset(inputs, self._subset(x)))

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """ELBO(M) + Σ ELBO(m) over the modalities m, (B,)."""
        x = self._complete(x)
        self.library.beta = self._beta(beta_norm)
        return _for_each_sample(self._bound(x), x)


class LibraryMMVAE(_LibraryModel):
    """The library's MMVAE, a mixture of experts (Shi et al., 2019).

    Set to what the other models have: Gaussian instead of Laplace posteriors, N(0, I) for a prior
    instead of a trained one, one sample of each expert instead of ten importance-weighted ones.
    """

    def __init__(self, config: M2VAEConfig) -> None:
        super().__init__(config)
        self._adopt(
            lib.MMVAE,
            lib.MMVAEConfig,
            K=1,
            loss="iwae_looser",
            prior_and_posterior_dist="normal",
            learn_prior=False,
        )
        # constants, but of the library's model alone: named here they go where the network goes
        self.prior = nn.ParameterList([self.library.prior_mean, self.library.prior_log_var])

    def encode(self, x: Mapping[str, Tensor]) -> Mixture:
        """The mixture of the experts in ``x``, (B, D_z)."""
        return Mixture([self.network.encode({m: x[m]}) for m in self._subset(x)])

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """E_q(z|M)[log p(M|z) + β (log p(z) - log q(z|M))], one sample of each expert, (B,).

        The library's own β has no effect in version 1.0.3. Its weights of the likelihoods are 1/β
        here, and the bound is multiplied by β again.

        Raises:
            ValueError: if ``beta_norm`` is not positive.
        """
        x = self._complete(x)
        beta = self._beta(beta_norm)
        self.library.rescale_factors = dict.fromkeys(x, _inverse(beta))
        count = len(next(iter(x.values())))  # the library sums over the batch
        return _for_each_sample(beta * self._bound(x) / count, x)


class LibraryMoPoE(_LibraryModel):
    """The library's MoPoE: a mixture of products of experts, one per subset (Sutter et al., 2021).

    As in the library the prior is an expert of the product of all modalities and of no other.
    """

    def __init__(self, config: M2VAEConfig) -> None:
        super().__init__(config)
        self._adopt(lib.MoPoE, lib.MoPoEConfig)

    def encode(self, x: Mapping[str, Tensor]) -> Mixture:
        """The mixture of the products of every subset of ``x``, (B, D_z)."""
        experts = {m: self.network.encode({m: x[m]}) for m in self._subset(x)}
        return Mixture([self._product([experts[m] for m in s]) for s in subsets(tuple(experts))])

    def _product(self, experts: list[Gaussian]) -> Gaussian:
        means = torch.stack([expert.mean for expert in experts])
        log_variances = torch.stack([expert.log_variance for expert in experts])
        return Gaussian(*self.library._poe_fusion(means, log_variances))

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """E_q(z|M)[log p(M|z)] - β × the mean of the parts' KL divergences to the prior, (B,).

        Instead of drawing a part for each sample, the library cuts the batch into as many pieces.
        """
        x = self._complete(x)
        self.library.model_config.beta = self._beta(beta_norm)
        return _for_each_sample(self._bound(x), x)


@contextmanager
def _frozen(*modules: nn.Module) -> Iterator[None]:
    """Let no gradient be recorded for these modules' weights."""
    trained = [p for module in modules for p in module.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def _inverse(beta: float) -> float:
    if beta <= 0:
        raise ValueError(
            f"beta_norm: here β weighs by its inverse and must be positive, not {beta}"
        )
    return 1 / beta


def _for_each_sample(bound: Tensor, x: Mapping[str, Tensor]) -> Tensor:
    return bound.expand(len(next(iter(x.values()))))
