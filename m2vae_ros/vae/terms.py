# SPDX-License-Identifier: Apache-2.0
"""Which subsets a training step looks at, and what each counts in Eq. 17 and Eq. 19.

Unrolled, Eq. 17 takes one modality away at a time: it is the mean over all orders in which
modalities can come, and counts the bound of each subset that an order passes by one over its size.
So the subsets that a few random orders pass give an unbiased estimate of it, and the steps of
in-place fusion between those one of Eq. 19. All subsets are 2^n - 1 and all steps 3^n - 2^n, but an
order passes n subsets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import comb

import torch

from m2vae_ros.vae.m2vae import Subset, one_smaller, subsets

EXACT = 3
"""Modalities up to which a training step looks at all subsets."""

ORDERS = 2
"""Drawn for each step of training with more."""


@dataclass(frozen=True)
class Terms:
    """The weights of the terms of Eq. 17 and Eq. 19.

    Attributes:
        bounds: subset -> weight of its reconstruction and of its divergence from the prior.
        parts: (subset, the subset without one modality) -> weight of their divergence.
        steps: target -> what is held before -> weight of the step's re-encoding error.
    """

    bounds: Mapping[Subset, float]
    parts: Mapping[tuple[Subset, Subset], float]
    steps: Mapping[Subset, Mapping[Subset, float]]


@cache
def all_terms(modalities: Subset) -> Terms:
    """Every subset and every step, of modalities in the model's order."""
    n, every = len(modalities), subsets(modalities)
    bounds = {s: 1 / (len(s) * comb(n, len(s))) for s in every}
    parts = {(s, part): bounds[s] for s in every if len(s) > 1 for part in one_smaller(s)}
    steps = {target: dict.fromkeys(subsets(target), 1 / _steps(n)) for target in every}
    return Terms(bounds, parts, steps)


def terms_of(modalities: Subset, orders: Sequence[Sequence[str]]) -> Terms:
    """What some orders pass.

    Args:
        modalities: in the model's order.
        orders: of all of them.
    """
    n, share = len(modalities), 1 / len(orders)
    bounds: dict[Subset, float] = defaultdict(float)
    parts: dict[tuple[Subset, Subset], float] = defaultdict(float)
    steps: dict[Subset, dict[Subset, float]] = defaultdict(lambda: defaultdict(float))
    for order in orders:
        passed = [tuple(m for m in modalities if m in order[:k]) for k in range(1, n + 1)]
        for k, target in enumerate(passed, 1):
            bounds[target] += share / k
            if k > 1:  # stands for all k parts, each of which counts by 1 / k
                parts[target, passed[k - 2]] += share
            for j, held in enumerate(passed[:k], 1):  # stands for all steps of these sizes
                steps[target][held] += share * comb(n, k) * comb(k, j) / _steps(n)
    return Terms(bounds, parts, steps)


def drawn_terms(modalities: Subset) -> Terms:
    """What a step of training looks at: all, or what `ORDERS` random orders pass."""
    if len(modalities) <= EXACT:
        return all_terms(modalities)
    drawn = [torch.randperm(len(modalities)).tolist() for _ in range(ORDERS)]
    return terms_of(modalities, [[modalities[i] for i in order] for order in drawn])


def _steps(n: int) -> int:
    """Pairs of a non-empty subset and a subset of n modalities that holds it."""
    return int(3**n - 2**n)
