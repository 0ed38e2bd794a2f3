# SPDX-License-Identifier: Apache-2.0
"""Which classes are known from each combination of a suite's sensors, by each model and way.

And how far the probabilities can be believed. One reader serves all combinations, as on robots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from m2vae_ros.datasets.labelled import Labelled
from m2vae_ros.experiments.contenders import tensors
from m2vae_ros.experiments.evaluation import calibration_error
from m2vae_ros.experiments.lab import Lab, summary
from m2vae_ros.experiments.section import Table
from m2vae_ros.experiments.ways import Observed, trained_ways
from m2vae_ros.training.m2vae import M2VAERecipe
from m2vae_ros.training.suite import train_classifier, train_reader
from m2vae_ros.vae.in_place import orders
from m2vae_ros.vae.m2vae import Subset, subsets

READINGS = "readings"
"""The name of what is no model: classifiers of what the sensors read."""

LATE = "product of class probabilities"

ACCURACY, CALIBRATION = "accuracy", "calibration"

Rates = dict[str, dict[str, float]]
"""`ACCURACY`, `CALIBRATION` -> what was sensed, in which order -> share of right, or error."""


@dataclass(frozen=True)
class Task:
    """Objects of one seed, whose classes are asked for. All classes are about as frequent.

    Attributes:
        train, test: what models take, to learn from and to be asked about.
        data: names them.
        seed: of the trainings and the classifiers.
        readings: title -> the same objects as classifiers take them, to learn from and to be asked
            about. Of the last one `LATE` is made.
    """

    train: Labelled
    test: Labelled
    data: str
    seed: int
    readings: Mapping[str, tuple[Labelled, Labelled]]


def measure(
    lab: Lab,
    names: tuple[str, ...],
    task: Task,
    name: str,
    recipe: M2VAERecipe,
    cross: float | None,
) -> dict[str, Rates]:
    """What classifiers of readings know (`READINGS`), or one model: row -> rates.

    Args:
        lab, names, name, recipe, cross: see `trained_ways`.
        task: what is asked.
    """
    torch.manual_seed(task.seed)
    truth = torch.from_numpy(task.test.labels)
    if name == READINGS:
        return _readings(task, truth)
    seen, unseen = tensors(task.train.x), tensors(task.test.x)
    _, ways = trained_ways(lab, names, name, recipe, cross, seen, task.seed, task.data)
    some = subsets(tuple(seen))
    readers = {
        learnt: train_reader({s: learnt(seen, s) for s in some}, task.train.labels, task.seed)
        for learnt in {way.learnt for way in ways.values()}
    }
    return {
        row: _rates(
            {
                order: readers[way.learnt](way.embed(unseen, order))
                for s in some
                for order in (orders(s) if way.ordered else [s])
            },
            truth,
            way.ordered,
        )
        for row, way in ways.items()
    }


def _readings(task: Task, truth: Tensor) -> dict[str, Rates]:
    rows = {}
    for title, (train, test) in task.readings.items():
        seen, unseen = tensors(train.x), tensors(test.x)
        told = {
            s: train_classifier(_joined(seen, s), train.labels, task.seed)(_joined(unseen, s))
            for s in subsets(tuple(seen))
        }
        rows[title] = _rates(told, truth)
    late = {s: torch.stack([told[(m,)].log() for m in s]).sum(0).softmax(-1) for s in told}
    return {**rows, LATE: _rates(late, truth)}


def _joined(x: Observed, subset: Subset) -> Tensor:
    return torch.cat([x[m] for m in subset], 1)


@torch.no_grad()
def _rates(told: Mapping[Subset, Tensor], truth: Tensor, ordered: bool = False) -> Rates:
    """Of the probabilities (N, classes) by what was sensed."""
    by = {(" → " if ordered else " & ").join(sensed): p for sensed, p in told.items()}
    return {
        ACCURACY: {how: float((p.argmax(1) == truth).float().mean()) for how, p in by.items()},
        CALIBRATION: {how: calibration_error(p, truth) for how, p in by.items()},
    }


def held(cells: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Those of the cells that are of so many sensors: what was sensed, in which order -> cell."""
    return {
        how: cell for how, cell in cells.items() if len(how.replace("→", "&").split("&")) == count
    }


def worst(rates: Mapping[str, Any], count: int) -> Sequence[float]:
    """Of each seed the accuracy by so many sensors, in the order worst on the whole."""
    return _extreme(rates, count, min)


def error(rates: Mapping[str, Any], count: int) -> Sequence[float]:
    """Of each seed the calibration error by so many sensors, mean over combinations and orders."""
    cells = held(rates[CALIBRATION], count).values()
    means: list[float] = np.mean([cell["seeds"] for cell in cells], axis=0).tolist()
    return means


def _extreme(rates: Mapping[str, Any], count: int, of: Any) -> Sequence[float]:
    cells = held(rates[ACCURACY], count).values()
    seeds: list[float] = of(cells, key=lambda cell: cell["mean"])["seeds"]
    return seeds


def tables(
    say: Callable[[str], str], numbers: Mapping[str, Any], modalities: Sequence[str]
) -> list[Table]:
    """Row by row what is known by each sensor alone and by all, and how far it can be believed.

    Args:
        say: the captions, of blocks "accuracy" and "calibration".
        numbers: row -> rates, with the summary over seeds in the place of every number.
        modalities: of the suite.
    """
    every = len(modalities)
    right = [
        (
            row,
            *(_percent(rates[ACCURACY][m]["seeds"]) for m in modalities),
            _percent(worst(rates, every)),
            _percent(_extreme(rates, every, max)),
        )
        for row, rates in numbers.items()
    ]
    errors = [
        (row, *(_spread(error(rates, count), ".3f") for count in range(1, every + 1)))
        for row, rates in numbers.items()
    ]
    held_of = [f"{count} held" for count in range(1, every + 1)]
    return [
        Table(say(ACCURACY), ("known by", *modalities, "all, worst order", "best order"), right),
        Table(say(CALIBRATION), ("known by", *held_of), errors),
    ]


def _percent(seeds: Sequence[float]) -> str:
    return _spread([100 * rate for rate in seeds], ".1f")


def _spread(seeds: Sequence[float], spec: str) -> str:
    found = summary(seeds)
    return f"{found['mean']:{spec}} ± {found['std']:{spec}}"
