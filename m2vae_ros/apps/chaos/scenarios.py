# SPDX-License-Identifier: Apache-2.0
"""Everything that can be tried on a team, by name."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from functools import partial
from statistics import median

from m2vae_ros.apps.chaos.attacks import ATTACKS, ENEMY, Attack
from m2vae_ros.apps.chaos.channel import CLEAN, Rates
from m2vae_ros.apps.chaos.endurance import endure
from m2vae_ros.apps.chaos.fuzzing import fuzz, refused_messages
from m2vae_ros.apps.chaos.knowledge import accuracy
from m2vae_ros.apps.chaos.live_team import ChaosError, LiveTeam, Plan
from m2vae_ros.apps.chaos.partition import TO_AGREE as TO_MEET
from m2vae_ros.apps.chaos.partition import part
from m2vae_ros.apps.chaos.scenario import Options, Outcome, Says, Scenario
from m2vae_ros.apps.chaos.stopping import stop_often
from m2vae_ros.apps.chaos.tampering import MEMORY, SECONDS, tamper
from m2vae_ros.bringup.specs import Robots
from m2vae_ros.world.suite import AMIRO

SIEGE = {name: attack for name, attack in ATTACKS.items() if name != "tie"}
"""One enemy's: a second one who tells the same lies would win the votes."""

LATE = "late"
"""A robot without sensors that joins after everything has happened."""

TO_AGREE = 15.0
"""Seconds that a team has after what happened to it."""

TO_AGREE_ON_A_BAD_NETWORK = 30.0

TO_CATCH_UP = 3.0
"""Seconds that a node has after it came back."""

TO_LEARN = 2.0
"""Seconds after it is active in which a robot that joins has to know what is true."""

BACK = 60.0
"""Seconds by which the clock is set back."""

FLAT = 20e6
"""Bytes by which a node may grow over all messages that it refuses."""


def robots_with_one_sensor(count: int) -> Robots:
    """Robots of which none can know an object alone."""
    names = list(AMIRO)
    return {f"amiro{n + 1}": (names[n % len(names)],) for n in range(count)}


def _team(options: Options, count: int, rates: Rates = CLEAN, **plan: object) -> Plan:
    robots = robots_with_one_sensor(options.robots or count)
    return Plan({**robots, LATE: ()}, rates, seed=options.seed, **plan)  # type: ignore[arg-type]


def _agreed(team: LiveTeam, patience: float = TO_AGREE) -> float | None:
    """The seconds until all hold the truth, and the very same; None if they do not in time."""
    return team.until(lambda: not team.shortfalls() and not team.disagreements(), patience)


def _told(team: LiveTeam) -> None:
    """Let the team sense all, and agree; what each sensor told of an object was overheard by then.

    Raises:
        ChaosError: it does not.
    """
    team.says("the robots sense all objects")
    team.explore()
    if _agreed(team) is None or team.until(team.overheard_all, TO_AGREE) is None:
        wrong = [*team.shortfalls(), *team.disagreements()]
        raise ChaosError(f"the team did not agree before anything happened: {wrong}")


def _attacked(attacks: Mapping[str, Attack], options: Options, says: Says) -> Outcome:
    broken, count = [], 0
    with LiveTeam(_team(options, 3), says) as team:
        _told(team)
        for name, attack in attacks.items():
            heard = [team.heard[item.name] for item in team.objects]
            generator = random.Random(f"{options.seed} {attack.what}")
            messages = list(attack.messages(heard, team.now, generator))
            count += len(messages)
            says(f"the enemy sends {attack.what}")
            if not team.attack(ENEMY, messages):
                broken.append(f"{name}: not all messages were taken in")
            team.settle(1.0)
            broken += _standing(team, f"after {name}")
        says("the robots look again")
        deaf = team.look_again()
        broken += [f"{robot}: its own looks do not count any more" for robot in deaf]
        broken += _standing(team, "after another look")
        says("a robot joins")
        team.start(LATE)
        learnt = team.until(lambda: not team.shortfalls(LATE), TO_LEARN)
        broken += [f"who joined: {words}" for words in team.shortfalls(LATE)]
        numbers: dict[str, float] = {"messages": count, "objects besides": _besides(team)}
        if learnt is not None:
            numbers["s until who joined knows"] = learnt
        return Outcome(broken, numbers, team.refused)


def _standing(team: LiveTeam, when: str) -> list[str]:
    """Which of the truth does not stand, as the robots get a moment to correct themselves."""
    team.until(lambda: not team.shortfalls(), TO_CATCH_UP)
    return [f"{when}: {words}" for words in team.shortfalls()]


def _besides(team: LiveTeam) -> int:
    """The most objects that any robot holds and that do not exist."""
    names = {item.name for item in team.objects}
    return max(len(held.keys() - names) for held in map(team.held, team.running))


def _bad_network(options: Options, says: Says) -> Outcome:
    times = options.times or 20
    broken, seconds, right, counts = [], [], [], Counter[str]()
    clean = _explored(options, CLEAN, says)[0]
    for number in range(times):
        says(f"run {number + 1} of {times}")
        again = Options(options.robots, seed=options.seed + number)
        share, took, sent, wrong = _explored(again, options.rates, says)
        right.append(share)
        counts += sent
        if took is None:
            broken.append(f"run {number + 1}: {'; '.join(wrong[:3])}")
        else:
            seconds.append(took)
    if (mean := sum(right) / times) < clean - 0.01:
        broken.append(f"accuracy {mean:.3f}, on a clean network {clean:.3f}")
    numbers = {"runs": times, "agreed": len(seconds), "accuracy": mean, "accuracy, clean": clean}
    if seconds:
        numbers |= {"median s to agree": median(seconds), "most s to agree": max(seconds)}
    return Outcome(broken, {**numbers, **{f"messages {k}": n for k, n in counts.items()}})


def _explored(
    options: Options, rates: Rates, says: Says
) -> tuple[float, float | None, Counter[str], list[str]]:
    """A team's accuracy, seconds to agree, messages, and what is wrong in the end."""
    with LiveTeam(_team(options, 8, rates), says) as team:
        team.explore()
        seconds = _agreed(team, TO_AGREE_ON_A_BAD_NETWORK)
        wrong = [*team.shortfalls(), *team.disagreements()]
        share = accuracy(team.objects, map(team.held, team.running))
        return share, seconds, team.relay.counts, wrong


def _kills(options: Options, says: Says) -> Outcome:
    times = options.times or 50
    generator = random.Random(f"{options.seed} kills")
    broken, seconds = [], []
    with LiveTeam(_team(options, 3), says) as team:
        _told(team)
        for number in range(times):
            robot = generator.choice(team.running)
            for other in robots_with_one_sensor(options.robots or 3):
                team.stand(other, generator.choice(team.objects).name)
            team.settle(generator.uniform(0.0, 1.0))
            says(f"kill {number + 1} of {times}: {robot}")
            team.kill(robot)
            team.settle(generator.uniform(0.0, 1.0))
            team.start(robot)
            took = _agreed(team, TO_CATCH_UP)
            if took is None:
                wrong = [*team.shortfalls(), *team.disagreements()]
                broken.append(f"kill {number + 1}, of {robot}: {'; '.join(wrong[:3])}")
                team.look_again()
            else:
                seconds.append(took)
    numbers: dict[str, float] = {"kills": times, "caught up": len(seconds)}
    if seconds:
        numbers |= {"median s to catch up": median(seconds), "most s": max(seconds)}
    return Outcome(broken, numbers)


def _clock_back(options: Options, says: Says) -> Outcome:
    with LiveTeam(_team(options, 3, simulated_time=True), says) as team:
        _told(team)
        says(f"the clock goes back by {BACK:g} s")
        team.clock_back(BACK)
        team.settle(1.0)
        deaf = team.look_again()
        broken = [f"{robot}: its own looks do not count any more" for robot in deaf]
        broken += _standing(team, "after the clock went back")
        return Outcome(broken, refused=team.refused)


def _namesakes(options: Options, says: Says) -> Outcome:
    name = {"amiro2": {"robot": "amiro1"}}
    with LiveTeam(_team(options, 3, parameters=name), says) as team:
        team.explore()
        _agreed(team)
        broken = _standing(team, "with two of one name")
        broken += [f"with two of one name: {words}" for words in team.disagreements()]
        return Outcome(broken, refused=team.refused)


def _mutations(options: Options, says: Says) -> Outcome:
    times = options.times or 1_000_000
    found = fuzz(times, options.seed, lambda done: says(f"{done:,} of {times:,} messages"))
    broken = found.changed[:10] + found.unexpected[:10]
    if found.growth > FLAT:
        broken.append(f"the process grew by {found.growth / 1e6:.1f} MB")
    refused = {k.partition(": ")[2]: n for k, n in found.outcomes.items() if ": " in k}
    taken = {k: n for k, n in found.outcomes.items() if ": " not in k}
    return Outcome(
        broken, {"messages": times, "MB grown": round(found.growth / 1e6, 1), **taken}, refused
    )


def _raw_bytes(options: Options, says: Says) -> Outcome:
    times = options.times or 50_000
    broken = []
    with LiveTeam(_team(options, 3), says) as team:
        _told(team)
        team.settle(3.0)  # what they say they hold lags behind what they have just fused
        held = {robot: team.held(robot) for robot in team.running}
        heard = [team.heard[item.name] for item in team.objects]
        messages = refused_messages(heard, times, options.seed, team.now)
        some = times // 10 + 1
        team.attack(ENEMY, messages[:some])
        says(f"{some:,} of {times:,} messages were sent")
        before = team.memory()
        if not team.attack(f"{ENEMY}2", messages[some:]):
            broken.append("not all messages were taken in")
        team.processes.check()
        grown = max(now - before[name] for name, now in team.memory().items())
        if grown > FLAT:
            broken.append(f"a node grew by {grown / 1e6:.1f} MB")
        changed = [robot for robot in team.running if team.held(robot) != held[robot]]
        broken += [f"{robot}: what it holds has changed" for robot in changed]
        return Outcome(broken, {"messages": times, "MB grown": grown / 1e6}, team.refused)


_TRUTH = (
    "the true objects, their classes and ids stand on every node, own looks count, and who joins "
    "learns the truth"
)

SCENARIOS: Mapping[str, Scenario] = {
    **{
        name: Scenario(attack.what, _TRUTH, partial(_attacked, {name: attack}))
        for name, attack in ATTACKS.items()
    },
    "siege": Scenario(
        "all these attacks but tie on one team, one after the other",
        _TRUTH,
        partial(_attacked, SIEGE),
    ),
    "clock": Scenario(
        "the simulated time goes back by a minute", "own looks count, the truth stands", _clock_back
    ),
    "namesakes": Scenario("two robots have one name", "all agree on the truth", _namesakes),
    "network": Scenario(
        "messages are lost, doubled, late, reordered",
        "8 robots agree on the truth in every run of 20, as right as on a clean network",
        _bad_network,
    ),
    "partition": Scenario(
        "6 robots, each in a network namespace of its own (as root), whose network breaks in two",
        f"the halves learn apart, and {TO_MEET:g} s after they meet all agree on the truth",
        part,
    ),
    "kills": Scenario(
        "50 nodes are killed at random moments, and come back",
        f"each time all agree on the truth {TO_CATCH_UP:g} s after the node is active",
        _kills,
    ),
    "mutations": Scenario(
        "1,000,000 mutated messages go through parsing and fusion in one process",
        "none that is refused changes what is held, memory stays flat",
        _mutations,
    ),
    "weights": Scenario(
        "200 flipped bits of every file of the shipped weights, cards of nonsense, and bombs",
        f"each is refused by the name of its file within {SECONDS:g} s and {MEMORY / 1e6:g} MB, or "
        "changes nothing",
        tamper,
    ),
    "bytes": Scenario(
        "50,000 messages that are none go over real topics",
        "no node ends, nothing held changes, memory stays flat",
        _raw_bytes,
    ),
    "stop": Scenario(
        "a whole system is stopped 50 times at random moments on a busy machine",
        "every process has done what it had to, is down within 2 s, and leaves nothing",
        stop_often,
    ),
    "endurance": Scenario(
        "16 robots sense at 10 Hz for 10 minutes",
        "memory stays flat after the first minute, and 10 Hz are kept",
        partial(endure, robots=16, rate=10.0),
    ),
    "crowd": Scenario(
        "32 robots sense at 2 Hz for 10 minutes",
        "memory stays flat after the first minute, and 2 Hz are kept",
        partial(endure, robots=32, rate=2.0),
    ),
}
"""In the order of the list."""
