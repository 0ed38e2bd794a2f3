# SPDX-License-Identifier: Apache-2.0
"""Which readings go together into one sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from m2vae_ros.sensors.messages import NANOSECONDS


@dataclass(frozen=True)
class Thing:
    """What was sensed in one bag, of which it is not known whether it is in another.

    Attributes:
        bag: the folder.
        name: of an object or a robot.
        class_name: its class, or "".
    """

    bag: Path
    name: str
    class_name: str

    def group(
        self, split: Literal["bag", "object", "episode"], number: int, robot: str, episode: int
    ) -> str:
        """What of a reading of this thing has to stay together when samples are split.

        Args:
            split: what lies wholly in one part.
            number: of the bag, among those that are read.
            robot: whose reading it is.
            episode: number of the robot's episode.
        """
        if split == "bag":
            return f"{number}"
        if split == "object":
            return f"{number} {self.name}"
        return f"{number} {robot} {episode}"


def by_object(counts: Mapping[str, int], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Which reading of each modality goes into which sample of one object.

    There are as many samples as the most plentiful modality has readings, so that none is left out;
    readings of the others are taken again, each as often as any other, give or take once.

    Args:
        counts: modality -> readings, at least one.
        rng: of the order.

    Returns:
        modality -> int64 (samples,), indices of its readings.
    """
    samples = max(counts.values())
    return {
        modality: np.concatenate([rng.permutation(count) for _ in range(-(-samples // count))])[
            :samples
        ]
        for modality, count in counts.items()
    }


def by_time(stamps: Mapping[str, np.ndarray], tolerance: float) -> dict[str, np.ndarray]:
    """Which reading of each modality goes into which sample, by when it was taken.

    There is a sample for each reading of the rarest modality that has one of every other within the
    tolerance; of several the nearest in time counts.

    Args:
        stamps: modality -> when its readings of one thing were taken, nanoseconds, at least one.
        tolerance: seconds between two readings of a sample, at most.

    Returns:
        modality -> int64 (samples,), indices of its readings.
    """
    rarest = min(stamps, key=lambda m: len(stamps[m]))
    nearest = {m: _nearest(found, stamps[rarest]) for m, found in stamps.items()}
    nearest[rarest] = np.arange(len(stamps[rarest]))  # each once, also if of one time
    taken = np.stack([stamps[m][index] for m, index in nearest.items()])
    together = np.ptp(taken, axis=0) <= tolerance * NANOSECONDS
    return {m: index[together] for m, index in nearest.items()}


def _nearest(stamps: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Of each time the index of the nearest stamp."""
    order = np.argsort(stamps, kind="stable")
    ordered = stamps[order]
    after = np.clip(np.searchsorted(ordered, times), 1, max(1, len(ordered) - 1))
    before = after - 1
    after = np.minimum(after, len(ordered) - 1)
    closer = np.abs(ordered[after] - times) < np.abs(ordered[before] - times)
    return order[np.where(closer, after, before)]
