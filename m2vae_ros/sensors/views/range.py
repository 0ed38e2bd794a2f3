# SPDX-License-Identifier: Apache-2.0
"""One distance: a sonar, or an infrared or laser range finder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.view import Unit, View, check_positive


@dataclass(frozen=True)
class RangeView(View):
    """The distance to the nearest thing ahead.

    Attributes:
        max_range: metres that become 1; what is farther, or infinite, is "nothing there", also 1.
    """

    kind: ClassVar[str] = "range"
    types: ClassVar[tuple[str, ...]] = ("sensor_msgs/msg/Range",)
    limits: ClassVar[tuple[str, ...]] = ("max_range",)

    max_range: float = 4.0

    def __post_init__(self) -> None:
        check_positive(self, "max_range")

    @property
    def shape(self) -> tuple[int]:
        """Shape of the result."""
        return (1,)

    @property
    def unit(self) -> Unit:
        """See `View.unit`."""
        return Unit("m", self.max_range)

    def read(self, message: Any) -> np.ndarray:
        """See `View.read`; -inf is an object too near to be measured (REP 117), which is 0."""
        if math.isnan(message.range):
            raise ObservationError("range: is NaN")
        return np.array([np.clip(message.range / self.max_range, 0.0, 1.0)], dtype=np.float32)
