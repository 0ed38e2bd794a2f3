# SPDX-License-Identifier: Apache-2.0
"""How strongly what is near reflects: the intensities of a LaserScan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from m2vae_ros.sensors.messages import numbers
from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.view import Unit, View, check_positive
from m2vae_ros.sensors.views.scan import LASER_SCAN


@dataclass(frozen=True)
class IntensitiesView(View):
    """The intensities of a scan, or of a ring of proximity sensors, in units of the strongest one.

    Attributes:
        rays: number of them.
        max_intensity: the reading that becomes 1; stronger ones are cut off.
    """

    kind: ClassVar[str] = "intensities"
    types: ClassVar[tuple[str, ...]] = (LASER_SCAN,)
    measures: ClassVar[str] = "intensities"
    limits: ClassVar[tuple[str, ...]] = ("max_intensity",)

    rays: int = 8
    max_intensity: float = 1.0

    def __post_init__(self) -> None:
        check_positive(self, "rays", "max_intensity")

    @property
    def shape(self) -> tuple[int]:
        """Shape of the result."""
        return (self.rays,)

    @property
    def unit(self) -> Unit:
        """See `View.unit`."""
        return Unit(scale=self.max_intensity)

    @property
    def axis(self) -> tuple[str, np.ndarray]:
        """See `View.axis`."""
        return "ray", np.arange(self.rays, dtype=np.float64)

    def __call__(self, intensities: np.ndarray) -> np.ndarray:
        """Scale a reading.

        Args:
            intensities: (rays,); a value that is not finite is "nothing there", which is 0.

        Returns:
            float32 (rays,) in [0, 1].

        Raises:
            ObservationError: no intensities, another number of them, nothing but NaN.
        """
        values = np.asarray(intensities, dtype=np.float64)
        if values.size == 0:
            raise ObservationError("intensities: empty, the sensor must report intensities")
        if values.shape != self.shape:
            raise ObservationError(
                f"intensities: {values.size} values, expected {self.rays} (one for each ray)"
            )
        if np.isnan(values).all():
            raise ObservationError("intensities: every value is NaN")
        values = np.where(np.isfinite(values), values, 0.0) / self.max_intensity
        return np.clip(values, 0.0, 1.0).astype(np.float32)

    def read(self, message: Any) -> np.ndarray:
        """See `View.read`."""
        return self(numbers(message.intensities))
