# SPDX-License-Identifier: Apache-2.0
"""How likely an observation is, given its reconstruction: log p(x | z), constants kept."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor


def gaussian(x: Tensor, reconstruction: Tensor) -> Tensor:
    """log N(x; reconstruction, I) in nats, summed over a sample's dimensions.

    (B, *shape), and one reconstruction or a stack of them (..., B, *shape) -> (..., B).
    """
    squares = (x - reconstruction).square().flatten(1 - x.dim())
    return -0.5 * (squares.sum(-1) + squares.shape[-1] * math.log(2 * math.pi))


def bernoulli(x: Tensor, reconstruction: Tensor) -> Tensor:
    """log Bernoulli(x; reconstruction) in nats, for ``x`` in [0, 1]; shapes as for `gaussian`.

    For ``x`` strictly between 0 and 1 this is the usual cross-entropy, not a normalised density.
    """
    x_like = x.expand_as(reconstruction)
    crosses = F.binary_cross_entropy(reconstruction, x_like, reduction="none")
    return -crosses.flatten(1 - x.dim()).sum(-1)


LIKELIHOODS = {"gaussian": gaussian, "bernoulli": bernoulli}
