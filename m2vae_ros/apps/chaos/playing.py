# SPDX-License-Identifier: Apache-2.0
"""`m2vae chaos`: plays scenarios one after the other and says what came of them."""

from __future__ import annotations

import argparse
import time

from rich.console import Console

from m2vae_ros.apps.chaos.channel import Rates
from m2vae_ros.apps.chaos.live_team import ChaosError
from m2vae_ros.apps.chaos.report import table, write
from m2vae_ros.apps.chaos.scenario import Options, Outcome
from m2vae_ros.apps.chaos.scenarios import SCENARIOS
from m2vae_ros.bringup.processes import BringupError

ALL = "all"
"""Stands for every scenario."""


def run(options: argparse.Namespace) -> int:
    """Play scenarios.

    Args:
        options: of `m2vae chaos`.

    Returns:
        The exit status: 0 if all held that must hold, 1 if not.

    Raises:
        ValueError: there is no such scenario, or a rate makes no sense.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    if options.list:
        for name, scenario in SCENARIOS.items():
            console.print(f"{name:14} {scenario.what}\n{'':14} must: {scenario.must}", markup=False)
        return 0
    names = list(SCENARIOS) if options.scenario == [ALL] else options.scenario or ["network"]
    if unknown := set(names) - set(SCENARIOS):
        raise ValueError(f"no scenario {', '.join(sorted(unknown))}, there are: {_known()}")
    how = _options(options)
    outcomes: dict[str, Outcome] = {}
    seconds: dict[str, float] = {}
    for name in names:
        begin = time.monotonic()

        def says(words: str, name: str = name, begin: float = begin) -> None:
            elapsed = time.monotonic() - begin
            console.print(f"{name} {elapsed:6.1f} s  {words}", markup=False)

        try:
            outcomes[name] = SCENARIOS[name].play(how, says)
        except (BringupError, ChaosError) as error:
            outcomes[name] = Outcome([str(error)])
        seconds[name] = time.monotonic() - begin
        says("all held" if not outcomes[name].broken else "not all held")
        if options.json:
            write(options.json, SCENARIOS, {name: outcomes[name]}, how, seconds)
    console.print(table(outcomes))
    return 1 if any(outcome.broken for outcome in outcomes.values()) else 0


def _options(options: argparse.Namespace) -> Options:
    rates = Rates(
        options.loss,
        options.doubled,
        options.reordered,
        options.corrupted,
        options.forged,
        options.delay,
    )
    return Options(options.robots, options.times, options.minutes, rates, options.seed)


def _known() -> str:
    return ", ".join(SCENARIOS)
