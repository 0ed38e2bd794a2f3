# SPDX-License-Identifier: Apache-2.0
"""What an enemy on the network says, who has heard what the team says.

Each attack makes messages of the embeddings that were overheard, one of each object. Most are fit
messages of the right latent space: an enemy knows all that the network knows.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from m2vae_ros.fusion.embedding import Embedding

ENEMY = "mallory"
"""Whose name is signed with, where an attack needs no other."""

AHEAD = 450_000_000
"""Nanoseconds by which stamps lie in the future: within what clocks that differ are allowed."""

Message = Embedding | bytes
Forgery = Callable[[Sequence[Embedding], int, random.Random], Iterator[Message]]
"""Of the embeddings that were overheard, one of each object, and the time (ns)."""


@dataclass(frozen=True)
class Attack:
    """One kind of messages.

    Attributes:
        what: they are, in one line.
        messages: makes them.
    """

    what: str
    messages: Forgery


def forged(embedding: Embedding, other: Embedding, generator: random.Random) -> Embedding:
    """One plausible lie of a random kind about an object, after the pattern of two embeddings."""
    lie = generator.choice((_contradicting, _elsewhere, _renamed, _newer))
    return lie(embedding, other, generator)


def _contradicting(embedding: Embedding, other: Embedding, generator: random.Random) -> Embedding:
    return replace(embedding, mean=other.mean, log_variance=other.log_variance, sender=ENEMY)


def _elsewhere(embedding: Embedding, other: Embedding, generator: random.Random) -> Embedding:
    return replace(embedding, position=_place(generator, 500.0), sender=ENEMY)


def _renamed(embedding: Embedding, other: Embedding, generator: random.Random) -> Embedding:
    return replace(embedding, aliases=(other.object_id,), sender=ENEMY)


def _newer(embedding: Embedding, other: Embedding, generator: random.Random) -> Embedding:
    held = {modality: stamp + AHEAD for modality, stamp in embedding.held.items()}
    return replace(_contradicting(embedding, other, generator), held=held)


def _aliases(heard: Sequence[Embedding], now: int, generator: random.Random) -> Iterator[Message]:
    names = tuple(embedding.object_id for embedding in heard)
    yield replace(heard[0], aliases=names, sender=ENEMY)


def _padding(heard: Sequence[Embedding], now: int, generator: random.Random) -> Iterator[Message]:
    yield b"\x00\x00\x00\x03"


def _tie(heard: Sequence[Embedding], now: int, generator: random.Random) -> Iterator[Message]:
    for true, false in _pairs(heard):
        none = dict.fromkeys(true.held, 0)
        yield replace(
            true,
            mean=false.mean,
            log_variance=false.log_variance,
            sender="!",
            reencodings=none,
        )


def _contradiction(
    heard: Sequence[Embedding], now: int, generator: random.Random
) -> Iterator[Message]:
    yield from (_lie(true, false, now, ENEMY) for true, false in _pairs(heard))


def _future(heard: Sequence[Embedding], now: int, generator: random.Random) -> Iterator[Message]:
    yield from (_lie(true, false, now + AHEAD, ENEMY) for true, false in _pairs(heard))


def _victim(heard: Sequence[Embedding], now: int, generator: random.Random) -> Iterator[Message]:
    """Of the run of its program that each member is in, or of another."""
    for number, (true, false) in enumerate(_pairs(heard)):
        lie = _lie(true, false, now, true.sender)
        yield replace(lie, instance=lie.instance ^ number % 2)


def _poison(heard: Sequence[Embedding], now: int, generator: random.Random) -> Iterator[Message]:
    for true in heard:
        names = tuple(f"{generator.getrandbits(64):016x}" for _ in range(31))
        yield replace(true, aliases=names, sender=ENEMY)


def _junk(heard: Sequence[Embedding], now: int, generator: random.Random) -> Iterator[Message]:
    for number in range(1000):
        like = generator.choice(heard)
        yield replace(
            like,
            object_id=f"junk {number}",
            aliases=(),
            position=_place(generator, 400.0),
            held=dict.fromkeys(like.held, now),
            sender=ENEMY,
        )


def _moved(heard: Sequence[Embedding], now: int, generator: random.Random) -> Iterator[Message]:
    for true in heard:
        x, y, z = true.position
        held = dict.fromkeys(true.held, now)
        yield replace(true, position=(x + 499.0, y, z), held=held, sender=ENEMY)


def _vanished(heard: Sequence[Embedding], now: int, generator: random.Random) -> Iterator[Message]:
    for true in heard:
        prior = true.mean * 0.0
        yield replace(true, held={}, vanished=now, mean=prior, log_variance=prior, sender=ENEMY)


def _modalities(
    heard: Sequence[Embedding], now: int, generator: random.Random
) -> Iterator[Message]:
    held = {f"sensor {number}": now for number in range(30_000)}
    yield replace(heard[0], held=held, reencodings={}, sender=ENEMY)


def _long_text(heard: Sequence[Embedding], now: int, generator: random.Random) -> Iterator[Message]:
    yield replace(heard[0], fingerprint="f" * 5_000_000, sender=ENEMY)


def _fingerprints(
    heard: Sequence[Embedding], now: int, generator: random.Random
) -> Iterator[Message]:
    for _ in range(5000):
        yield replace(heard[0], fingerprint=f"{generator.getrandbits(64):016x}", sender=ENEMY)


def _chain(heard: Sequence[Embedding], now: int, generator: random.Random) -> Iterator[Message]:
    """From one object to its neighbour in steps within the gate, in random order."""
    first, second = heard[0], heard[1]
    steps = math.ceil(math.dist(first.position, second.position) / 0.25)
    links = list(range(1, steps))
    generator.shuffle(links)
    for link in links:
        between = zip(first.position, second.position, strict=True)
        x, y, z = (a + (b - a) * link / steps for a, b in between)
        yield replace(
            first,
            object_id=f"link {link}",
            aliases=(),
            position=(x, y, z),
            held=dict.fromkeys(first.held, now),
            sender=ENEMY,
        )


def _pairs(heard: Sequence[Embedding]) -> Iterator[tuple[Embedding, Embedding]]:
    """Each embedding, and the one of another object."""
    return zip(heard, (*heard[1:], heard[0]), strict=True)


def _lie(true: Embedding, false: Embedding, stamp: int, sender: str) -> Embedding:
    """What holds for one object told of another, as sensed just now."""
    return replace(
        true,
        mean=false.mean,
        log_variance=false.log_variance,
        held=dict.fromkeys(true.held, stamp),
        reencodings={},
        sender=sender,
    )


def _place(generator: random.Random, reach: float) -> tuple[float, float, float]:
    """Anywhere within some metres, but not where the team is."""
    angle, distance = generator.uniform(0.0, math.tau), generator.uniform(10.0, reach)
    return (distance * math.cos(angle), distance * math.sin(angle), 0.0)


ATTACKS: Mapping[str, Attack] = {
    "aliases": Attack("one message that gives all objects one name", _aliases),
    "padding": Attack("four bytes that end a process with Fast CDR 2.3.3", _padding),
    "tie": Attack("contradicting embeddings by a sender named !, which wins every tie", _tie),
    "contradiction": Attack("newer embeddings of another class", _contradiction),
    "future": Attack("contradicting embeddings, stamped 0.45 s ahead", _future),
    "victim": Attack("contradicting embeddings in the names of members", _victim),
    "poison": Attack("31 further names for every object", _poison),
    "moved": Attack("every object told of 499 m away", _moved),
    "vanished": Attack("that no object stands there any more", _vanished),
    "modalities": Attack("a message of 30,000 modalities", _modalities),
    "long_text": Attack("a fingerprint of 5 MB", _long_text),
    "fingerprints": Attack("5000 random fingerprints", _fingerprints),
    "chain": Attack("objects between two others, each within the gate of the next", _chain),
    "junk": Attack("1000 objects that do not exist", _junk),
}
"""By name."""
