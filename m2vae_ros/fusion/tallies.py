# SPDX-License-Identifier: Apache-2.0
"""Counts of what became of embeddings, for diagnostics."""

from __future__ import annotations

from m2vae_ros.fusion.memory import Receipt
from m2vae_ros.fusion.validation import KINDS, UnfitEmbedding


class Tallies:
    """How many embeddings came in, by what became of them.

    Attributes:
        last_reason: why the last unfit embedding was dropped; empty if none was.
    """

    def __init__(self) -> None:
        self.last_reason = ""
        self._received = dict.fromkeys(("new", "adopted", "merged", "known"), 0)
        self._dropped = dict.fromkeys(KINDS, 0)

    def received(self, receipt: Receipt) -> None:
        """Count an embedding that fitted."""
        self._received[receipt.kind] += 1

    def dropped(self, error: UnfitEmbedding) -> bool:
        """Count an embedding that did not fit.

        Returns:
            Whether it is the first of its kind, so that the reason is worth a line in the log.
        """
        self._dropped[error.kind] += 1
        self.last_reason = error.reason
        return self._dropped[error.kind] == 1

    @property
    def total_dropped(self) -> int:
        """How many embeddings did not fit."""
        return sum(self._dropped.values())

    def counts(self) -> dict[str, int]:
        """Every count under its name, e.g. "adopted" or "dropped: fingerprint"; zeros of the
        dropped kinds are left out."""
        dropped = {f"dropped: {kind}": n for kind, n in self._dropped.items() if n}
        return {**self._received, **dropped}
