# SPDX-License-Identifier: Apache-2.0
"""Numeric fields of any message over a time: an IMU, a force, a current."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from m2vae_ros.sensors.fields import check_paths, values
from m2vae_ros.sensors.messages import NANOSECONDS
from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.view import Stream, Unit, View, check_finite, check_positive

DECADES = 6.0
"""Of power above the floor that become 1 in a spectrum."""


@dataclass(frozen=True)
class WindowView(View):
    """The last seconds of some numbers, at equally spaced times, or their spectrum.

    Between two messages the values are interpolated. A gap longer than `max_gap` is not bridged:
    the window begins anew behind it. So it does where time goes back.

    The spectrum is the logarithm of the power at each frequency from 0 to half the rate, of each
    field by itself: what matters of a motion is how fast and how strong it is, not its phase.

    Attributes:
        fields: paths of the numbers, such as `linear_acceleration.x`.
        seconds: length of the window.
        rate: Hz, of the values in it.
        hop: seconds from one window to the next.
        max_gap: seconds between two messages, at most.
        spectrum: whether the result is the logarithm of the power spectrum.
        offset: of the fields, what becomes 0.
        scale: of the fields, how much above `offset` becomes 1.
        floor: power that counts as silence, in units of `scale` squared.
    """

    kind: ClassVar[str] = "window"

    fields: tuple[str, ...] = ()
    seconds: float = 5.0
    rate: float = 10.0
    hop: float = 0.5
    max_gap: float = 0.5
    spectrum: bool = False
    offset: float = 0.0
    scale: float = 1.0
    floor: float = 1e-4

    def __post_init__(self) -> None:
        check_paths(self.fields)
        check_positive(self, "seconds", "rate", "hop", "max_gap", "scale", "floor")
        check_finite(self, "offset")
        if math.isinf(self.seconds * self.rate):
            raise ValueError(f"seconds: {self.seconds:g} at {self.rate:g} Hz are too many values")
        if self.samples < 2:
            raise ValueError(f"seconds: {self.seconds:g} at {self.rate:g} Hz are no two values")

    @property
    def samples(self) -> int:
        """Values of each field in a window."""
        return round(self.seconds * self.rate)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the result: fields, values or frequencies."""
        return (len(self.fields), self.samples // 2 + 1 if self.spectrum else self.samples)

    @property
    def unit(self) -> Unit:
        """See `View.unit`."""
        return (
            Unit("decades", DECADES)
            if self.spectrum
            else Unit(scale=self.scale, offset=self.offset)
        )

    @property
    def period(self) -> float:
        """See `View.period`."""
        return self.hop

    @property
    def axis(self) -> tuple[str, np.ndarray]:
        """See `View.axis`."""
        if self.spectrum:
            return "frequency, Hz", np.fft.rfftfreq(self.samples, 1.0 / self.rate)
        return "time, s", np.arange(self.samples) / self.rate

    @property
    def span(self) -> float:
        """Seconds from the first to the last value of a window."""
        return (self.samples - 1) / self.rate

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        """What the model takes of a window.

        Args:
            signal: (fields, samples) in the units of the message.

        Returns:
            float32 of the view's shape.
        """
        scaled = (np.asarray(signal, dtype=np.float64) - self.offset) / self.scale
        if not self.spectrum:
            return scaled.astype(np.float32)
        power = np.abs(np.fft.rfft(scaled * np.hanning(self.samples))) ** 2 / self.samples
        # from silence, which is 0, to what is a million times stronger, about 1
        return (np.log10(power / self.floor + 1.0) / DECADES).astype(np.float32)

    def read(self, message: Any) -> np.ndarray:
        """One message makes no window.

        Raises:
            ObservationError: always; `stream` reads windows.
        """
        raise ObservationError("a window takes many messages")

    def stream(self) -> Stream:
        """See `View.stream`: a window every `hop` seconds, once it is full."""
        return _Window(self)


class _Window:
    """The messages of the last seconds."""

    def __init__(self, view: WindowView) -> None:
        self._view = view
        self._stamps: deque[int] = deque()
        self._values: deque[np.ndarray] = deque()
        self._span = round(view.span * NANOSECONDS)
        self._due = 0

    def __call__(self, message: Any, stamp: int) -> np.ndarray | None:
        view = self._view
        found = np.concatenate([values(message, path) for path in view.fields])
        if found.size != len(view.fields):
            raise ObservationError(f"{', '.join(view.fields)}: expected a number each")
        if self._stamps:
            gap = stamp - self._stamps[-1]
            if gap == 0:
                return None
            if gap < 0 or gap > view.max_gap * NANOSECONDS:
                self._stamps.clear()
                self._values.clear()
        if not self._stamps:
            self._due = stamp + self._span
        self._stamps.append(stamp)
        self._values.append(found)
        begin = stamp - self._span
        while len(self._stamps) > 1 and self._stamps[1] <= begin:
            self._stamps.popleft()
            self._values.popleft()
        if stamp < self._due:
            return None
        self._due += max(1, round(view.hop * NANOSECONDS))
        if self._due <= stamp:  # messages come more rarely than windows should
            self._due = stamp + 1
        times = np.arange(view.samples) * (self._span / (view.samples - 1))
        stamps = np.fromiter(self._stamps, dtype=np.int64) - begin
        signal = np.stack(self._values, axis=1)
        return view(np.stack([np.interp(times, stamps, row) for row in signal]))
