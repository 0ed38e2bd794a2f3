# SPDX-License-Identifier: Apache-2.0
"""Which sensor would tell most of an object: epistemic sensing, from the embedding alone.

What a sensor would read is imagined by the decoders, at points drawn from what is held without that
sensor, and fused with the rest as robots do it. How far the entropy of the class falls thereby, on
average, is the expected information gain of a look [Lindley 1956, On a measure of the information
provided by an experiment]. A modality that is held would be replaced by another look, for nothing
counts twice; so its gain is large where its reading was a poor one, and about 0 or below where it
was not. That readings of one object differ is taken for granted: of an object that truly lies
between two classes, a further look is expected to tell more than it will.
"""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace

import numpy as np

from m2vae_ros.fusion.attributes import entropy
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine
from m2vae_ros.fusion.imagination import draws as points
from m2vae_ros.vae.in_place import unfold

DRAWS = 16
"""Readings that are imagined; an even number."""


def expected_gain(
    engine: Engine,
    embedding: Embedding | None,
    modalities: Collection[str],
    draws: int = DRAWS,
    seed: int = 0,
) -> float:
    """What a look by some sensors, at once, is expected to tell of the class.

    Args:
        engine: the model.
        embedding: what is held of the object; None if nothing is.
        modalities: of the sensors, at least one of the model's.
        draws: of points at which the readings are imagined, in pairs that mirror each other.
        seed: of the draws; the same one gives the same answer.

    Returns:
        The entropy of the classes now minus its mean after the look, in nats; 0 if nothing says
        the classes.
    """
    before = _prior(engine) if embedding is None else embedding
    held = () if embedding is None else tuple(embedding.held)
    known = unfold(engine, before.mean, held) if held else {}
    rest = {m: code for m, code in known.items() if m not in modalities}
    believed = engine.encode(rest) if rest else _prior(engine)
    after = []
    for z in points(believed, draws, seed):
        imagined = {m: engine.decode(m, z) for m in modalities}
        after.append(entropy(engine.classify(engine.encode({**rest, **imagined}).mean)))
    return entropy(engine.classify(before.mean)) - float(np.mean(after))


def _prior(engine: Engine) -> SimpleNamespace:
    """The posterior of no reading at all."""
    zeros = np.zeros(engine.latent_dim, np.float32)
    return SimpleNamespace(mean=zeros, log_variance=zeros)
