# SPDX-License-Identifier: Apache-2.0
"""Samples in which nothing is to be seen."""

import numpy as np

from m2vae_ros.datasets.amiro import AmiroSamples
from m2vae_ros.sensors import AMIRO


def random_samples(rng: np.random.Generator, attributes: np.ndarray) -> AmiroSamples:
    """As many as there are rows of attributes."""
    packed = {
        name: view.pack(rng.random((len(attributes), *view.shape), np.float32))
        for name, view in AMIRO.views.items()
    }
    return AmiroSamples(packed, attributes.astype(np.int64))
