# SPDX-License-Identifier: Apache-2.0
"""In-place fusion (Eq. 18), and the unfolding of an embedding that can be repeated.

Both work on any *model* with two methods, whatever its arrays are made of:

- ``encode({modality: x}) -> posterior`` with the fields ``mean`` and ``log_variance``,
- ``decode(modality, mean) -> x``,

and, if it has these lines in one piece, as a graph, ``unfold(mean, held) -> {modality: x}``.

`M2VAE` has them for batches of tensors, the engines of `m2vae_ros.fusion` for single arrays, so
the running robots and the published accuracies come from the same lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

ROUNDS = 4
"""Of `unfold`; each one takes about a factor of four off the re-encoding error."""


MOST_ORDERS = 120
"""In which modalities are fused one after the other, to find the worst: all of five modalities."""


def orders(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """The orders in which modalities can come; of very many, some that are drawn at random."""
    if math.factorial(len(modalities)) <= MOST_ORDERS:
        return list(permutations(modalities))
    rng = np.random.default_rng(0)
    drawn = {tuple(map(str, rng.permutation(modalities))) for _ in range(MOST_ORDERS)}
    return sorted(drawn)


def fuse_in_place(model: Any, mean: Any, held: Iterable[str], new: Mapping[str, Any]) -> Any:
    """Update an embedding with new observations, Eq. 18: ``q(z* | new, decode(held, z))``.

    One step of the paper. Each costs a re-encoding error, so a robot does not apply it to its own
    results over and over: see `m2vae_ros.fusion.sources`.

    Args:
        model: what encodes and decodes (see the module's text).
        mean: the old embedding, (..., D_z); ignored if nothing is held.
        held: the modalities the old embedding was made from.
        new: the new observations, modality -> (..., D_m). A modality that is both held and new is
            replaced, so that nothing is counted twice. May be empty: the embedding is re-encoded.

    Returns:
        The posterior of the union, mean and log-variance (..., D_z).
    """
    unfolded = {modality: model.decode(modality, mean) for modality in held if modality not in new}
    return model.encode({**unfolded, **new})


def sensed_in_turn(model: Any, x: Mapping[str, Any], order: Sequence[str]) -> list[Any]:
    """Fuse one modality after the other in place: the means (..., D_z) after each.

    Args:
        model: what encodes and decodes (see the module's text).
        x: modality -> observations (..., D_m).
        order: of the modalities.
    """
    means: list[Any] = []
    for index, modality in enumerate(order):
        old = means[-1] if means else None
        means.append(fuse_in_place(model, old, order[:index], {modality: x[modality]}).mean)
    return means


def unfold(model: Any, mean: Any, held: Iterable[str], rounds: int = ROUNDS) -> dict[str, Any]:
    """The observations that an embedding stands for: those that encode to it again.

    Decoding alone gives observations that encode to z plus an error, and the error adds up when it
    is done again and again. Here z is decoded at the point z' whose decoding encodes to z, found by
    the fixed-point iteration ``z' ← z' + z - encode(decode(z'))`` from z' = z. A round that does
    not bring it nearer to z is not taken, so a model without such a point is no worse off.

    Args:
        model: what encodes and decodes (see the module's text).
        mean: the embedding z, (..., D_z).
        held: the modalities it was made from, at least one.
        rounds: of the iteration; 0 decodes z itself, as in Eq. 18.

    Returns:
        Modality -> (..., D_m).
    """
    held = tuple(held)
    if rounds == ROUNDS and (at_once := getattr(model, "unfold", None)):
        observations: dict[str, Any] = at_once(mean, held)
        return observations

    def decoded(point: Any) -> dict[str, Any]:
        return {modality: model.decode(modality, point) for modality in held}

    point, observations = mean, decoded(mean)
    error: Any = mean - model.encode(observations).mean if rounds else None
    for _ in range(rounds):
        nearer = point + error
        tried = decoded(nearer)
        rest = mean - model.encode(tried).mean
        better = (rest * rest).sum(-1) < (error * error).sum(-1)
        point, error = _where(better, nearer, point), _where(better, rest, error)
        observations = {m: _where(better, tried[m], observations[m]) for m in held}
    return observations


def _where(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition (...) holds, else y, both (..., D); of numpy or of torch."""
    if isinstance(x, np.ndarray):
        return np.where(condition[..., None], x, y)
    return x.where(condition[..., None], y)
