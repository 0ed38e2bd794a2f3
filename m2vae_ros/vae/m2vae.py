# SPDX-License-Identifier: Apache-2.0
"""M2VAE: one encoder per subset of the modalities, one decoder per modality, one latent space."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import torch
from torch import Tensor, nn

from m2vae_ros.sensors import SensorSuite
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.likelihoods import LIKELIHOODS
from m2vae_ros.vae.networks import GaussianHead, Named, perceptron

Subset = tuple[str, ...]
"""Names of modalities, always in the order in which the model lists them."""


def subsets(modalities: Sequence[str]) -> list[Subset]:
    """All non-empty subsets, small ones first: 2^|M| - 1 of them."""
    return [s for size in range(1, len(modalities) + 1) for s in combinations(modalities, size)]


def one_smaller(subset: Subset) -> list[Subset]:
    """The paper's M~: the |M| subsets that lack exactly one modality."""
    return list(combinations(subset, len(subset) - 1))


@dataclass(frozen=True)
class M2VAEConfig:
    """The architecture of an M2VAE (Fig. 2c), as a card holds it.

    Attributes:
        dims: modality -> D_m, the length of its input vector. The order is the model's order.
        latent_dim: D_z.
        hidden: sizes of each modality's trunk; the decoders mirror them.
        joint: size of the one layer behind the concatenated trunks of two or more modalities.
        likelihoods: modality -> "gaussian" (unit variance) or "bernoulli"; gaussian if not named.
    """

    dims: Mapping[str, int]
    latent_dim: int = 10
    hidden: tuple[int, ...] = (128, 64)
    joint: int = 64
    likelihoods: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, suite: SensorSuite) -> M2VAEConfig:
        """What a suite says."""
        dims = {name: modality.beta_vae.latent_dim for name, modality in suite.items()}
        return cls(dims, suite.fusion.latent_dim, suite.fusion.hidden, suite.fusion.joint)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))  # a card brings lists
        if not self.dims:
            raise ValueError("dims: an M2VAE needs at least one modality")
        if unknown := set(self.likelihoods) - set(self.dims):
            raise ValueError(f"likelihoods: {sorted(unknown)} are not among the modalities")
        if unknown := set(self.likelihoods.values()) - set(LIKELIHOODS):
            raise ValueError(f"likelihoods: {sorted(unknown)} are not among {set(LIKELIHOODS)}")


class M2VAE(nn.Module):
    """The multi-modal variational autoencoder for any number of modalities.

    Every modality has one trunk, shared by all subsets it is in. A single modality's posterior is
    read off its trunk; a larger subset concatenates the outputs of its trunks (the penultimate
    layers) into one joint layer. Every subset has its own mean and log-variance.
    """

    def __init__(self, config: M2VAEConfig) -> None:
        super().__init__()
        self.config = config
        width = config.hidden[-1]
        self.trunks = Named(
            {m: perceptron((dim, *config.hidden)) for m, dim in config.dims.items()}
        )
        self.joints = Named(
            {
                _key(s): perceptron((len(s) * width, config.joint))
                for s in self.subsets
                if len(s) > 1
            }
        )
        self.heads = Named(
            {
                _key(s): GaussianHead(config.joint if len(s) > 1 else width, config.latent_dim)
                for s in self.subsets
            }
        )
        self.decoders = Named({m: self._decoder(m, dim) for m, dim in config.dims.items()})

    def _decoder(self, modality: str, dim: int) -> nn.Module:
        hidden = perceptron((self.config.latent_dim, *reversed(self.config.hidden)))
        output = nn.Linear(self.config.hidden[0], dim)
        bernoulli = self.config.likelihoods.get(modality) == "bernoulli"
        return nn.Sequential(hidden, output, nn.Sigmoid() if bernoulli else nn.Identity())

    @property
    def modalities(self) -> Subset:
        """The names of all modalities, in the model's order."""
        return tuple(self.config.dims)

    @property
    def subsets(self) -> list[Subset]:
        """Every subset that has an encoder, small ones first."""
        return subsets(self.modalities)

    def encode(self, x: Mapping[str, Tensor]) -> Gaussian:
        """The posterior q(z | x) of the modalities present in ``x``, (B, D_m) -> (B, D_z).

        Raises:
            ValueError: if ``x`` is empty or names a modality the model does not have.
        """
        if not x or (unknown := set(x) - set(self.modalities)):
            names = sorted(unknown) if x else "no modality"
            raise ValueError(f"cannot encode {names}: the model has {list(self.modalities)}")
        subset = tuple(m for m in self.modalities if m in x)
        return self.encode_features(subset, {m: self.trunks[m](x[m]) for m in subset})

    def posteriors(
        self, x: Mapping[str, Tensor], of: Collection[Subset] | None = None
    ) -> dict[Subset, Gaussian]:
        """The posteriors of subsets of ``x``, by default of all; each trunk runs only once."""
        features = {m: self.trunks[m](x[m]) for m in self.modalities if m in x}
        wanted = subsets(tuple(features)) if of is None else of
        return {s: self.encode_features(s, features) for s in wanted}

    def encode_features(self, subset: Subset, features: Mapping[str, Tensor]) -> Gaussian:
        """The posterior of a subset from the outputs of its trunks, (..., F) -> (..., D_z)."""
        key = _key(subset)
        if len(subset) == 1:
            inner = features[subset[0]]
        else:
            inner = self.joints[key](torch.cat([features[m] for m in subset], -1))
        posterior: Gaussian = self.heads[key](inner)
        return posterior

    def decode(self, modality: str, z: Tensor) -> Tensor:
        """The reconstruction of one modality: (..., D_z) -> (..., D_m).

        Raises:
            ValueError: if the model does not have the modality.
        """
        if modality not in self.config.dims:
            raise ValueError(f"cannot decode {modality!r}: the model has {list(self.modalities)}")
        x: Tensor = self.decoders[modality](z)
        return x

    def log_likelihood(self, x: Mapping[str, Tensor], z: Tensor) -> Tensor:
        """log p(x | z) of all modalities in ``x``, in nats: z (..., B, D_z) -> (..., B)."""
        kinds = self.config.likelihoods
        terms = [
            LIKELIHOODS[kinds.get(m, "gaussian")](x_m, self.decode(m, z)) for m, x_m in x.items()
        ]
        return torch.stack(terms).sum(0)


def _key(subset: Subset) -> str:
    return ",".join(subset)  # module names may hold anything but a dot
