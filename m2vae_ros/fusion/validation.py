# SPDX-License-Identifier: Apache-2.0
"""Which embeddings of others a robot may believe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine

Value = TypeVar("Value")

KINDS = (
    "fingerprint",
    "length",
    "not_finite",
    "mean",
    "variance",
    "no_modality",
    "unknown_modality",
    "repeated_modality",
    "stamp",
    "position",
    "frame",
    "object_id",
    "sender",
    "full",
    "rate",
    "disowned",
)
"""Every kind of `UnfitEmbedding`."""

LARGEST_MEAN = 1e3
"""The prior has variance 1: no posterior that was trained against it lies this far out."""

LOG_VARIANCE_RANGE = (-30.0, 10.0)
"""Natural logarithms: a standard deviation of 3e-7 to 150 times the prior's."""

LARGEST_COORDINATE = 1e6
"""Metres; farther is a fault, and would not fit into a name made of a position."""

MOST_REENCODINGS = 127
"""What a message can count, in seven bits of a byte."""

LONGEST_NAME = 128
"""Characters of a name; with `MOST_NAMES` it bounds what one object can occupy."""

MOST_NAMES = 32
"""Names of one object: each is a robot that met it before it heard of the others."""

MOST_MODALITIES = 64
"""What one object can be sensed by."""

MOST_DIMENSIONS = 65_536
"""Of a latent space; a message of more is not looked at."""

LONGEST_SHOWN = 40
"""Characters of a foreign text that are shown in a reason."""


class UnfitEmbedding(ValueError):
    """An embedding that must not be used.

    Attributes:
        kind: one of `KINDS`, for counting.
        reason: one sentence with the offending value, for people.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def by_modality(modalities: Sequence[str], values: Sequence[Value], what: str) -> dict[str, Value]:
    """Two lists of a message as one mapping, modality -> value.

    Args:
        modalities: of the message.
        values: one for each.
        what: they are, for the error.

    Raises:
        UnfitEmbedding: a modality twice ("repeated_modality"), or not one value for each
            modality ("length").
    """
    if max(len(modalities), len(values)) > MOST_MODALITIES:
        raise UnfitEmbedding(
            "length",
            f"{len(modalities)} modalities and {len(values)} {what}, at most {MOST_MODALITIES}",
        )
    if len(modalities) != len(values):
        raise UnfitEmbedding(
            "length", f"{len(modalities)} modalities but {len(values)} {what}: one for each"
        )
    if len(set(modalities)) < len(modalities):
        twice = next(m for m in modalities if list(modalities).count(m) > 1)
        raise UnfitEmbedding("repeated_modality", f"holds {shown(twice)} more than once")
    return dict(zip(modalities, values, strict=True))


def shown(text: str) -> str:
    """A foreign text, as it may stand in a log: quoted, and of bounded length."""
    return repr(text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…")


def check_sizes(texts: Sequence[str], names: int, numbers: int) -> None:
    """Refuse a message for its size alone, before anything is made of it.

    Args:
        texts: every text but the names of the object.
        names: how many the object has.
        numbers: how many the mean and the log-variance have together.

    Raises:
        UnfitEmbedding: a text, the names or the numbers are too many ("length", "object_id").
    """
    longest = max(map(len, texts), default=0)
    if longest > LONGEST_NAME:
        raise UnfitEmbedding("length", f"a text of {longest} characters, at most {LONGEST_NAME}")
    if names > MOST_NAMES:
        raise UnfitEmbedding("object_id", f"{names} names, at most {MOST_NAMES}")
    if numbers > 2 * MOST_DIMENSIONS:
        raise UnfitEmbedding("length", f"{numbers} numbers, at most {2 * MOST_DIMENSIONS}")


def check(
    embedding: Embedding, engine: Engine, now_ns: int, tolerance_ns: int, frame: str | None = None
) -> None:
    """Refuse an embedding that does not fit the model, the world or the clock.

    Args:
        embedding: what was received.
        engine: the model it must belong to.
        now_ns: this robot's time, nanoseconds.
        tolerance_ns: how far ahead of `now_ns` a stamp may be, for clocks that differ a little.
        frame: the frame its position must be given in; None for any.

    Raises:
        UnfitEmbedding: the first reason found.
    """
    if embedding.fingerprint != engine.fingerprint:
        raise UnfitEmbedding(
            "fingerprint",
            f"fingerprint {shown(embedding.fingerprint)}, but the weights here have "
            f"{engine.fingerprint!r}",
        )
    _check_names(embedding)
    _check_held(embedding, engine, now_ns, tolerance_ns)
    _check_place(embedding, frame)
    check_numbers(embedding, engine)


def check_numbers(embedding: Embedding, engine: Engine) -> None:
    """Refuse numbers that no posterior of the model has.

    Raises:
        UnfitEmbedding: wrong length, not finite, a mean, a variance or a deviation of the place
            beyond all reason.
    """
    for name in ("mean", "log_variance"):
        array = getattr(embedding, name)
        if array.shape != (engine.latent_dim,):
            raise UnfitEmbedding(
                "length", f"{name} has shape {array.shape}, expected ({engine.latent_dim},)"
            )
        if not np.isfinite(array).all():
            raise UnfitEmbedding("not_finite", f"{name} holds NaN or infinite values")
    largest = float(np.abs(embedding.mean).max())
    if largest > LARGEST_MEAN:
        raise UnfitEmbedding("mean", f"mean of magnitude {largest:g}, the prior has variance 1")
    low, high = float(embedding.log_variance.min()), float(embedding.log_variance.max())
    if low < LOG_VARIANCE_RANGE[0] or high > LOG_VARIANCE_RANGE[1]:
        raise UnfitEmbedding(
            "variance", f"log-variance from {low:g} to {high:g}, possible is {LOG_VARIANCE_RANGE}"
        )
    if not 0.0 <= embedding.deviation <= LARGEST_COORDINATE:
        raise UnfitEmbedding("position", f"place of the deviation {embedding.deviation} m")


def check_position(position: Sequence[float]) -> None:
    """Refuse a position that is no place.

    Raises:
        UnfitEmbedding: not three numbers, not finite, or unreasonably far.
    """
    if len(position) != 3:
        raise UnfitEmbedding("position", f"position has {len(position)} coordinates, expected 3")
    if not all(math.isfinite(x) and abs(x) <= LARGEST_COORDINATE for x in position):
        raise UnfitEmbedding("position", f"position {tuple(position)} is no place in metres")


def _check_names(embedding: Embedding) -> None:
    for name in embedding.names:
        if not name or len(name) > LONGEST_NAME:
            raise UnfitEmbedding(
                "object_id", f"object id of {len(name)} characters, expected 1 to {LONGEST_NAME}"
            )
    if len(embedding.names) > MOST_NAMES:
        raise UnfitEmbedding("object_id", f"{len(embedding.names)} names, at most {MOST_NAMES}")
    if not 0 < len(embedding.sender) <= LONGEST_NAME:
        raise UnfitEmbedding(
            "sender",
            f"sender of {len(embedding.sender)} characters, expected 1 to {LONGEST_NAME}",
        )


def _check_held(embedding: Embedding, engine: Engine, now_ns: int, tolerance_ns: int) -> None:
    if not embedding.held and (embedding.mean.any() or embedding.log_variance.any()):
        raise UnfitEmbedding("no_modality", "holds no modality, but is not the prior")
    if not embedding.held and not 0 < embedding.vanished <= now_ns + tolerance_ns:
        raise UnfitEmbedding("stamp", f"saw that nothing is there at {embedding.vanished} ns")
    for modality, stamp in embedding.held.items():
        if modality not in engine.modalities:
            raise UnfitEmbedding(
                "unknown_modality",
                f"unknown modality {shown(modality)}, known are {', '.join(engine.modalities)}",
            )
        if stamp < 0:
            raise UnfitEmbedding("stamp", f"{modality} has the negative stamp {stamp} ns")
        if stamp > now_ns + tolerance_ns:
            ahead = (stamp - now_ns) * 1e-9
            raise UnfitEmbedding("stamp", f"{modality} was sensed {ahead:.3g} s in the future")
    if not 0 <= embedding.disowned <= now_ns + tolerance_ns:
        raise UnfitEmbedding("disowned", f"disowns what is said until {embedding.disowned} ns")


def _check_place(embedding: Embedding, frame: str | None) -> None:
    check_position(embedding.position)
    if frame is not None and embedding.frame != frame:
        raise UnfitEmbedding(
            "frame", f"position in frame {shown(embedding.frame)}, this robot works in {frame!r}"
        )
