# SPDX-License-Identifier: Apache-2.0
"""The figures as a table and as JSON, and what is slower than in another run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.bench.figures import SECONDS, Figure, Measured

TOLERANCE = 1.25
"""How many times what it was a figure may be before it is told."""


def to_plain(measured: Measured) -> dict[str, Any]:
    """A section, for JSON."""
    return {
        "calibration": asdict(measured.calibration),
        "figures": {
            figure.name: {
                "unit": figure.unit,
                "ways": {way: asdict(spread) for way, spread in figure.ways.items()},
            }
            for figure in measured.figures
        },
    }


def slower(now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    """What is more than `TOLERANCE` times what it was, a sentence each.

    Seconds count relative to the calibration of their section and run, so that machines compare.

    Args:
        now, before: section -> as `to_plain` gives it; what only one of them has is left out.
    """
    for section in now:
        if section not in before:
            continue
        here, there = now[section], before[section]
        machines = here["calibration"]["median"] / there["calibration"]["median"]
        for name, figure in here["figures"].items():
            if name not in there["figures"]:
                continue
            was = there["figures"][name]
            scale = machines if figure["unit"] == SECONDS else 1.0
            growth = _own(figure) / (_own(was) * scale)
            if growth > TOLERANCE:
                yield f"{section}: {name}: {growth:.2f} times what it was"


def show(section: str, measured: Measured, console: Console) -> None:
    """A section as a table."""
    table = Table(title=section, title_justify="left")
    for column in ("", "way", "median", "quartiles", "own ÷ this"):
        table.add_column(column, justify="left" if column in ("", "way") else "right")
    for figure in measured.figures:
        for row in _rows(figure):
            table.add_row(*row)
        table.add_section()
    console.print(table)


def _own(figure: Mapping[str, Any]) -> float:
    own: float = next(iter(figure["ways"].values()))["median"]
    return own


def _rows(figure: Figure) -> Iterator[tuple[str, ...]]:
    for index, (way, spread) in enumerate(figure.ways.items()):
        ratio = f"{figure.own.median / spread.median:.2f}" if index else ""
        shown, low, high = (
            _readable(value, figure.unit) for value in (spread.median, spread.low, spread.high)
        )
        yield figure.name if not index else "", way, shown, f"{low} … {high}", ratio


def _readable(value: float, unit: str) -> str:
    if unit != SECONDS:
        return f"{value:.4g} {unit}"
    for name, factor in (("s", 1.0), ("ms", 1e3)):
        if value * factor >= 1.0:
            return f"{value * factor:.3g} {name}"
    return f"{value * 1e6:.3g} µs"
