# SPDX-License-Identifier: Apache-2.0
"""Numeric fields of any message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from m2vae_ros.sensors.fields import check_paths, values
from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.view import Unit, View, check_finite, check_positive


@dataclass(frozen=True)
class VectorView(View):
    """Numbers of a message, one behind the other.

    Attributes:
        fields: their paths, such as `linear_acceleration.x`, or that of an array.
        size: how many numbers there are in all; 0: one for each field.
        offset: what becomes 0.
        scale: how much above `offset` becomes 1.
    """

    kind: ClassVar[str] = "vector"

    fields: tuple[str, ...] = ()
    size: int = 0
    offset: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_paths(self.fields)
        if self.size < 0:
            raise ValueError(f"size: must not be negative, it is {self.size}")
        check_positive(self, "scale")
        check_finite(self, "offset")

    @property
    def shape(self) -> tuple[int]:
        """Shape of the result."""
        return (self.size or len(self.fields),)

    @property
    def unit(self) -> Unit:
        """See `View.unit`."""
        return Unit(scale=self.scale, offset=self.offset)

    def read(self, message: Any) -> np.ndarray:
        """See `View.read`."""
        found = np.concatenate([values(message, path) for path in self.fields])
        if found.shape != self.shape:
            raise ObservationError(
                f"{', '.join(self.fields)}: {found.size} values, expected {self.shape[0]}"
            )
        scaled: np.ndarray = ((found - self.offset) / self.scale).astype(np.float32)
        return scaled
