# SPDX-License-Identifier: Apache-2.0
"""Are things that are none of the classes told as unknown, and known ones not?

By every set of sensors at once, by three robots that fuse in place, and after they went on looking
and telling each other. Robots are `ObjectMemory` on the nodes' engine, as they run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from tqdm import tqdm

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.experiments.counts import Count
from m2vae_ros.experiments.section import Table
from m2vae_ros.fusion.engine import FAMILIAR, Engine
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.sim.sampler import sample
from m2vae_ros.sim.strangers import CAN_TELL, KINDS, sample_strangers

KNOWN = "known"
"""Row of the objects of all classes: what is told as unknown there is a false alarm."""

FURTHER_LOOKS = 100

PLACE = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Things:
    """Things of one kind.

    Attributes:
        codes: modality -> float32 (N, D_m).
        strange: modality -> bool (N,).
        like: of each thing, whose readings may be taken for further ones of it.
    """

    codes: Mapping[str, np.ndarray]
    strange: Mapping[str, np.ndarray]
    like: Sequence[np.ndarray]

    @classmethod
    def of(cls, engine: Engine, samples: Samples) -> Things:
        """What an engine makes of samples; alike are those of a class, or all without a class."""
        codes, strange = {}, {}
        for m in engine.modalities:
            found = [engine.encode_modality(m, x) for x in samples.observations(m)]
            codes[m] = np.stack([encoding.code for encoding in found])
            strange[m] = np.array([encoding.surprise > FAMILIAR for encoding in found])
        like = [np.flatnonzero(samples.labels == label) for label in samples.labels]
        return cls(codes, strange, like)

    def told(self, subset: Sequence[str]) -> np.ndarray:
        """Which are told as unknown by these modalities at once, bool (N,)."""
        told: np.ndarray = np.any([self.strange[m] for m in subset], axis=0)
        return told


class Team:
    """A robot for each modality, who all stand before one thing and hear each other."""

    def __init__(self, engine: Engine) -> None:
        gain = engine.suite.fusion.min_gain
        self.robots = {
            m: ObjectMemory(engine, m, gate_m=1.0, min_gain=gain) for m in engine.modalities
        }
        self._now = 0

    def look(self, modality: str, things: Things, index: int) -> None:
        """The robot with this sensor reads it from one of the things, and tells what is new."""
        self._now += 1
        codes, strange = {modality: things.codes[modality][index]}, things.strange[modality][index]
        robot = self.robots[modality]
        said = robot.observe(
            "it", PLACE, codes, {modality: self._now}, {modality} if strange else ()
        ).said
        for other in self.robots.values():
            for embedding in said if other is not robot else ():
                other.receive(embedding, self._now)

    @property
    def unknown(self) -> bool:
        """Whether they tell the thing as unknown; all tell the same."""
        (told,) = {bool(robot.objects()[0].strange) for robot in self.robots.values()}
        return told


def evaluate(engine: Engine, count: int, teams: int, seeds: Sequence[int]) -> dict[str, Any]:
    """Measure with a progress bar.

    Args:
        engine: over weights that can tell the unknown.
        count: things of each kind and seed that are sensed at once.
        teams: how many of these robots fuse in place; each costs a second or so.
        seeds: of the things.

    Returns:
        Every number: kind, `KNOWN` among them, -> what was told as unknown, pooled over the seeds,
        with intervals by Wilson's score.

    Raises:
        ValueError: the weights cannot tell the unknown.
    """
    if not engine.tells_unknown:
        raise ValueError("these weights cannot tell the unknown: train or fit them anew")
    kinds = {}
    bar = tqdm(total=len(seeds) * (1 + len(KINDS)) * teams, desc="things", unit="thing")
    with bar:
        for kind in (KNOWN, *KINDS):
            drawn = [
                sample(count, s) if kind == KNOWN else sample_strangers(kind, count, s)
                for s in seeds
            ]
            kinds[kind] = _measured(engine, kind, [Things.of(engine, d) for d in drawn], teams, bar)
    return {
        "fingerprint": engine.fingerprint,
        "seeds": list(seeds),
        "further_looks": FURTHER_LOOKS,
        "kinds": kinds,
    }


def _measured(
    engine: Engine, kind: str, drawn: Sequence[Things], teams: int, bar: tqdm[Any]
) -> dict[str, Any]:
    """All numbers of a kind; `drawn` are the things of each seed."""
    told = {subset: [things.told(subset) for things in drawn] for subset in _subsets(engine)}
    worst = max if kind == KNOWN else min
    in_place, later = [], []
    for seed, things in enumerate(drawn):
        rng = np.random.default_rng(seed)
        for index in range(teams):
            in_place.append(worst(_in_place(engine, things, index)))
            later.append(_later(engine, things, index, rng))
            bar.update()
    return {
        "at_once": {"+".join(subset): _count(np.concatenate(of)) for subset, of in told.items()},
        "by_seed": [float(of.mean()) for of in told[engine.modalities]],
        "in_place_in_the_worst_order": _count(in_place),
        "after_further_looks": _count(later),
    }


def _subsets(engine: Engine) -> Iterator[tuple[str, ...]]:
    n = len(engine.modalities)
    for mask in sorted(range(1, 2**n), key=int.bit_count):
        yield tuple(m for i, m in enumerate(engine.modalities) if mask >> i & 1)


def _in_place(engine: Engine, things: Things, index: int) -> Iterator[bool]:
    """Whether a thing is told as unknown, sensed by one robot after the other in every order."""
    for order in permutations(engine.modalities):
        team = Team(engine)
        for modality in order:
            team.look(modality, things, index)
        yield team.unknown


def _later(engine: Engine, things: Things, index: int, rng: np.random.Generator) -> bool:
    """Whether it is when the robots went on looking in random turn, by further readings."""
    team = Team(engine)
    for modality in engine.modalities:
        team.look(modality, things, index)
    for modality in rng.choice(engine.modalities, FURTHER_LOOKS):
        team.look(str(modality), things, int(rng.choice(things.like[index])))
    return team.unknown


def _count(told: Sequence[bool] | np.ndarray) -> dict[str, Any]:
    """How many are told as unknown, of how many, and the 95 % interval of the share."""
    counted = Count(int(np.sum(told)), len(told)).to_json()
    return {"unknown" if name == "right" else name: value for name, value in counted.items()}


def tables(numbers: Mapping[str, Any]) -> list[Table]:
    """The table of what `evaluate` returned; of subsets, single sensors and all of them."""
    kinds = numbers["kinds"]
    subsets = [s for s in kinds[KNOWN]["at_once"] if "+" not in s]

    def row(kind: str) -> list[str]:
        found = kinds[kind]
        *single, everything = found["at_once"].values()
        further = (found["in_place_in_the_worst_order"], found["after_further_looks"])
        counts = (*single[: len(subsets)], everything, *further)
        shares = [f"{100.0 * count['unknown'] / count['n']:.1f}" for count in counts]
        return [kind, ", ".join(CAN_TELL.get(kind, ())) or "–", *shares]

    return [
        Table(
            "Told as unknown, %; of the known that is a false alarm",
            ("", "by", *subsets, "all", "in place", f"{numbers['further_looks']} looks later"),
            [row(kind) for kind in kinds],
        )
    ]
