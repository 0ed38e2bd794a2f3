# SPDX-License-Identifier: Apache-2.0
"""Robots on machines of their own, whose network breaks in two and heals."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from m2vae_ros.apps.chaos.live_team import ChaosError, LiveTeam, Plan
from m2vae_ros.apps.chaos.own_process import in_own_process, play
from m2vae_ros.apps.chaos.scenario import Options, Outcome, Says
from m2vae_ros.bringup.processes import PROFILES
from m2vae_ros.bringup.specs import TEAM, Robots
from m2vae_ros.host.network_namespaces import BridgedHosts, NetworkError
from m2vae_ros.host.scratch import Scratch

APART = 30.0
"""Seconds for which the halves are apart: longer than Fast DDS waits for who is silent (20 s)."""

TO_AGREE = 15.0
"""Seconds in which all have to agree: Fast DDS announces itself every 3 s, robots every second."""

_PROFILE = "<dds><profiles/></dds>"
"""Of Fast DDS: its defaults, in place of the one that keeps everything on one machine."""


def part(options: Options, says: Says, apart: float = APART, to_agree: float = TO_AGREE) -> Outcome:
    """Each half senses half of the objects, apart; then they meet.

    Args:
        options: see `Options`.
        says: is told how it goes on.
        apart: seconds for which the halves stay apart, once they have sensed all.
        to_agree: seconds that they have then.
    """
    return in_own_process(__name__, says, seed=options.seed, apart=apart, to_agree=to_agree)


def _part(seed: int, apart: float, to_agree: float, says: Says) -> Outcome:
    halves = [{f"half{half}{robot}": of for robot, of in TEAM.items()} for half in (0, 1)]
    robots: Robots = {**halves[0], **halves[1]}
    try:
        with _environment(), BridgedHosts() as hosts:
            for number, half in enumerate(halves):
                for robot in half:
                    hosts.add(robot, number)
            hosts.link(up=False)
            plan = Plan(robots, relayed=False, place=hosts.on, seed=seed)
            with LiveTeam(plan, says) as team:
                return _parted(team, hosts, [list(half) for half in halves], apart, to_agree)
    except NetworkError as error:
        raise ChaosError(str(error)) from error


def _parted(
    team: LiveTeam, hosts: BridgedHosts, halves: list[list[str]], apart: float, to_agree: float
) -> Outcome:
    names = [item.name for item in team.objects]
    of_halves = [names[: len(names) // 2], names[len(names) // 2 :]]
    pairs = list(zip(halves, of_halves, strict=True))
    team.says("each half senses half of the objects")
    team.explore(only={robot: of for half, of in pairs for robot in half})
    team.settle(apart)
    broken = [
        f"{robot}: knew of {sorted(team.held(robot))} while apart"
        for half, of in pairs
        for robot in half
        if set(team.held(robot)) != set(of)
    ]
    team.says("the halves meet")
    hosts.link(up=True)
    took = team.until(lambda: not team.shortfalls() and not team.disagreements(), to_agree)
    numbers: dict[str, float] = {"robots": len(team.running), "s apart": apart}
    if took is None:  # whatever holds by now
        broken += [f"not agreed in {to_agree:g} s", *team.shortfalls(), *team.disagreements()]
    else:
        numbers["s to agree"] = took
    return Outcome(broken, numbers, team.refused)


@contextmanager
def _environment() -> Iterator[None]:
    """Fast DDS as between machines: by its defaults, and without shared memory."""
    before = dict(os.environ)
    with Scratch("m2vae-partition-") as scratch:
        profile = scratch / "fastdds.xml"
        profile.write_text(_PROFILE)
        os.environ |= {name: str(profile) for name in PROFILES}
        os.environ["FASTDDS_BUILTIN_TRANSPORTS"] = "UDPv4"
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


if __name__ == "__main__":
    play(_part)
