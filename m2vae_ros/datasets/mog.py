# SPDX-License-Identifier: Apache-2.0
"""The bi-modal Mixture of Gaussians of section IV and Fig. 3a: ten classes, two points each.

Modality a is a point on a grid of rows, b one on the unit circle. Some classes share their mean:
5, 6 and 7 in a, 0 and 8 in a, 0 and 9 in b. So a alone tells 7 of 10 classes, b alone 9, and only
both together tell all.

The paper gives the noise and who shares a mean. The means, and how frequent each class is, are
those of the authors' published code (github.com/tik0/vae_tools): a class is as frequent as its
digit in MNIST. From there comes the .71 of Table I; with equally likely classes, a would tell .70.
"""

from __future__ import annotations

import numpy as np

from m2vae_ros.datasets.labelled import Labelled

CLASSES = 10

# How many of MNIST's 60 000 training images show each digit.
_COUNTS = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])

FREQUENCIES: np.ndarray = _COUNTS / _COUNTS.sum()
"""The probability of every class, (10,)."""

SIGMAS: dict[str, float] = {"a": 0.06, "b": 0.1}
"""Modality -> standard deviation of either coordinate."""


def _grid() -> np.ndarray:
    place = {
        1: (0.0, 0.5),
        2: (0.0, 1.0),
        3: (1 / 3, 0.25),
        4: (1 / 3, 0.75),
        5: (2 / 3, 0.5),
        8: (1.0, 0.25),
        9: (1.0, 0.75),
    }
    place[6] = place[7] = place[5]
    place[0] = place[8]
    return np.array([place[label] for label in range(CLASSES)])


def _circle() -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, CLASSES)  # all the way round, so that 9 comes back to 0
    angles[-1] = angles[0]
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


MEANS: dict[str, np.ndarray] = {"a": _grid(), "b": _circle()}
"""Modality -> (10, 2), the mean of every class."""


def mog(count: int, seed: int) -> Labelled:
    """Draw ``count`` objects; each modality has two dimensions, equal seeds give equal objects."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(CLASSES, size=count, p=FREQUENCIES)
    x = {m: rng.normal(means[labels], SIGMAS[m]).astype(np.float32) for m, means in MEANS.items()}
    return Labelled(x, labels)
