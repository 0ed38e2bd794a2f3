# SPDX-License-Identifier: Apache-2.0
"""Real recordings: what a person with a wrist watch does, by its accelerometer and gyroscope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from m2vae_ros.bags.worlds import read_bags
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.datasets.labelled import Labelled
from m2vae_ros.datasets.samples import Samples
from m2vae_ros.experiments import classes
from m2vae_ros.experiments.classes import ACCURACY, READINGS, Task, worst
from m2vae_ros.experiments.contenders import contenders
from m2vae_ros.experiments.lab import Lab, over_seeds
from m2vae_ros.experiments.section import Check, Prose, Section
from m2vae_ros.experiments.ways import AT_ONCE, EQ_18, OTHERS, OURS, ROBOTS
from m2vae_ros.host.resources import resource
from m2vae_ros.sensors import SensorSuite, read_suite
from m2vae_ros.training.suite import SuiteRecipe, codes, train_beta_vae

NAME = "motions"
RECORDINGS = "test/data/motions"
"""In a checkout."""

RAW, CODES = "raw readings", "raw codes"
MOST_LOST = 0.01
"""What embedding and fusing in place may cost against the raw codes."""


def suite_recipe(samples: int, quick: bool) -> SuiteRecipe:
    """What the suite says."""
    recipe = SuiteRecipe.of(read_suite(NAME)).suited_to(samples)
    return recipe.rescheduled(lambda s: replace(s, epochs=2)) if quick else recipe


def run(lab: Lab) -> None:
    """Train every model with every seed, publish motions.json.

    Raises:
        DataError: the recordings are not there.
    """
    train, test = recordings()
    recipe = suite_recipe(len(train), lab.quick)
    tasks = lab.map("Motions, codes", task, [(lab, train, test, s) for s in lab.fresh_seeds])
    names = [READINGS, *OURS, *(name for name in OTHERS if name in contenders())]
    jobs = [
        (lab, (NAME,), one, name, recipe.m2vae, OURS.get(name)) for name in names for one in tasks
    ]
    measured = lab.map("Motions", classes.measure, jobs)
    numbers: dict[str, Any] = {}
    for name in names:
        of_model = [m for job, m in zip(jobs, measured, strict=True) if job[3] == name]
        numbers |= over_seeds(of_model)
    facts = {"train": len(train), "test": len(test)}
    lab.publish(NAME, numbers, settings={**asdict(recipe), **facts}, seeds=lab.fresh_seeds)


def recordings() -> tuple[Samples, Samples]:
    """The published training and test part: no recording is in both.

    Raises:
        DataError: they are not there.
    """
    try:
        folder = resource(RECORDINGS)
    except FileNotFoundError as error:
        raise DataError(f"{error}; the recordings come with a checkout alone") from error
    suite: SensorSuite = read_suite(NAME)
    train, test = (read_bags([folder / part], suite=suite)[0] for part in ("train", "test"))
    return train, test


def task(lab: Lab, train: Samples, test: Samples, seed: int) -> Task:
    """The codes of β-VAEs that one seed has trained, and the spectra they are of."""
    recipe = suite_recipe(len(train), lab.quick)
    vaes = {}
    for m, of in recipe.beta_vaes.items():
        run = lab.training(NAME, m, seed, recipe=of, data=f"{train.digest()} {seed}")
        vaes[m] = train_beta_vae(of, train, m, seed, **run)

    def coded(samples: Samples) -> Labelled:
        return Labelled({m: z.numpy() for m, z in codes(vaes, samples).items()}, samples.labels)

    inputs = coded(train), coded(test)
    readings = {RAW: (_readings(train), _readings(test)), CODES: inputs}
    return Task(*inputs, f"{train.digest()} {seed}", seed, readings)


def _readings(samples: Samples) -> Labelled:
    """What the β-VAEs take."""
    x = {
        m: modality.view.unpack(samples.packed[m]).reshape(len(samples), -1)
        for m, modality in samples.suite.items()
    }
    return Labelled(x, samples.labels)


def section(numbers: Mapping[str, Any]) -> Section:
    """The motions for the report."""
    modalities = tuple(read_suite(NAME))
    seeds = len(numbers[CODES][ACCURACY][modalities[0]]["seeds"])
    say = Prose(NAME, seeds=seeds, numbers=numbers, most_lost=MOST_LOST)
    raw = float(np.mean(worst(numbers[CODES], len(modalities))))

    def within(block: str, row: str, count: int, least: float) -> Check:
        found = float(np.mean(worst(numbers[row], count)))
        return Check(say(block, raw=least), f"{found:.1%}", least - found <= MOST_LOST)

    ours = next(iter(OURS))
    checks = [
        within("at_once", f"{ours}, {AT_ONCE}", len(modalities), raw),
        within("eq_18", f"{ours}, {EQ_18}", len(modalities), raw),
        within("robots", f"{ours}, {ROBOTS}", len(modalities), raw),
        *(
            Check(
                say("alone", modality=m, raw=(least := numbers[CODES][ACCURACY][m]["mean"])),
                f"{(found := numbers[f'{ours}, {AT_ONCE}'][ACCURACY][m]['mean']):.1%}",
                least - found <= MOST_LOST,
            )
            for m in modalities
        ),
    ]
    return say.section(checks, classes.tables(say, numbers, modalities))
