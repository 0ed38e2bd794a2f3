# SPDX-License-Identifier: Apache-2.0
"""Messages to arrays and embeddings, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Twist

from m2vae_ros.fusion.attributes import entropy, marginals
from m2vae_ros.fusion.belief import Verdict, kl_to_prior
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.imagination import Imagined
from m2vae_ros.fusion.validation import MOST_REENCODINGS, by_modality, check_sizes
from m2vae_ros.msg import (
    AttributeMarginal,
    ImaginedReading,
    LatentEmbedding,
    ObjectClassification,
)
from m2vae_ros.sensors import Modality, ObservationError, SensorSuite
from m2vae_ros.sensors.messages import NANOSECONDS, Motion, motion, nanoseconds, numbers

__all__ = [
    "NANOSECONDS",
    "Motion",
    "classification_message",
    "embedding",
    "embedding_message",
    "imagined_message",
    "motion",
    "nanoseconds",
    "numbers",
    "stamp",
    "velocity",
]


STRANGE = MOST_REENCODINGS + 1
"""Bit of a count that says that the reading was of nothing known; so it costs no byte."""


def stamp(time_ns: int) -> Time:
    """Nanoseconds as a stamp."""
    sec, nanosec = divmod(time_ns, NANOSECONDS)
    return Time(sec=sec, nanosec=nanosec)


def velocity(message: Twist) -> tuple[float, float]:
    """Forwards in m/s and counter-clockwise in rad/s.

    Raises:
        ObservationError: one of them is not finite.
    """
    if not (math.isfinite(message.linear.x) and math.isfinite(message.angular.z)):
        raise ObservationError("linear.x, angular.z: not finite")
    return message.linear.x, message.angular.z


def embedding_message(embedding: Embedding) -> LatentEmbedding:
    """The message of an embedding."""
    disowned = [embedding.disowned] if embedding.disowned else []
    message = LatentEmbedding(
        sender=embedding.sender,
        object_id=embedding.object_id,
        aliases=list(embedding.aliases),
        position=Point(**dict(zip("xyz", embedding.position, strict=True))),
        fingerprint=embedding.fingerprint,
        modalities=list(embedding.held),
        stamps=[stamp(time) for time in (*embedding.held.values(), *disowned)],
        reencodings=[
            min(n, MOST_REENCODINGS) | STRANGE * (modality in embedding.strange)
            for modality, n in embedding.reencodings.items()
        ],
        mean=embedding.mean,
        log_variance=[*embedding.log_variance, *filter(None, [embedding.deviation])],
        instance=embedding.instance,
    )
    message.header.stamp = stamp(embedding.newest)
    message.header.frame_id = embedding.frame
    return message


def embedding(message: LatentEmbedding) -> Embedding:
    """The embedding of a message, as it is: `fusion.validation.check` says whether it fits.

    Raises:
        UnfitEmbedding: larger than any embedding is, a modality twice, or not one count and one
            stamp for each modality, and at most one stamp more.
    """
    place = message.position
    texts = (message.sender, message.object_id, message.fingerprint, message.header.frame_id)
    check_sizes(texts, 1 + len(message.aliases), len(message.mean) + len(message.log_variance))
    deviation = message.log_variance[len(message.mean) :][:1]
    variances = message.log_variance[: len(message.log_variance) - len(deviation)]
    disowned = message.stamps[len(message.modalities) :][:1]
    held = message.stamps[: len(message.stamps) - len(disowned)]
    stamps = by_modality(message.modalities, held, "stamps")
    reencodings = by_modality(message.modalities, message.reencodings, "reencodings")
    return Embedding(
        object_id=message.object_id,
        position=(place.x, place.y, place.z),
        frame=message.header.frame_id,
        held={modality: nanoseconds(time) for modality, time in stamps.items()},
        reencodings={modality: count & ~STRANGE for modality, count in reencodings.items()},
        strange=frozenset(modality for modality, count in reencodings.items() if count & STRANGE),
        mean=numbers(message.mean),
        log_variance=numbers(variances),
        sender=message.sender,
        fingerprint=message.fingerprint,
        aliases=tuple(message.aliases),
        instance=message.instance,
        disowned=sum(map(nanoseconds, disowned)),
        vanished=nanoseconds(message.header.stamp),
        deviation=sum(deviation),
    )


def classification_message(
    embedding: Embedding,
    sender: str,
    suite: SensorSuite,
    probabilities: np.ndarray,
    looks: Mapping[str, int],
) -> ObjectClassification:
    """What `sender` takes an object for; `looks` it has just taken are modality -> nanoseconds."""
    told = marginals(probabilities, suite.attributes)
    message = ObjectClassification(
        sender=sender,
        object_id=embedding.object_id,
        position=Point(**dict(zip("xyz", embedding.position, strict=True))),
        modalities=list(embedding.held),
        sensed=list(looks),
        classes=list(suite.classes),
        probabilities=np.asarray(probabilities, dtype=np.float32),
        attributes=[
            AttributeMarginal(
                name=marginal.name,
                values=list(marginal.values),
                probabilities=list(marginal.probabilities),
            )
            for marginal in told
        ],
        entropy=entropy(probabilities),
        kl_to_prior=kl_to_prior(embedding),
        verdict=Verdict.of(told, unknown=bool(embedding.strange)),
    )
    message.header.stamp = stamp(max(embedding.newest, *looks.values(), 0))
    message.header.frame_id = embedding.frame
    return message


def imagined_message(modality: Modality, held: bool, imagined: Imagined) -> ImaginedReading:
    """What a sensor would read, in its own unit."""
    unit = modality.view.unit
    return ImaginedReading(
        modality=modality.name,
        held=held,
        unit=unit.symbol,
        shape=list(imagined.mean.shape),
        mean=np.ravel(unit.offset + unit.scale * imagined.mean).astype(np.float32),
        standard_deviation=np.ravel(unit.scale * imagined.spread).astype(np.float32),
    )
