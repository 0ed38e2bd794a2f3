# SPDX-License-Identifier: Apache-2.0
"""Which of two statements about one object says more, so that all robots end with the same.

Embeddings of one object are ordered: x supersedes y if x holds every modality that y holds, each at
least as new, and of one age re-encoded no more often; if both hold the very same, the one of the
smaller digest supersedes. What holds nothing is compared with its like alone, by time. Before all
that, what its sender has disowned is superseded by what it said to disown it. This is a partial
order, so what a set of embeddings has at its top does not depend on the order in which they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine
from m2vae_ros.fusion.sources import Sources, fold
from m2vae_ros.fusion.validation import MOST_REENCODINGS, check_numbers


def supersedes(x: Embedding, y: Embedding) -> bool:
    """Whether x is strictly above y in the order of the module's text."""
    if x.disowned != y.disowned:
        return x.disowned > y.disowned
    mine, theirs = _observations(x), _observations(y)
    if mine == theirs:
        return x.digest < y.digest
    return all(m in mine and mine[m] >= observation for m, observation in theirs.items())


def folded(engine: Engine, like: Embedding, sources: Sources) -> Embedding:
    """What these sources fold into, with everything else of another embedding.

    Raises:
        UnfitEmbedding: the model makes no sense of them.
    """
    posterior = fold(engine, sources)
    embedding = replace(
        like,
        held={m: source.stamp for m, source in sources.items()},
        reencodings={m: min(s.reencodings, MOST_REENCODINGS) for m, s in sources.items()},
        strange=frozenset(m for m, source in sources.items() if source.strange),
        mean=posterior.mean,
        log_variance=posterior.log_variance,
    )
    check_numbers(embedding, engine)
    return embedding


def _observations(of: Embedding) -> Mapping[str, tuple[int, int]]:
    """That nothing was seen is an observation, too; no modality has the empty name."""
    return {m: (stamp, -of.reencodings[m]) for m, stamp in of.held.items()} or {"": (of.newest, 0)}
