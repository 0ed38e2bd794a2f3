# SPDX-License-Identifier: Apache-2.0
"""How two embeddings of one object become one, so that all robots end with the same.

Embeddings of one object are ordered: x supersedes y if x holds every modality that y holds, each
at least as new, and something more or newer; if both hold the very same observations, the one of
the smaller `Embedding.rank` supersedes (the lexicographically smaller sender, then the bytes).
This is a partial order. `join` returns an embedding at or above all it is given: the largest if
there is one, otherwise a newly computed one above all of them, which has to be published.

Robots therefore agree in the end, whatever the order, loss or repetition of messages: what a robot
holds never goes down; each computation holds strictly newer observations, and these are finite, so
there is a last one; and once every robot has received what every other one holds, each of two
robots' embeddings is at or above the other's, hence the same, byte by byte. Numerical
differences between machines change nothing in this: whoever has the smaller rank is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import reduce

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine
from m2vae_ros.fusion.validation import check_numbers
from m2vae_ros.vae.in_place import fuse_in_place, merge


def covers(x: Mapping[str, int], y: Mapping[str, int]) -> bool:
    """Whether x (modality -> ns) holds every modality of y, each at least as new."""
    return all(modality in x and x[modality] >= stamp for modality, stamp in y.items())


def supersedes(x: Embedding, y: Embedding) -> bool:
    """Whether x is strictly above y in the order of the module's text."""
    if x.held == y.held:
        return x.rank < y.rank
    return covers(x.held, y.held)


def join(engine: Engine, owner: str, embeddings: Iterable[Embedding]) -> Embedding:
    """The embedding that takes the place of all these of one object.

    Args:
        engine: what decodes and encodes.
        owner: the robot that is named as sender of what has to be computed.
        embeddings: at least one; their order does not matter.

    Returns:
        One of them, the very object, if it supersedes all others. Otherwise the union of their
        newest observations, decoded and encoded again.

    Raises:
        UnfitEmbedding: the model makes no sense of the union.
    """
    unique = list({embedding.rank: embedding for embedding in embeddings}.values())
    largest = [x for x in unique if not any(supersedes(y, x) for y in unique)]
    largest.sort(key=lambda x: x.rank)
    return reduce(lambda x, y: _merged(engine, owner, x, y), largest)


def later_part(engine: Engine, owner: str, embedding: Embedding, after_ns: int) -> Embedding | None:
    """What remains of an embedding without the observations up to a time.

    Args:
        engine, owner: as in `join`.
        embedding: the whole.
        after_ns: observations at this time or earlier are left out.

    Returns:
        The embedding itself if all it holds is newer, None if nothing is; otherwise the newer
        modalities, decoded and encoded again.

    Raises:
        UnfitEmbedding: the model makes no sense of the rest.
    """
    later = {m: stamp for m, stamp in embedding.held.items() if stamp > after_ns}
    if not later:
        return None
    if len(later) == len(embedding.held):
        return embedding
    posterior = fuse_in_place(engine, embedding.mean, later, {})
    return _checked(engine, replace(embedding, held=later, sender=owner, **_numbers(posterior)))


def _merged(engine: Engine, owner: str, x: Embedding, y: Embedding) -> Embedding:
    posterior, held = merge(engine, x.mean, x.held, y.mean, y.held)
    latest = max(x, y, key=lambda embedding: embedding.newest)
    return _checked(engine, replace(latest, held=held, sender=owner, **_numbers(posterior)))


def _numbers(posterior) -> dict:
    return {"mean": posterior.mean, "log_variance": posterior.log_variance}


def _checked(engine: Engine, embedding: Embedding) -> Embedding:
    check_numbers(embedding, engine)
    return embedding
