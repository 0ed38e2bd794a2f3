# SPDX-License-Identifier: Apache-2.0
"""Embeddings between robots: from bytes to what is held, and how many bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

from m2vae_ros.msg import LatentEmbedding
from rclpy.serialization import deserialize_message, serialize_message

from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.ros.messages import embedding, embedding_message
from tools.bench.figures import Figure, Measured, Spread
from tools.bench.subjects import codes, node_engine, readings
from tools.bench.timing import Step, compare

GATE = 0.3


def measure() -> Measured:
    """See the module's text."""
    one = codes()
    sender = ObjectMemory(node_engine(), "sender", GATE)
    held = sender.observe("it", (0.0, 0.0, 0.0), one, dict.fromkeys(one, 1)).embedding
    assert held is not None
    raw = serialize_message(embedding_message(held))
    plain: Step = lambda: deserialize_message(raw, LatentEmbedding)  # noqa: E731
    knowing = ObjectMemory(node_engine(), "knowing", GATE)
    knowing.receive(held, 2)
    measured = compare(
        {
            "bytes → embedding → memory, known": {
                "taken in": lambda: knowing.receive(_read(raw), 2),
                "bytes → message, by rclpy": plain,
            },
            "bytes → embedding → memory, of a later look": {
                "taken in": _later(raw),
                "bytes → message, by rclpy": plain,
            },
            "embedding → message → bytes": {
                "written": lambda: serialize_message(embedding_message(held)),
                "message → bytes, by rclpy": _written(held),
            },
        }
    )
    image = readings()["camera"]
    sizes = {"embedding of three modalities": len(raw), "640×480 image": len(image.data)}
    of = {way: Spread.of([size]) for way, size in sizes.items()}
    return replace(measured, figures=[*measured.figures, Figure("message", of, "bytes")])


def _read(raw: bytes) -> object:
    return embedding(deserialize_message(raw, LatentEmbedding))


def _written(held: object) -> Step:
    message = embedding_message(held)
    return lambda: serialize_message(message)


def _later(raw: bytes) -> Step:
    """Each message tells of later observations of an object that is held."""
    memory = ObjectMemory(node_engine(), "receiver", GATE)
    clock: Callable[[], int] = count(1).__next__

    def receive() -> None:
        message = _read(raw)
        stamp = clock()
        memory.receive(replace(message, held=dict.fromkeys(message.held, stamp)), stamp)

    return receive
