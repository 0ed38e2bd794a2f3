# SPDX-License-Identifier: Apache-2.0
"""What came of scenarios, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from m2vae_ros.apps.chaos.scenario import Options, Outcome, Scenario
from m2vae_ros.host.files import write_json

MOST_SHOWN = 3
"""Sentences of what did not hold that a table shows."""


def table(outcomes: Mapping[str, Outcome]) -> Table:
    """One row for each scenario."""
    shown = Table("scenario", "holds", "what was measured", "refused")
    for name, outcome in outcomes.items():
        numbers = ", ".join(f"{what} {value:g}" for what, value in _rounded(outcome).items())
        refused = ", ".join(f"{kind} {n}" for kind, n in sorted(outcome.refused.items()))
        broken = outcome.broken[:MOST_SHOWN]
        if more := len(outcome.broken) - len(broken):
            broken.append(f"and {more} more")
        shown.add_row(name, "no" if broken else "yes", "\n".join([numbers, *broken]), refused)
    return shown


def write(
    path: Path,
    scenarios: Mapping[str, Scenario],
    outcomes: Mapping[str, Outcome],
    options: Options,
    seconds: Mapping[str, float],
) -> None:
    """Add the outcomes to a JSON file; those of other scenarios stay.

    Raises:
        OSError: it cannot be read or written.
        ValueError: it is no such file.
    """
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if not isinstance(known, dict):
        raise ValueError(f"{path}: is no object of scenarios")
    for name, outcome in outcomes.items():
        known[name] = {
            "what": scenarios[name].what,
            "must": scenarios[name].must,
            "holds": not outcome.broken,
            "broken": outcome.broken,
            "numbers": _rounded(outcome),
            "refused": dict(sorted(outcome.refused.items())),
            "seed": options.seed,
            "seconds": round(seconds[name], 1),
        }
    ordered = {name: known[name] for name in scenarios if name in known}
    write_json(path, ordered)


def _rounded(outcome: Outcome) -> dict[str, float]:
    return {what: round(value, 3) for what, value in outcome.numbers.items()}
