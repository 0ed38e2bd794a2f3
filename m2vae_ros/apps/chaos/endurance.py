# SPDX-License-Identifier: Apache-2.0
"""Lets many robots sense for a long time, and watches their memory and their rates."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

from m2vae_ros.apps.chaos.live_team import LiveTeam, Plan
from m2vae_ros.apps.chaos.scenario import Options, Outcome, Says
from m2vae_ros.bringup.specs import Robots
from m2vae_ros.sensors.view import PictureView
from m2vae_ros.world.suite import AMIRO

WARM_UP = 60.0
"""Seconds after which memory has to be flat."""

FLAT = 2e6
"""Bytes by which a node may still grow from then on."""

KEPT = 0.95
"""Share of the readings that have to become looks."""

_SENSORS = [m for m, sensor in AMIRO.items() if not isinstance(sensor.view, PictureView)]
"""Those whose readings one process can play for many robots."""

SAY_EVERY = 5.0

STEPS = 10
"""Between looks at the clock."""


def endure(options: Options, says: Says, robots: int, rate: float) -> Outcome:
    """All robots share one topic, and go from object to object, a second at each.

    Args:
        options: see `Options`.
        says: is told how it goes on.
        robots: how many, if the options do not say.
        rate: Hz at which each of them gets readings.
    """
    count = options.robots or robots
    sensing: Robots = {f"amiro{n + 1}": (_SENSORS[n % len(_SENSORS)],) for n in range(count)}
    seconds = 60.0 * options.minutes
    warm_up = min(WARM_UP, seconds / 4)
    with LiveTeam(Plan(sensing, relayed=False, rate=rate, seed=options.seed), says) as team:
        early = _sense(team, warm_up)
        looks, played, begin = _looks(team), team.played, time.monotonic()
        late = _sense(team, seconds - warm_up)
        took = time.monotonic() - begin
        offered = (team.played - played) / took
        rates = sorted((after - looks[r]) / took for r, after in _looks(team).items())
        growth = {name: late[name] - early[name] for name in early}
    broken = [
        f"{name} grew by {grown / 1e6:.1f} MB after the first {warm_up:g} s"
        for name, grown in growth.items()
        if grown > FLAT
    ]
    if offered < KEPT * rate:
        broken.append(f"only {offered:.1f} Hz could be played")
    if rates[0] < KEPT * rate:
        broken.append(f"looks per second: {rates[0]:.1f} of the slowest robot, of {rate:g}")
    return Outcome(
        broken,
        {
            "robots": count,
            "minutes": options.minutes,
            "Hz played": offered,
            "Hz, slowest": rates[0],
            "Hz, median": median(rates),
            "MB, largest": max(late.values()) / 1e6,
            "MB grown, most": max(growth.values()) / 1e6,
        },
    )


def _sense(team: LiveTeam, seconds: float) -> Mapping[str, int]:
    """Let all robots sense for some time; the memory of their nodes at the end."""
    begin = time.monotonic()
    samples = 0
    while (elapsed := time.monotonic() - begin) < seconds:
        for number, robot in enumerate(team.running):
            team.stand(robot, team.objects[(int(elapsed) + number) % len(team.objects)].name)
        if elapsed >= SAY_EVERY * samples:
            samples += 1
            megabytes = sum(team.memory().values()) / 1e6
            team.says(f"{elapsed:.0f} of {seconds:.0f} s, all nodes together {megabytes:.0f} MB")
            team.processes.check()
        for _ in range(STEPS):
            team.step()
    return team.memory()


def _looks(team: LiveTeam) -> dict[str, int]:
    return {robot: team.looks(robot) for robot in team.running}
