# SPDX-License-Identifier: Apache-2.0
"""How likely an observation is, given its reconstruction: log p(x | z), constants kept."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor


def gaussian(x: Tensor, reconstruction: Tensor) -> Tensor:
    """log N(x; reconstruction, I) of (B, ...) in nats, summed over a sample's dimensions, (B,)."""
    squares = (x - reconstruction).square()
    return -0.5 * (squares + math.log(2 * math.pi)).flatten(1).sum(1)


def bernoulli(x: Tensor, reconstruction: Tensor) -> Tensor:
    """log Bernoulli(x; reconstruction) of (B, ...) in [0, 1], in nats, (B,).

    For ``x`` strictly between 0 and 1 this is the usual cross-entropy, not a normalised density.
    """
    return -F.binary_cross_entropy(reconstruction, x, reduction="none").flatten(1).sum(1)


LIKELIHOODS = {"gaussian": gaussian, "bernoulli": bernoulli}
