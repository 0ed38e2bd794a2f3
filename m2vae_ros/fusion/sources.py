# SPDX-License-Identifier: Apache-2.0
"""What makes knowledge last: each observation is taken from where it was re-encoded least.

An embedding is *folded* from the observations of its modalities (encoded), and *unfolded* into
them again (decoded) by whoever fuses it with something new. Each time costs a little, and a robot
that applied Eq. 18 to its own results would lose within a minute what others had sensed. So a robot
keeps for each modality of an object its *source*: the code of its own reading, or what it unfolded
from the embedding that carries the newest observation with the fewest re-encodings. A new embedding
is always folded from the sources, never from the robot's own last result. However often it looks
again, what it knows by the others' sensors stays the very same; only a chain of robots each of
which knows the modality from the one before alone adds to the count, one for each robot.

Works on single arrays, as in `ObjectMemory`, and on batches of tensors, as in the evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from m2vae_ros.vae.in_place import unfold


@dataclass(frozen=True, eq=False)
class Source:
    """The observation of one modality, as near to the sensor as it is known.

    Attributes:
        code: the β-VAE's code, (..., D_m).
        stamp: time of the observation, nanoseconds.
        reencodings: how often it was folded into an embedding and unfolded again; 0 is a reading of
            the robot's own.
        strange: whether its reading was of nothing that the model knows; that is no reason to
            prefer another.
    """

    code: Any
    stamp: int
    reencodings: int = 0
    strange: bool = False

    def supersedes(self, other: Source | None) -> bool:
        """Whether this is newer, or nearer to the sensor at the same age."""
        return other is None or _order(self.stamp, self.reencodings) > _order(
            other.stamp, other.reencodings
        )


Sources = Mapping[str, Source]
"""Modality -> its source."""


def best(x: Sources, y: Sources) -> dict[str, Source]:
    """Of each modality the source that supersedes the other; x's if neither does."""
    return {**x, **{m: source for m, source in y.items() if source.supersedes(x.get(m))}}


def received(
    model: Any,
    mean: Any,
    held: Mapping[str, int],
    reencodings: Mapping[str, int],
    known: Sources,
    after: int = -1,
) -> dict[str, Source]:
    """The sources after an embedding was received; nothing is unfolded if none is better.

    Args:
        model: what encodes and decodes, see `m2vae_ros.vae.in_place`.
        mean: of the embedding, (..., D_z).
        held: modality -> time of the observation it holds, nanoseconds.
        reencodings: modality -> how often that was re-encoded before it was folded into this one.
        known: the sources until now.
        after: observations of this time or older are left out, nanoseconds.
    """
    better = [
        m
        for m, stamp in held.items()
        if stamp > after and Source(None, stamp, reencodings[m] + 1).supersedes(known.get(m))
    ]
    if not better:
        return dict(known)
    codes = unfold(model, mean, held)
    return {**known, **{m: Source(codes[m], held[m], reencodings[m] + 1) for m in better}}


def fold(model: Any, sources: Sources) -> Any:
    """The posterior q(z | all sources), mean and log-variance (..., D_z)."""
    return model.encode({modality: source.code for modality, source in sources.items()})


def information_gain(after: Any, before: Any) -> float:
    """D_KL(after ‖ before) in nats: what the new posterior (D_z,) tells that the old did not."""
    log_ratio = after.log_variance - before.log_variance
    distance = (after.mean - before.mean) ** 2 * np.exp(-before.log_variance)
    return float(0.5 * (np.exp(log_ratio) + distance - 1.0 - log_ratio).sum())


def _order(stamp: int, reencodings: int) -> tuple[int, int]:
    return stamp, -reencodings
