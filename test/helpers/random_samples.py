# SPDX-License-Identifier: Apache-2.0
"""Samples in which nothing is to be seen."""

from __future__ import annotations

import numpy as np

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.world.suite import AMIRO


def random_samples(
    rng: np.random.Generator, labels: np.ndarray, suite: SensorSuite = AMIRO
) -> Samples:
    """As many as there are labels."""
    packed = {
        name: view.pack(rng.random((len(labels), *view.shape), np.float32))
        for name, view in suite.views.items()
    }
    return Samples(suite, packed, np.asarray(labels, dtype=np.int64))
