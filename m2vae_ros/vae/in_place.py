# SPDX-License-Identifier: Apache-2.0
"""In-place fusion (Eq. 18) and the merging of two embeddings of one object.

Both work on any *model* with two methods, whatever its arrays are made of:

- ``encode({modality: x}) -> posterior`` with the fields ``mean`` and ``log_variance``,
- ``decode(modality, mean) -> x``.

`M2VAE` has them for batches of tensors, the engines of `m2vae_ros.fusion` for single arrays, so
the running robots and the published accuracies come from the same lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def fuse_in_place(model: Any, mean: Any, held: Iterable[str], new: Mapping[str, Any]) -> Any:
    """Update an embedding with new observations, Eq. 18: ``q(z* | new, decode(held, z))``.

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


def merge(
    model: Any,
    x_mean: Any,
    x_times: Mapping[str, int],
    y_mean: Any,
    y_times: Mapping[str, int],
) -> tuple[Any, dict[str, int]]:
    """Join two embeddings of one object: each modality from whoever sensed it last.

    Args:
        model: what encodes and decodes (see the module's text).
        x_mean, y_mean: the two embeddings, (..., D_z).
        x_times, y_times: modality -> time of the observation, in any one unit.

    Returns:
        The posterior of the union, and modality -> time of what it holds. Where both hold a
        modality of the same age, it is taken from x; swapping x and y then changes the result by
        the re-encoding error and no more.
    """
    from_y = {m for m, time in y_times.items() if m not in x_times or time > x_times[m]}
    times = {**x_times, **{m: y_times[m] for m in from_y}}
    union = {m: model.decode(m, y_mean if m in from_y else x_mean) for m in times}
    return model.encode(union), times
