# SPDX-License-Identifier: Apache-2.0
"""Asking the right robot: how many looks a team needs until it knows every object.

Epistemic sensing, which the paper's sections on ambiguity and its conclusion propose. A world is
some objects that nobody trained on and a team; who looks at what next is decided by the planner of
`m2vae_ros.fusion.planning` or without it. Each look is fused by the memory that robots run. A first
look by a modality is the object's own reading, a further one that of another object of the class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.experiments.camera_lidar import simulated
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.experiments.section import Check, Prose, Section, Table
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Engine
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.fusion.planning import Planner
from m2vae_ros.host.resources import resource

NAME = "asking"

LEAST_SAVED = 0.2
"""Share of the random looks."""

MOST_LOST = 0.005
"""Of accuracy against random looks."""

RESAMPLES = 2000
"""Of the worlds, for intervals."""

SPACING = 10.0
"""Metres between objects, beyond any gate."""


@dataclass(frozen=True)
class Settings:
    """How worlds are drawn.

    Attributes:
        seeds: one pool of objects and one draw of worlds for each.
        worlds: of each kind and seed.
        objects: fewest and most in a world.
        pool: objects from which those of the worlds are drawn.
        told: the probability that a modality of an object of a `mixed` world is known from before.
        patience: looks for each object after which a world is given up.
    """

    seeds: tuple[int, ...] = (7301, 7302, 7303, 7304, 7305)
    worlds: int = 200
    objects: tuple[int, int] = (3, 10)
    pool: int = 1200
    told: float = 0.3
    patience: int = 100


@dataclass(frozen=True)
class World:
    """What there is to know, and who can find it out.

    Attributes:
        objects: their indices in the pool.
        team: robot -> the modalities of its sensors.
        told: of each object the modalities that are known from before.
    """

    objects: Sequence[int]
    team: Mapping[str, Sequence[str]]
    told: Sequence[Sequence[str]]


class Pool:
    """Objects and their codes by every modality."""

    def __init__(self, engine: Engine, samples: Samples) -> None:
        self.labels = samples.labels
        self._members = [np.flatnonzero(samples.labels == label) for label in samples.labels]
        self._codes = {
            m: [engine.encode_modality(m, x).code for x in samples.observations(m)]
            for m in engine.modalities
        }

    def code(self, item: int, modality: str, again: np.random.Generator | None) -> np.ndarray:
        """Of the object itself or, `again`, of a random one of its class."""
        if again is not None:
            item = int(again.choice(self._members[item]))
        return self._codes[modality][item]


class Mission:
    """One world on the way to being known."""

    def __init__(self, engine: Engine, pool: Pool, world: World, seed: int) -> None:
        self.world = world
        self.planner = Planner(engine, world.team)
        self.looks = 0
        self._engine = engine
        self._pool = pool
        self._memory = ObjectMemory(engine, "team", gate_m=0.3, instance=0)
        self._readings = np.random.default_rng(seed)
        self._seen: set[tuple[int, str]] = set()
        self._time = 0
        for index, modalities in enumerate(world.told):
            self._sense(index, modalities)

    def look(self, robot: str, index: int) -> None:
        """A robot looks at an object by all its sensors."""
        self.looks += 1
        self._sense(index, self.world.team[robot])

    def held(self, index: int) -> Embedding | None:
        """What is held of an object."""
        return self._memory.get(str(index))

    def unknown(self) -> list[int]:
        """The objects whose class is not known yet."""
        every = range(len(self.world.objects))
        return [index for index in every if not self.planner.is_known(self.held(index))]

    def right(self) -> int:
        """How many objects are taken for what they are."""
        labels = self._pool.labels[list(self.world.objects)]
        embeddings = [self.held(index) for index in range(len(labels))]
        taken = [-1 if e is None else self._engine.classify(e.mean).argmax() for e in embeddings]
        return int(np.sum(labels == taken))

    def _sense(self, index: int, modalities: Sequence[str]) -> None:
        if not modalities:
            return
        self._time += 1
        codes = {}
        for modality in modalities:
            again = self._readings if (index, modality) in self._seen else None
            codes[modality] = self._pool.code(self.world.objects[index], modality, again)
            self._seen.add((index, modality))
        place = (SPACING * index, 0.0, 0.0)
        stamps = dict.fromkeys(modalities, self._time)
        self._memory.observe(str(index), place, codes, stamps)


Looks = Iterator[tuple[str, int]]
"""Robots and the objects at which they look, one after the other, for ever."""


def planned(mission: Mission, rng: np.random.Generator) -> Looks:
    """In rounds: the planner sends the team, all look, and it plans anew."""
    every = range(len(mission.world.objects))
    while True:
        objects = {str(index): mission.held(index) for index in every}
        sent = mission.planner.send(objects, mission.world.team)
        yield from ((robot, int(name)) for robot, name in sent.items())


def lacking(mission: Mission, rng: np.random.Generator) -> Looks:
    """A random robot and object, of those where a modality is missing; else any not known."""
    while True:
        pairs = _pairs(mission)
        missing = [
            (robot, index)
            for robot, index in pairs
            if not set(mission.world.team[robot]) <= set(getattr(mission.held(index), "held", ()))
        ]
        yield _one_of(missing or pairs, rng)


def at_random(mission: Mission, rng: np.random.Generator) -> Looks:
    """A random robot, and a random object that is not known."""
    while True:
        yield _one_of(_pairs(mission), rng)


def touring(mission: Mission, rng: np.random.Generator) -> Looks:
    """In turn each robot looks at the next object of its round, known or not."""
    count, robots = len(mission.world.objects), list(mission.world.team)
    step = 0
    while True:
        for place, robot in enumerate(robots):
            yield robot, (step + place * count // len(robots)) % count
        step += 1


STRATEGIES: dict[str, Callable[[Mission, np.random.Generator], Looks]] = {
    "planner": planned,
    "lacking": lacking,
    "random": at_random,
    "tour": touring,
}


def _pairs(mission: Mission) -> list[tuple[str, int]]:
    return [(robot, index) for index in mission.unknown() for robot in mission.world.team]


def _one_of(pairs: Sequence[tuple[str, int]], rng: np.random.Generator) -> tuple[str, int]:
    return pairs[int(rng.integers(len(pairs)))]


def alone(modalities: Sequence[str], setting: Settings, rng: np.random.Generator) -> World:
    """One robot for each modality, and nothing known."""
    objects = _drawn(setting, rng)
    return World(objects, {f"robot {m}": (m,) for m in modalities}, [()] * len(objects))


def mixed(modalities: Sequence[str], setting: Settings, rng: np.random.Generator) -> World:
    """Three to five robots of one or two sensors, and some modalities known from before."""
    objects = _drawn(setting, rng)
    carried: list[Sequence[str]] = []
    while not set(modalities) <= {m for sensors in carried for m in sensors}:
        counts = rng.integers(1, 3, size=rng.integers(3, 6))
        carried = [tuple(map(str, rng.choice(modalities, n, replace=False))) for n in counts]
    told = [[m for m in modalities if rng.random() < setting.told] for _ in objects]
    return World(objects, {f"robot {n}": sensors for n, sensors in enumerate(carried)}, told)


KINDS = {"alone": alone, "mixed": mixed}


def _drawn(setting: Settings, rng: np.random.Generator) -> list[int]:
    low, high = setting.objects
    drawn: list[int] = rng.integers(setting.pool, size=rng.integers(low, high + 1)).tolist()
    return drawn


def settings(quick: bool) -> Settings:
    """Of the experiment."""
    return Settings(seeds=(1,), worlds=4, pool=80) if quick else Settings()


def run(lab: Lab) -> None:
    """Let every strategy find out every world, and publish asking.json."""
    setting = settings(lab.quick)
    jobs = [(lab, setting, kind, seed) for seed in setting.seeds for kind in KINDS]
    for seed in setting.seeds:  # drawn once, before several processes want them
        _samples(lab, setting, seed)
    measured = lab.map("Worlds", measure, jobs)
    by_kind = {
        kind: [m for job, m in zip(jobs, measured, strict=True) if job[2] == kind] for kind in KINDS
    }
    numbers: dict[str, Any] = {"fingerprint": _engine().fingerprint}
    numbers |= {kind: summarised(of_seeds) for kind, of_seeds in by_kind.items()}
    lab.publish(NAME, numbers, settings=asdict(setting), seeds=list(setting.seeds))


def _engine() -> OnnxEngine:
    return OnnxEngine.load(resource("models/amiro"))


def _samples(lab: Lab, setting: Settings, seed: int) -> Samples:
    return simulated(lab.runs / NAME / f"{setting.pool}-{seed}.npz", setting.pool, seed)


def measure(lab: Lab, setting: Settings, kind: str, seed: int) -> dict[str, np.ndarray]:
    """Strategy -> int (worlds, 4), see `fly`."""
    engine = _engine()
    pool = Pool(engine, _samples(lab, setting, seed))
    rng = np.random.default_rng(seed)
    worlds = [KINDS[kind](engine.modalities, setting, rng) for _ in range(setting.worlds)]
    return {
        name: np.array(
            [
                fly(Mission(engine, pool, world, seed + n), strategy, setting, seed + n)
                for n, world in enumerate(worlds)
            ]
        )
        for name, strategy in STRATEGIES.items()
    }


def fly(
    mission: Mission,
    strategy: Callable[[Mission, np.random.Generator], Looks],
    setting: Settings,
    seed: int,
) -> tuple[int, int, int, int]:
    """Look until every object is known: looks, right objects, objects, and those that are known."""
    count = len(mission.world.objects)
    looks = strategy(mission, np.random.default_rng(seed))
    while mission.unknown() and mission.looks < setting.patience * count:
        mission.look(*next(looks))
    return mission.looks, mission.right(), count, count - len(mission.unknown())


def summarised(of_seeds: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """What every strategy took, with 95 % intervals by a bootstrap of the worlds.

    Args:
        of_seeds: of `measure`.

    Returns:
        Strategy -> `looks` of an object, `accuracy`, `known` (share of the objects), and `saved`:
        the share of its looks that the planner does without, also of each seed. An interval is
        from `low` to `high`.
    """
    worlds = {s: np.concatenate([m[s] for m in of_seeds]) for s in STRATEGIES}
    found: dict[str, Any] = {}
    for strategy, (looks, right, objects, known) in ((s, w.T) for s, w in worlds.items()):
        planner = worlds["planner"][:, 0]
        totals = [(m["planner"][:, 0].sum(), m[strategy][:, 0].sum()) for m in of_seeds]
        found[strategy] = {
            "looks": _ratio(looks, objects),
            "accuracy": _ratio(right, objects),
            "known": float(known.sum() / objects.sum()),
            "saved": _ratio(looks - planner, looks),
            "saved_seeds": [float(1.0 - mine / others) for mine, others in totals],
        }
    return found


def _ratio(parts: np.ndarray, wholes: np.ndarray) -> dict[str, float]:
    """The ratio of two sums over worlds, and its 95 % interval."""

    def ratio(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        quotient: np.ndarray = x.sum(axis) / y.sum(axis)
        return quotient

    interval = bootstrap(
        (parts, wholes),
        ratio,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        method="percentile",
        random_state=0,
    ).confidence_interval
    low, high = float(interval.low), float(interval.high)
    return {"value": float(parts.sum() / wholes.sum()), "low": low, "high": high}


def section(numbers: Mapping[str, Any]) -> Section:
    """The experiment for the report."""
    say = Prose(NAME, least=LEAST_SAVED, lost=MOST_LOST)
    checks, tables = [], []
    for kind in KINDS:
        of = numbers[kind]
        title = say(kind)
        for other, least in (("random", LEAST_SAVED), ("lacking", 0.0)):
            cell = of[other]["saved"]
            claim, measured = say(f"saves_{other}", title=title), _share(cell)
            checks.append(Check(claim, measured, cell["low"] > least))
        planner, chance = of["planner"]["accuracy"]["value"], of["random"]["accuracy"]["value"]
        measured = f"{planner:.2%}, random {chance:.2%}"
        checks.append(Check(say("as_right", title=title), measured, chance - planner <= MOST_LOST))
        rows = [
            (
                say(strategy),
                f"{cell['looks']['value']:.2f}",
                f"{cell['looks']['low']:.2f} – {cell['looks']['high']:.2f}",
                "" if strategy == "planner" else _share(cell["saved"]),
                _share(cell["accuracy"], 2),
                f"{cell['known']:.1%}",
            )
            for strategy, cell in ((s, of[s]) for s in STRATEGIES)
        ]
        header = ("who looks where", "looks", "95 % interval", "saved", "right", "known")
        tables.append(Table(say("caption", title=title), header, rows))
    return say.section(checks, tables)


def _share(cell: Mapping[str, float], digits: int = 1) -> str:
    value, low, high = (f"{100 * cell[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} % ({low} – {high})"
