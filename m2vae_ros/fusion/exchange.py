# SPDX-License-Identifier: Apache-2.0
"""How two embeddings of one object become one, so that all robots end with the same.

Embeddings of one object are ordered: x supersedes y if x holds every modality that y holds, each
at least as new, and something more or newer; if both hold the very same observations, the one of
the smaller `Embedding.tie_break_key` supersedes (fewer re-encodings, then the lexicographically
smaller sender, then the bytes). This is a partial order. `join` returns an embedding at or above
all it is given: the largest if there is one, otherwise a newly folded one above all of them, which
has to be published. What a robot folds it from, its sources, is its own affair: it decides how good
the numbers are, not which of two embeddings counts.

Robots therefore agree in the end, whatever the order, loss or repetition of messages: what a robot
holds never goes down; each computation holds strictly newer observations, and these are finite, so
there is a last one; and once every robot has received what every other one holds, each of two
robots' embeddings is at or above the other's, hence the same, byte by byte. Numerical
differences between machines change nothing in this: whoever has the smaller key is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine
from m2vae_ros.fusion.sources import Sources, fold
from m2vae_ros.fusion.validation import check_numbers


def covers(x: Mapping[str, int], y: Mapping[str, int]) -> bool:
    """Whether x (modality -> ns) holds every modality of y, each at least as new."""
    return all(modality in x and x[modality] >= stamp for modality, stamp in y.items())


def supersedes(x: Embedding, y: Embedding) -> bool:
    """Whether x is strictly above y in the order of the module's text."""
    if x.held == y.held:
        return x.tie_break_key < y.tie_break_key
    return covers(x.held, y.held)


def join(
    engine: Engine, owner: str, embeddings: Iterable[Embedding], sources: Sources
) -> Embedding:
    """The embedding that takes the place of all these of one object.

    Args:
        engine: what encodes.
        owner: the robot that is named as sender of what has to be computed.
        embeddings: at least one; their order does not matter.
        sources: of each modality that counts, the newest observation that any of them holds.

    Returns:
        The one of them, the very object, that holds just these observations; of several the one of
        the smallest tie-break key. If there is none, what the sources fold into.

    Raises:
        UnfitEmbedding: the model makes no sense of the sources.
    """
    embeddings = list(embeddings)
    newest = {modality: source.stamp for modality, source in sources.items()}
    complete = [embedding for embedding in embeddings if embedding.held == newest]
    if complete:
        return min(complete, key=lambda embedding: embedding.tie_break_key)
    latest = min(embeddings, key=lambda embedding: (-embedding.newest, embedding.tie_break_key))
    return folded(engine, owner, latest, sources)


def folded(engine: Engine, owner: str, like: Embedding, sources: Sources) -> Embedding:
    """What these sources fold into, with the names and the place of another embedding.

    Raises:
        UnfitEmbedding: the model makes no sense of them.
    """
    posterior = fold(engine, sources)
    embedding = replace(
        like,
        held={m: source.stamp for m, source in sources.items()},
        reencodings={m: source.reencodings for m, source in sources.items()},
        mean=posterior.mean,
        log_variance=posterior.log_variance,
        sender=owner,
    )
    check_numbers(embedding, engine)
    return embedding
