# SPDX-License-Identifier: Apache-2.0
"""Binary attributes on a ring: any number of modalities, each subset with a known best rate.

The paper's Mixture of Gaussians (`datasets.mog`) for more than two modalities. An object has
n attributes, each 0 or 1 with equal probability; its class is all of them, one of 2^n. Modality i
is a point in the plane. It tells attribute i, and where that is 1, attribute i + 1 as well (the
last modality's neighbour is the first); where attribute i is 0, the classes of either neighbour are
consolidated, as some of the paper's are:

    attribute i       0       1      1
    attribute i + 1   0 or 1  0      1
    mean              first, second, third corner of a triangle

So modalities overlap: what one tells, its neighbour may tell in part. No modality can be spared;
only all of them tell every class.
"""

from __future__ import annotations

from collections.abc import Collection
from string import ascii_lowercase

import numpy as np

from m2vae_ros.datasets.labelled import Labelled

SIGMA = 0.1
"""Standard deviation of either coordinate, as in the paper's modality b."""

_ANGLES = np.pi / 2 + 2 * np.pi / 3 * np.arange(3)

CORNERS: np.ndarray = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
"""(3, 2): the means, 17 standard deviations apart on the unit circle."""


def modalities(n: int) -> tuple[str, ...]:
    """Their names ("a", "b" and so on), in the order of the ring.

    Raises:
        ValueError: n is not between 2 and 26.
    """
    if not 2 <= n <= len(ascii_lowercase):
        raise ValueError(f"n: {n} modalities, but a ring has from 2 to {len(ascii_lowercase)}")
    return tuple(ascii_lowercase[:n])


def attributes(n: int, count: int, seed: int) -> Labelled:
    """Draw ``count`` objects; each of the n modalities has two dimensions.

    Attribute i of an object is bit i of its label. Equal seeds give equal objects.

    Raises:
        ValueError: n is not between 2 and 26.
    """
    names = modalities(n)
    rng = np.random.default_rng(seed)
    labels = rng.integers(2**n, size=count)
    values = labels[:, None] >> np.arange(n) & 1
    x = {}
    for i, name in enumerate(names):
        own, neighbour = values[:, i], values[:, (i + 1) % n]
        means = CORNERS[own * (1 + neighbour)]
        x[name] = rng.normal(means, SIGMA).astype(np.float32)
    return Labelled(x, labels)


def best_rate(n: int, subset: Collection[str]) -> float:
    """The share of objects the best classifier gets right from a subset of the n modalities.

    Classes are equally frequent, so this is the number of classes the subset can tell apart, over
    2^n. Every modality of a run of neighbours on the ring settles its own attribute, a factor of 2;
    the last one also settles, half the time, the attribute of its neighbour that is not there, a
    factor of 3/2. So a subset of k modalities in r runs tells 2^k (3/2)^r classes apart, and all
    modalities, a ring without an end, 2^n. (The noise adds errors of less than 1e-15.)

    Raises:
        ValueError: the subset names a modality that is none of the n.
    """
    names = modalities(n)
    if unknown := set(subset) - set(names):
        raise ValueError(f"subset: {sorted(unknown)} are none of the modalities {list(names)}")
    ends = sum(names[i] in subset and names[(i + 1) % n] not in subset for i in range(n))
    rate: float = 2 ** len(set(subset)) * 1.5**ends / 2**n
    return rate
