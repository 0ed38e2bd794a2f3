# SPDX-License-Identifier: Apache-2.0
"""Mutated messages through parsing and fusion, in one process."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from rclpy.serialization import serialize_message

from m2vae_ros.apps.chaos.attacks import forged
from m2vae_ros.apps.chaos.mutation import mutated
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.fusion.validation import UnfitEmbedding, check
from m2vae_ros.host.memory import resident
from m2vae_ros.host.resources import weights_folder
from m2vae_ros.msg import LatentEmbedding
from m2vae_ros.ros import serialised
from m2vae_ros.ros.messages import NANOSECONDS, embedding, embedding_message
from m2vae_ros.sensors import ObservationError

NOW = 1_000 * NANOSECONDS
OBJECTS = 8
_WORD = 4

SETTLED = 0.2
"""Share of the messages after which memory must not grow any more."""


@dataclass(frozen=True)
class Fuzzed:
    """What came of the messages.

    Attributes:
        outcomes: how many, by what was learnt from them or why they were refused.
        changed: refused messages that changed something held, each as a sentence.
        unexpected: errors that were none of those that refuse a message.
        growth: bytes by which the process grew after `SETTLED`.
    """

    outcomes: Counter[str]
    changed: list[str]
    unexpected: list[str]
    growth: int


def fuzz(count: int, seed: int, progress: Callable[[int], object] = lambda done: None) -> Fuzzed:
    """Send so many mutated messages to a robot that knows some objects.

    Args:
        count: of messages.
        seed: of all that is drawn.
        progress: called with the number of messages so far, a hundred times.
    """
    with _silent():
        return _fuzz(count, seed, progress)


def _fuzz(count: int, seed: int, progress: Callable[[int], object]) -> Fuzzed:
    memory = ObjectMemory(_engine(), "robot", 0.3, max_objects=100)
    generator = random.Random(seed)
    genuine = known_objects(memory, generator)
    outcomes: Counter[str] = Counter()
    changed: list[str] = []
    unexpected: list[str] = []
    settled = resident()
    for number in range(count):
        if number % max(1, count // 100) == 0:
            progress(number)
        if number == int(SETTLED * count):
            settled = resident()
        before = memory.objects()
        try:
            data = _message(genuine, generator)
            told = embedding(serialised.message(data, LatentEmbedding))
            outcomes[memory.receive(told, NOW).kind] += 1
            continue
        except UnfitEmbedding as error:
            outcomes[f"refused: {error.kind}"] += 1
        except ObservationError as error:
            outcomes[f"refused: {str(error).partition(':')[0]}"] += 1
        except Exception as error:  # which is what is looked for
            unexpected.append(f"message {number}: {error!r}")
        if memory.objects() != before:
            changed.append(f"message {number} was refused, and changed what is held")
    return Fuzzed(outcomes, changed, unexpected, resident() - settled)


def refused_messages(told: list[Embedding], count: int, seed: int, now: int) -> list[bytes]:
    """Mutated messages, of which a robot must refuse each.

    Args:
        told: genuine embeddings.
        count: of messages.
        seed: of all that is drawn.
        now: nanoseconds; what is stamped an hour or more later counts as of the future.
    """
    engine, generator = _engine(), random.Random(seed)
    genuine = [_bytes(each) for each in told]
    found: list[bytes] = []
    with _silent():
        while len(found) < count:
            data = mutated(generator.choice(genuine), generator)
            data += bytes(-len(data) % _WORD)  # RTPS does so, which can complete what was cut off
            try:
                message = embedding(serialised.message(data, LatentEmbedding))
                check(message, engine, now, 3600 * NANOSECONDS, told[0].frame)
            except (UnfitEmbedding, ObservationError):
                found.append(data)
    return found


def known_objects(memory: ObjectMemory, generator: random.Random) -> list[Embedding]:
    """Let a robot observe some objects by all modalities; what it then holds."""
    codes = np.random.default_rng(generator.getrandbits(32))
    engine = memory.engine
    nothing = np.zeros(engine.latent_dim, dtype=np.float32)
    sizes = {m: engine.decode(m, nothing).shape for m in engine.modalities}
    for number in range(OBJECTS):
        observed = {m: codes.normal(size=size).astype(np.float32) for m, size in sizes.items()}
        stamps = dict.fromkeys(observed, NOW - NANOSECONDS)
        memory.observe(f"object {number}", (float(number), 0.0, 0.0), observed, stamps)
    return memory.objects()


@contextmanager
def _silent() -> Iterator[None]:
    """Without stderr, to which Fast CDR writes a line for each message that it refuses."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _message(genuine: list[Embedding], generator: random.Random) -> bytes:
    """Every other one of a forged embedding, so that some get far."""
    told = generator.choice(genuine)
    if generator.random() < 0.5:
        told = forged(told, generator.choice(genuine), generator)
    return mutated(_bytes(told), generator)


def _engine() -> Engine:
    return OnnxEngine.load(weights_folder("amiro"))


def _bytes(told: Embedding) -> bytes:
    data: bytes = serialize_message(embedding_message(told))
    return data
