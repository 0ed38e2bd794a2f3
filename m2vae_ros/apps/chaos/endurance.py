# SPDX-License-Identifier: Apache-2.0
"""Lets many robots sense for a long time, and watches their memory and their rates."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

from m2vae_ros.apps.chaos.live_team import LiveTeam, Plan
from m2vae_ros.apps.chaos.scenario import Options, Outcome, Says
from m2vae_ros.bringup.specs import Robots

RATE = 10.0
"""Hz at which each robot gets readings."""

WARM_UP = 60.0
"""Seconds after which memory has to be flat."""

FLAT = 2e6
"""Bytes by which a node may still grow from then on."""

KEPT = 0.95
"""Share of the readings that have to become looks."""

_SENSORS = ("lidar", "reflectance")
"""Those whose readings one process can play for many robots."""

_SAMPLE_EVERY = 5.0


def endure(options: Options, says: Says) -> Outcome:
    """All robots share one topic, and go from object to object, a second at each."""
    count = options.robots or 32
    robots: Robots = {f"amiro{n + 1}": (_SENSORS[n % len(_SENSORS)],) for n in range(count)}
    seconds = 60.0 * options.minutes
    warm_up = min(WARM_UP, seconds / 4)
    with LiveTeam(Plan(robots, relayed=False, seed=options.seed), says) as team:
        begin = time.monotonic()
        played, memory = _sense(team, warm_up)
        early, looks = memory[-1], _looks(team)
        played, memory = _sense(team, seconds - warm_up)
        took = time.monotonic() - begin - warm_up
        rates = sorted((after - looks[r]) / took for r, after in _looks(team).items())
        growth = {name: memory[-1][name] - early[name] for name in early}
    offered = played / took
    broken = [
        f"{name} grew by {grown / 1e6:.1f} MB after the first {warm_up:g} s"
        for name, grown in growth.items()
        if grown > FLAT
    ]
    if offered < KEPT * RATE:
        broken.append(f"only {offered:.1f} Hz could be played")
    if rates[0] < KEPT * RATE:
        broken.append(f"looks per second: {rates[0]:.1f} of the slowest robot, of {RATE:g}")
    return Outcome(
        broken,
        {
            "robots": count,
            "minutes": options.minutes,
            "Hz played": offered,
            "Hz, slowest": rates[0],
            "Hz, median": median(rates),
            "MB, largest": max(memory[-1].values()) / 1e6,
            "MB grown, most": max(growth.values()) / 1e6,
        },
    )


def _sense(team: LiveTeam, seconds: float) -> tuple[int, list[Mapping[str, int]]]:
    """Play readings; how often each robot got one, and samples of all nodes' memory."""
    begin = time.monotonic()
    played, memory = 0, [team.memory()]
    robots = team.running
    while (elapsed := time.monotonic() - begin) < seconds:
        if elapsed >= played / RATE:
            for number, robot in enumerate(robots):
                item = team.objects[(int(elapsed) + number) % len(team.objects)]
                team.look(robot, item.name)
            played += 1
        if elapsed >= _SAMPLE_EVERY * len(memory):
            memory.append(team.memory())
            megabytes = sum(memory[-1].values()) / 1e6
            team.says(f"{elapsed:.0f} of {seconds:.0f} s, all nodes together {megabytes:.0f} MB")
            team.processes.check()
        team.step()
    return played, [*memory, team.memory()]


def _looks(team: LiveTeam) -> dict[str, int]:
    return {robot: team.looks(robot) for robot in team.running}
