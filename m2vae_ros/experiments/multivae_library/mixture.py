# SPDX-License-Identifier: Apache-2.0
"""Mixtures of Gaussians: the posteriors of the models that average experts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from m2vae_ros.vae.gaussian import Gaussian


@dataclass(frozen=True)
class Mixture:
    """An equally weighted mixture of Gaussians (..., D), as far as a posterior is asked.

    Attributes:
        parts: what is mixed, at least one.
    """

    parts: Sequence[Gaussian]

    @property
    def mean(self) -> Tensor:
        """The mean of the mixture, (..., D)."""
        return torch.stack([part.mean for part in self.parts]).mean(0)

    def sample(self) -> Tensor:
        """One sample, (..., D), of a part drawn anew for every leading index."""
        samples = torch.stack([part.sample() for part in self.parts])
        pick = torch.randint(len(self.parts), samples.shape[1:-1], device=samples.device)
        index = pick[None, ..., None].expand(1, *samples.shape[1:])
        return samples.gather(0, index).squeeze(0)

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density of ``z`` (..., D) in nats, (...)."""
        densities = torch.stack([part.log_prob(z) for part in self.parts])
        return densities.logsumexp(0) - math.log(len(self.parts))
