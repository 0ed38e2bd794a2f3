# SPDX-License-Identifier: Apache-2.0
"""The steps of fusion: the nodes' engine, torch layer by layer, and the bare products."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from m2vae_ros.fusion.active_sensing import expected_gain
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine
from m2vae_ros.vae.in_place import fuse_in_place, unfold
from tools.bench.figures import Measured
from tools.bench.limit import products_of
from tools.bench.subjects import codes, node_engine, torch_engine
from tools.bench.timing import compare


def measure() -> Measured:
    """See the module's text."""
    known = codes()
    old = node_engine().encode({"camera": known["camera"]}).mean
    whole = node_engine().encode(known).mean
    new = {"lidar": known["lidar"]}
    two = _embedding({m: known[m] for m in ("camera", "lidar")})
    steps: dict[str, Callable[[Engine], object]] = {
        "in-place fusion of one modality (Eq. 18)": lambda e: fuse_in_place(
            e, old, ["camera"], new
        ),
        "joint encoding of three modalities": lambda e: e.encode(known),
        "unfolding an embedding of three": lambda e: unfold(e, whole, e.modalities),
        "classification": lambda e: e.classify(old),
        "what a look promises": lambda e: expected_gain(e, two, ["reflectance"]),
    }
    return compare({name: _ways(step) for name, step in steps.items()})


def _embedding(of: Mapping[str, np.ndarray]) -> Embedding:
    """What is held of an object after these readings."""
    posterior, place = node_engine().encode(of), (0.0, 0.0, 0.0)
    numbers = (posterior.mean, posterior.log_variance)
    held = dict.fromkeys(of, 1)
    return Embedding("object", place, "map", held, *numbers, "robot", node_engine().fingerprint)


def _ways(step: Callable[[Engine], object]) -> dict[str, Callable[[], object]]:
    return {
        "engine of the nodes": lambda: step(node_engine()),
        "eager torch": lambda: step(torch_engine()),
        "its matrix-vector products": products_of(lambda: step(torch_engine())),
    }
