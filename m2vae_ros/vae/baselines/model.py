# SPDX-License-Identifier: Apache-2.0
"""The interface all compared models have, and what they share: parts of the M2VAE's network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn, Protocol, cast

from torch import Tensor, nn

from m2vae_ros.vae.gaussian import Gaussian, Posterior
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig, Subset, _key
from m2vae_ros.vae.objectives import beta_of, elbo


class NoSuchDistribution(ValueError):
    """The model has, by construction, no such posterior or likelihood; the message says why."""


class MultiModalModel(Protocol):
    """What an experiment needs of a model. ``x`` maps modalities to batches (B, D_m).

    Attributes:
        config: the architecture, the same for all models.
        cannot: each subset the model cannot embed, and why not, in one sentence.
        no_lower_bound: why Eq. 20 is undefined for every subset, in one sentence; None if it is
            defined for all that can be embedded.
    """

    config: M2VAEConfig
    cannot: Mapping[Subset, str]
    no_lower_bound: str | None

    @property
    def modalities(self) -> Subset:
        """The names of all modalities, in the model's order."""

    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """The model's own objective on all modalities, to be maximised, in nats, (B,)."""

    def encode(self, x: Mapping[str, Tensor]) -> Posterior:
        """The posterior q(z | x), (B, D_z). Raises NoSuchDistribution."""

    def embed(self, x: Mapping[str, Tensor]) -> Tensor:
        """The point a classifier reads, (B, D_z). Raises NoSuchDistribution if in ``cannot``."""

    def decode(self, modality: str, z: Tensor) -> Tensor:
        """The reconstruction, (B, D_z) -> (B, D_m). Raises NoSuchDistribution."""

    def log_likelihood(self, x: Mapping[str, Tensor], z: Tensor) -> Tensor:
        """log p(x | z) in nats, (B,). Raises NoSuchDistribution."""


class NetworkModel(nn.Module):
    """A `MultiModalModel` made of parts of an `M2VAE`; a subclass brings posteriors and objective.

    The parts keep the M2VAE's sharing: one trunk per modality, whichever encoders read it.

    Attributes:
        network: an `M2VAE` of which only the model's own encoders and decoders are left.
    """

    no_lower_bound: str | None = None

    def __init__(
        self, config: M2VAEConfig, encoders: Iterable[Subset], decoders: Iterable[str] | None = None
    ) -> None:
        """Keep of an `M2VAE` what the model has.

        Args:
            config: the architecture.
            encoders: the subsets whose encoders are kept.
            decoders: the modalities whose decoders are kept; all if not given.

        Raises:
            ValueError: if the configuration has fewer than two modalities.
        """
        super().__init__()
        if len(config.dims) < 2:
            raise ValueError(f"dims: {type(self).__name__} needs at least two modalities")
        self.config = config
        self.cannot: Mapping[Subset, str] = {}
        self.network = part_of(config, encoders, config.dims if decoders is None else decoders)

    @property
    def modalities(self) -> Subset:
        """The names of all modalities, in the model's order."""
        return tuple(self.config.dims)

    @abstractmethod
    def bound(self, x: Mapping[str, Tensor], beta_norm: float) -> Tensor:
        """The model's own objective on all modalities, to be maximised, in nats, (B,)."""

    @abstractmethod
    def encode(self, x: Mapping[str, Tensor]) -> Posterior:
        """The posterior q(z | x) of the modalities in ``x``, (B, D_m) -> (B, D_z).

        Raises:
            NoSuchDistribution: if the model has no such posterior.
            ValueError: if ``x`` is empty or names a modality the model does not have.
        """

    def embed(self, x: Mapping[str, Tensor]) -> Tensor:
        """The mean of `encode`, (B, D_z), with its errors."""
        return self.encode(x).mean

    def decode(self, modality: str, z: Tensor) -> Tensor:
        """The reconstruction of one modality: (B, D_z) -> (B, D_m).

        Raises:
            NoSuchDistribution: if the model cannot reconstruct the modality from z.
            ValueError: if the model does not have the modality.
        """
        self._require_decoder(modality)
        return self.network.decode(modality, z)

    def log_likelihood(self, x: Mapping[str, Tensor], z: Tensor) -> Tensor:
        """log p(x | z) of all modalities in ``x``, in nats, (B,); errors as for `decode`."""
        for modality in x:
            self._require_decoder(modality)
        return self.network.log_likelihood(x, z)

    def _subset(self, x: Mapping[str, Tensor]) -> Subset:
        """What ``x`` holds, in the model's order, if it can be embedded."""
        if not x or (unknown := set(x) - set(self.modalities)):
            names = sorted(unknown) if x else "no modality"
            raise ValueError(f"cannot encode {names}: the model has {list(self.modalities)}")
        subset = tuple(m for m in self.modalities if m in x)
        if subset in self.cannot:
            self._refuse(f"embedding of {list(subset)}", self.cannot[subset])
        return subset

    def _require_decoder(self, modality: str) -> None:
        if modality in self.config.dims and modality not in self.network.decoders:
            self._refuse(f"likelihood of {modality!r} given z", str(self.no_lower_bound))

    def _refuse(self, what: str, why: str) -> NoReturn:
        raise NoSuchDistribution(f"{type(self).__name__} has no {what}: {why}")

    def _complete(self, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The batch in the model's order; training needs every modality."""
        if set(x) != set(self.modalities):
            raise ValueError(f"the batch has {sorted(x)}, the model {list(self.modalities)}")
        return {m: x[m] for m in self.modalities}

    def _elbo(
        self, x: Mapping[str, Tensor], posterior: Gaussian, decoded: Subset, beta_norm: float
    ) -> Tensor:
        """Eq. 1-3 at one sample of the posterior, (B,); β balances what is decoded, of any part."""
        likelihood = self.log_likelihood({m: x[m] for m in decoded}, posterior.sample())
        return elbo(likelihood, posterior, beta_of(self, decoded, beta_norm))


class EncoderModel(NetworkModel):
    """A `NetworkModel` whose posteriors are those of the network's encoders."""

    def encode(self, x: Mapping[str, Tensor]) -> Gaussian:
        """What the encoder of the modalities in ``x`` gives, (B, D_z), with the same errors."""
        self._subset(x)
        return self.network.encode(x)


Maker = Callable[[M2VAEConfig], NetworkModel]
"""Makes a model of an architecture: its class."""


def part_of(config: M2VAEConfig, encoders: Iterable[Subset], decoders: Iterable[str]) -> M2VAE:
    """An `M2VAE` of which only these encoders (with their trunks) and decoders are left."""
    network = M2VAE(config)
    encoders = list(encoders)
    keys = {_key(subset) for subset in encoders}
    _keep(network.trunks, {m for subset in encoders for m in subset})
    _keep(network.joints, keys)
    _keep(network.heads, keys)
    _keep(network.decoders, set(decoders))
    return network


def pair_of(config: M2VAEConfig, model: str) -> tuple[str, str]:
    """The two modalities of a bi-modal model.

    Raises:
        ValueError: if the configuration has another number of them.
    """
    if len(config.dims) != 2:
        raise ValueError(f"dims: {model} is bi-modal, the configuration has {list(config.dims)}")
    first, second = config.dims
    return first, second


def with_zeros(config: M2VAEConfig, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All modalities, those missing from ``x`` as zeros, in the configuration's order."""
    some = next(iter(x.values()))
    return {m: x[m] if m in x else some.new_zeros(len(some), d) for m, d in config.dims.items()}


def total(terms: Iterable[Tensor]) -> Tensor:
    """The sum of at least one term."""
    return cast(Tensor, sum(terms))  # of none it would be the number 0


def _keep(modules: nn.ModuleDict, keys: set[str]) -> None:
    for key in set(modules) - keys:
        del modules[key]
