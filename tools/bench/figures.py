# SPDX-License-Identifier: Apache-2.0
"""What a measurement is: repeated values of several ways to the same thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SECONDS = "s"
"""The unit of what machines differ in: only such figures are told relative to the calibration."""


@dataclass(frozen=True)
class Spread:
    """The median of repeated measurements, and their quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
        return cls(float(median), float(low), float(high))


@dataclass(frozen=True)
class Figure:
    """One thing that was measured in several ways.

    Attributes:
        name: of the thing.
        ways: name of the way -> its spread; this package's own is the first, and the others are
            what it is compared with. Less is better.
        unit: of all of them.
    """

    name: str
    ways: Mapping[str, Spread]
    unit: str = SECONDS

    @property
    def own(self) -> Spread:
        """That of this package."""
        return next(iter(self.ways.values()))


@dataclass(frozen=True)
class Measured:
    """What came of a section.

    Attributes:
        calibration: seconds of the fixed workload, measured between the figures.
        figures: in the order of the table.
    """

    calibration: Spread
    figures: Sequence[Figure]
