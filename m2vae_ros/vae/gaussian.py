# SPDX-License-Identifier: Apache-2.0
"""Diagonal Gaussians: what every encoder of this package returns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Posterior(Protocol):
    """What every posterior can tell, be it a `Gaussian` or a mixture of some."""

    @property
    def mean(self) -> Tensor:
        """Its mean, (..., D)."""

    def sample(self) -> Tensor:
        """One sample, (..., D)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density of ``z`` (..., D) in nats, (...)."""


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian with a diagonal covariance, one per leading index.

    Attributes:
        mean: (..., D).
        log_variance: (..., D), the natural logarithm of the variance.
    """

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def stack(cls, gaussians: Sequence[Gaussian]) -> Gaussian:
        """N of one shape (..., D) as one, (N, ..., D)."""
        means = torch.stack([one.mean for one in gaussians])
        return cls(means, torch.stack([one.log_variance for one in gaussians]))

    def __getitem__(self, index: Tensor) -> Gaussian:
        """Some of a stack."""
        return Gaussian(self.mean[index], self.log_variance[index])

    def sample(self) -> Tensor:
        """One reparametrised sample, (..., D): gradients reach mean and variance."""
        return self.mean + torch.randn_like(self.mean) * (0.5 * self.log_variance).exp()

    def kl(self, other: Gaussian) -> Tensor:
        """D_KL(self ‖ other) in nats, summed over the dimensions, (...)."""
        log_ratio = self.log_variance - other.log_variance
        distance = (self.mean - other.mean).square() * (-other.log_variance).exp()
        terms = log_ratio.exp() + distance - log_ratio
        return 0.5 * (terms.sum(-1) - terms.shape[-1])

    def kl_to_prior(self) -> Tensor:
        """D_KL(self ‖ N(0, I)) in nats, summed over the dimensions, (...)."""
        terms = self.log_variance.exp() + self.mean.square() - self.log_variance
        return 0.5 * (terms.sum(-1) - terms.shape[-1])

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density of ``z`` (..., D) in nats, summed over the dimensions, (...)."""
        scaled = (z - self.mean).square() / self.log_variance.exp()
        return -0.5 * (scaled + self.log_variance + math.log(2 * math.pi)).sum(-1)

    def detach(self) -> Gaussian:
        """The same Gaussian as a constant: no gradient flows back through it."""
        return Gaussian(self.mean.detach(), self.log_variance.detach())


def standard_normal_log_prob(z: Tensor) -> Tensor:
    """The log-density of the prior p(z) = N(0, I) at ``z`` (..., D), in nats, (...)."""
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)
