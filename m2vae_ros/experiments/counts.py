# SPDX-License-Identifier: Apache-2.0
"""How many of some samples were classified right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scipy.stats import binomtest


@dataclass(frozen=True)
class Count:
    """How many of n samples were classified right."""

    right: int
    n: int

    @property
    def accuracy(self) -> float:
        """The share of right ones."""
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the accuracy, by Wilson's score."""
        interval = binomtest(self.right, self.n).proportion_ci(0.95, "wilson")
        return interval.low, interval.high

    def to_json(self) -> dict[str, Any]:
        """The numbers and the interval."""
        low, high = self.interval
        return {"right": self.right, "n": self.n, "low": low, "high": high}
