# SPDX-License-Identifier: Apache-2.0
"""Observations of several modalities, row by row of the same objects, with the objects' classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Labelled:
    """N objects, each seen by every modality.

    Attributes:
        x: modality -> float32 (N, D_m).
        labels: int64 (N,), the classes, counted from 0. No autoencoder sees them.
    """

    x: Mapping[str, np.ndarray]
    labels: np.ndarray

    def __post_init__(self) -> None:
        for modality, values in self.x.items():
            if len(values) != len(self.labels):
                raise ValueError(
                    f"{modality}: {len(values)} observations, but {len(self.labels)} labels"
                )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def dims(self) -> dict[str, int]:
        """Modality -> D_m, the length of one observation."""
        return {modality: values.shape[1] for modality, values in self.x.items()}
