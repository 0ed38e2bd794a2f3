# SPDX-License-Identifier: Apache-2.0
"""The messages and services: every field survives the wire, and embeddings stay small."""

from __future__ import annotations

import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point
from m2vae_ros.msg import (
    AttributeMarginal,
    EmbeddingDigest,
    ImaginedReading,
    LatentEmbedding,
    ObjectClassification,
)
from m2vae_ros.srv import Decode, Imagine, ResetObject
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header

HEADER = Header(stamp=Time(sec=1_700_000_000, nanosec=123_456_789), frame_id="world")
EMBEDDING = LatentEmbedding(
    header=HEADER,
    sender="amiro1",
    object_id="amiro1/object_3",
    aliases=["amiro2/object_1"],
    position=Point(x=1.25, y=-0.5, z=0.1),
    fingerprint="0123456789abcdef",
    modalities=["camera", "lidar", "reflectance"],
    stamps=[Time(sec=1_700_000_000 + n, nanosec=n) for n in range(3)],
    reencodings=[0, 1, 128],
    mean=[0.5 * n for n in range(10)],
    log_variance=[-0.25 * n for n in range(10)],
    instance=2**32 - 1,
)
DIGEST = EmbeddingDigest(instance=1, total=2, first=3, last=2**64 - 1, listed=[3, 4])
IMAGINED = ImaginedReading(
    modality="lidar",
    held=True,
    unit="m",
    shape=[2],
    mean=[0.5, 1.0],
    standard_deviation=[0.0, 0.25],
)
COLOUR = AttributeMarginal(name="colour", values=["red", "green"], probabilities=[0.75, 0.25])
CLASSIFICATION = ObjectClassification(
    header=HEADER,
    sender="amiro2",
    object_id="amiro1/object_3",
    position=Point(x=1.25, y=-0.5, z=0.1),
    modalities=["camera"],
    sensed=["camera"],
    classes=["red cylinder mat", "green box shiny"],
    probabilities=[0.75, 0.25],
    attributes=[COLOUR],
    entropy=0.5,
    kl_to_prior=12.5,
    verdict=ObjectClassification.PARTLY_KNOWN,
)


@pytest.mark.parametrize(
    "message",
    [
        EMBEDDING,
        COLOUR,
        CLASSIFICATION,
        DIGEST,
        Decode.Request(embedding=EMBEDDING, modality="lidar"),
        Decode.Response(success=True, message="none", shape=[3, 16, 64], data=[0.0, 0.5, 1.0]),
        IMAGINED,
        Imagine.Request(object_id="amiro1/object_3", modalities=["lidar"]),
        Imagine.Response(success=True, message="none", readings=[IMAGINED]),
        ResetObject.Request(object_id="amiro1/object_3"),
        ResetObject.Response(success=True, message="forgotten"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_every_field_survives_serialization(message):
    empty = type(message)()
    for field in message.get_fields_and_field_types():
        assert getattr(message, field) != getattr(empty, field), f"{field} is not set in this test"
    assert deserialize_message(serialize_message(message), type(message)) == message


def test_an_embedding_of_ten_dimensions_and_three_modalities_is_below_300_bytes():
    assert len(serialize_message(EMBEDDING)) < 300
