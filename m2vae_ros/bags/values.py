# SPDX-License-Identifier: Apache-2.0
"""Whether what a view makes of messages can tell anything, going by its values alone."""

from __future__ import annotations

import math

import numpy as np

from m2vae_ros.sensors.view import View

NEARLY_ALL = 0.95
"""Share of values at the end of their range, from which that is said."""

FAR = 10.0
"""Mean size of values, from which they are far outside 0…1."""


class Values:
    """The values of one modality's readings, of which bounds and sums are kept.

    They are looked at as they are stored for the training: what is lost by that tells nothing.

    Args:
        view: that makes them.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._readings = 0
        self._low = np.full(view.shape, np.inf)
        self._high = np.full(view.shape, -np.inf)
        self._at_end = self._size = 0.0

    def add(self, reading: np.ndarray) -> None:
        """Look at a reading, in the shape of the view."""
        stored = self._view.unpack(self._view.pack(reading))
        self._readings += 1
        np.minimum(self._low, stored, out=self._low)
        np.maximum(self._high, stored, out=self._high)
        self._at_end += float(np.mean(stored >= 1.0))
        self._size += float(np.mean(np.abs(stored)))

    @property
    def problem(self) -> str:
        """Why nothing can be learnt from them; "" if something can, or one reading is all."""
        if self._readings < 2 or (self._low < self._high).any():
            return ""
        return (
            f"all {self._readings} readings that were looked at are the same, which tells nothing: "
            f"{self._cut_off or 'does the sensor work, and is this what it measures?'}"
        )

    @property
    def hint(self) -> str:
        """What is odd about them and how to change it; "" if nothing is, or if it is a problem."""
        if not self._readings or self.problem:
            return ""
        size = self._size / self._readings
        return self._cut_off or (self._far_outside(size) if size > FAR else "")

    @property
    def _cut_off(self) -> str:
        """That nearly all lie where the view cuts them off, and what says where."""
        share = self._at_end / self._readings
        limits = [(name, getattr(self._view, name)) for name in self._view.limits]
        limits = [(name, value) for name, value in limits if value is not None]
        if not limits or share < NEARLY_ALL:
            return ""
        named = ", ".join(f"{name} (now {value:g})" for name, value in limits)
        return (
            f"{math.floor(100 * share)} % of the values are 1, where their range ends: raise "
            f"{named}, unless nothing was there"
        )

    def _far_outside(self, size: float) -> str:
        """Which offset and scale would bring them into 0…1, in the unit of the messages."""
        said = f"values of {size:.3g} on average are far outside 0…1"
        if not (hasattr(self._view, "offset") and hasattr(self._view, "scale")):
            return said
        unit = self._view.unit
        low = unit.offset + unit.scale * float(self._low.min())
        span = unit.scale * float(self._high.max() - self._low.min())
        digits = 2 - math.floor(math.log10(span)) if span > 0 else 0
        offset, scale = round(low, digits), round(span, digits)
        return f"{said}: change offset to {offset:g} and scale to {scale:g}"
