# SPDX-License-Identifier: Apache-2.0
"""Should cross terms be the default? Eq. 17 with and without them, on every count there is.

What is measured here is the AMiRo world; the other counts are those of other experiments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import ttest_rel

from m2vae_ros.datasets.labelled import Labelled
from m2vae_ros.experiments import classes, independence, motions, table2
from m2vae_ros.experiments.camera_lidar import WEIGHTS, simulated
from m2vae_ros.experiments.classes import READINGS, Task, error, worst
from m2vae_ros.experiments.contenders import COLUMNS, EXTENSIONS
from m2vae_ros.experiments.lab import Lab, over_seeds
from m2vae_ros.experiments.section import Check, Prose, Section, Table
from m2vae_ros.experiments.ways import AT_ONCE, EQ_18, OURS, ROBOTS
from m2vae_ros.host.resources import resource
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe
from m2vae_ros.training.suite import codes
from m2vae_ros.vae.weights import load
from m2vae_ros.world.suite import AMIRO

NAME = "cross-terms"
ALSO = (motions.NAME, table2.NAME, table2.PAPERS, independence.NAME)
"""Where the other counts are."""

CODES = "raw codes"
FIRST_SAMPLES = 9300
"""Seed of the samples; those of a training's seed s are twice s further on, and the one after."""


@dataclass(frozen=True)
class Settings:
    """Of the AMiRo world.

    Attributes:
        train, test: how many objects.
        recipe: of the fusion, the one shipped but for a shorter schedule.
    """

    train: int
    test: int
    recipe: M2VAERecipe


def settings(quick: bool) -> Settings:
    """Fewer samples and steps than the shipped weights had, at a higher rate."""
    schedule = Schedule(epochs=2 if quick else 30, batch_size=64, learning_rate=3e-3)
    recipe = M2VAERecipe(schedule=schedule)
    return Settings(300 if quick else 4000, 200 if quick else 2000, recipe)


def run(lab: Lab) -> None:
    """Train the fusion of the AMiRo with each weight and seed, publish cross-terms.json."""
    setting = settings(lab.quick)
    tasks = lab.map("AMiRo, codes", task, [(lab, setting, seed) for seed in lab.fresh_seeds])
    names = (READINGS, *OURS)
    jobs = [
        (lab, (NAME,), one, name, setting.recipe, OURS.get(name)) for one in tasks for name in names
    ]
    measured = lab.map("AMiRo", classes.measure, jobs)
    numbers: dict[str, Any] = {}
    for name in names:
        numbers |= over_seeds([m for job, m in zip(jobs, measured, strict=True) if job[3] == name])
    lab.publish(NAME, numbers, settings=asdict(setting), seeds=lab.fresh_seeds)


def task(lab: Lab, setting: Settings, seed: int) -> Task:
    """What the shipped β-VAEs make of objects that only this seed has."""
    vaes = load(resource(WEIGHTS)).beta_vaes
    first = FIRST_SAMPLES + 2 * seed

    def coded(count: int, drawn: int) -> Labelled:
        samples = simulated(lab.runs / NAME / f"samples-{count}-{drawn}.npz", count, drawn)
        return Labelled({m: z.numpy() for m, z in codes(vaes, samples).items()}, samples.labels)

    lab.runs.joinpath(NAME).mkdir(parents=True, exist_ok=True)
    inputs = coded(setting.train, first), coded(setting.test, first + 1)
    return Task(*inputs, f"amiro {setting.train} {first}", seed, {CODES: inputs})


@dataclass(frozen=True)
class Tally:
    """One count, with and without cross terms.

    Attributes:
        title: what is counted, in which unit.
        plain: Eq. 17, the value of each seed.
        crossed: weight w -> the value of each seed, of the same seeds.
        sign: 1 where more is better, -1 where less is.
    """

    title: str
    plain: Sequence[float]
    crossed: Mapping[float, Sequence[float]]
    sign: int = 1

    def gain(self, weight: float) -> tuple[float, float, float] | None:
        """How much better cross terms are: the mean over seeds and its 95 % interval, paired."""
        if weight not in self.crossed:
            return None
        pairs = [self.sign * np.asarray(of) for of in (self.crossed[weight], self.plain)]
        mean = float((pairs[0] - pairs[1]).mean())
        if len(self.plain) < 2 or not np.ptp(pairs[0] - pairs[1]):
            return mean, mean, mean
        low, high = ttest_rel(*pairs).confidence_interval(0.95)
        return mean, float(low), float(high)


def tallies(
    numbers: Mapping[str, Any],
    recorded: Mapping[str, Any] | None,
    bounds: Mapping[str, Any] | None,
    at_papers: Mapping[str, Any] | None,
    related: Mapping[str, Any] | None,
) -> Iterator[Tally]:
    """Every count: of the AMiRo, and of those experiments in `ALSO` that were run."""
    plain, *crossed = OURS
    for suite, rows, every in (("AMiRo", numbers, len(AMIRO)), ("motions", recorded, 2)):
        if rows is None:
            continue
        for way in (AT_ONCE, EQ_18, ROBOTS):
            of = {name: [100 * r for r in worst(rows[f"{name}, {way}"], every)] for name in OURS}
            by = {OURS[name]: of[name] for name in crossed}
            yield Tally(f"{suite}, {way}: right, %", of[plain], by)
        for count in range(1, every + 1):
            of = {name: [*error(rows[f"{name}, {AT_ONCE}"], count)] for name in OURS}
            by = {OURS[name]: of[name] for name in crossed}
            yield Tally(f"{suite}, {count} held: calibration error", of[plain], by, -1)
    for beta_norm, cells in ((table2.BETA_NORM, bounds), (table2.PAPERS_BETA_NORM, at_papers)):
        for column, sensed in COLUMNS.items():
            if cells and EXTENSIONS.keys() <= cells.keys():
                a, b = (cells[name][column]["seeds"] for name in (plain, *EXTENSIONS))
                title = f"Table II, β_norm = {beta_norm}, given {' & '.join(sensed)}: nats"
                yield Tally(title, a, {0.25: b})
    for world, asked in ((independence.WET, "class"), (independence.ABSENT, "sensor")):
        for way in (EQ_18, ROBOTS):
            if related is not None:
                a, b = (
                    [100 * r for r in independence.worst(related[world][f"{name}, {way}"][asked])]
                    for name in independence.OURS
                )
                title = f"{independence.TITLES[world]}, {way}: right, %"
                yield Tally(title, a, {independence.OURS["M2VAE with cross terms"]: b})


def section(numbers: Mapping[str, Any], *others: Mapping[str, Any] | None) -> Section:
    """Cross terms for the report.

    Args:
        numbers: of the AMiRo.
        others: of the experiments in `ALSO`, None where not run.
    """
    found = list(tallies(numbers, *others))
    seeds = len(found[0].plain)
    say = Prose(
        NAME,
        seeds=seeds,
        **asdict(settings(quick=False)),
        at_once={of: np.mean(worst(numbers[f"{of}, {AT_ONCE}"], len(AMIRO))) for of in OURS},
        codes=np.mean(worst(numbers[CODES], len(AMIRO))),
    )
    weights = [weight for weight in OURS.values() if weight]
    checks = []
    for weight in weights:
        gains = [gain for tally in found if (gain := tally.gain(weight))]
        better, worse = sum(low > 0 for _, low, _ in gains), sum(high < 0 for *_, high in gains)
        measured = f"better on {better} of {len(gains)} counts, worse on {worse}"
        checks.append(Check(say("better", weight=weight), measured, better == len(gains)))
    rows = [
        (tally.title, f"{np.mean(tally.plain):.4g}", *(_shown(tally.gain(w)) for w in weights))
        for tally in found
    ]
    header = ("count", "Eq. 17", *(f"gain by w = {w:g}" for w in weights))
    return say.section(
        checks,
        [Table(say("gains"), header, rows), *classes.tables(say, numbers, tuple(AMIRO))],
    )


def _shown(gain: tuple[float, float, float] | None) -> str:
    return "–" if gain is None else "{:+.2g} ({:+.2g} to {:+.2g})".format(*gain)
