# SPDX-License-Identifier: Apache-2.0
"""Fewer epochs, so that a training takes no longer than it may.

Every stage keeps its share: what an epoch of each takes is measured on a few samples, and all
schedules are shortened by the same factor. A schedule that was chosen by the clock while training
could neither end its learning rate at zero nor be resumed to the same weights.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.host.files import replacing
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import train_m2vae
from m2vae_ros.training.suite import SuiteRecipe, codes, train_beta_vae

_T = TypeVar("_T")

_FEW = 2048
"""Samples of a measurement: eight batches."""


def limited(
    recipe: SuiteRecipe, samples: Samples, minutes: float, plan: Path
) -> tuple[SuiteRecipe, float]:
    """A recipe whose networks are trained within that time, going by what an epoch takes now.

    The classifiers come on top. Each stage keeps at least one epoch; no schedule becomes longer.

    Args:
        recipe: to be shortened.
        samples: to train on.
        minutes: at most.
        plan: file that keeps what was measured, so that an interrupted training goes on as it
            began.

    Returns:
        The recipe, and the seconds it is expected to take.
    """
    key = json.dumps([samples.digest(), minutes])
    seconds = _remembered(plan, key)
    if seconds is None:
        seconds = _seconds_of_an_epoch(recipe, samples)
        with replacing(plan) as temporary:
            temporary.write_text(json.dumps({"key": key, "seconds": seconds}))
    total = sum(seconds[stage] * schedule.epochs for stage, schedule in _schedules(recipe).items())
    share = min(1.0, minutes * 60.0 / total)
    shorter = recipe.rescheduled(lambda s: replace(s, epochs=max(1, int(s.epochs * share))))
    expected = sum(seconds[stage] * s.epochs for stage, s in _schedules(shorter).items())
    return shorter, expected


def _schedules(recipe: SuiteRecipe) -> dict[str, Schedule]:
    """Stage -> schedule; the M2VAE is trained twice, with and without the re-encoding loss."""
    return {
        **{m: r.schedule for m, r in recipe.beta_vaes.items()},
        "m2vae": recipe.m2vae.schedule,
        "m2vae twin": recipe.m2vae.schedule,
    }


def _seconds_of_an_epoch(recipe: SuiteRecipe, samples: Samples) -> dict[str, float]:
    """Stage -> what one epoch on all samples takes."""
    few = samples[: min(_FEW, len(samples))]
    once = Schedule(epochs=1)
    seconds = {}

    def measure(stage: str, run: Callable[[], _T]) -> _T:
        run()  # the first one is slow: memory, threads, a GPU
        begin = time.perf_counter()
        result = run()
        seconds[stage] = (time.perf_counter() - begin) * len(samples) / len(few)
        return result

    beta_vaes = {
        m: measure(
            m,
            partial(train_beta_vae, replace(r, schedule=once), few, m, recipe.seed, quiet=True),
        )
        for m, r in recipe.beta_vaes.items()
    }
    inputs = codes(beta_vaes, few)
    for stage, alpha in (("m2vae", recipe.m2vae.alpha), ("m2vae twin", 0.0)):
        one = replace(recipe.m2vae, schedule=once, alpha=alpha, warm_up=(0.0, 0.0))
        measure(stage, partial(train_m2vae, one, inputs, recipe.seed, quiet=True))
    return seconds


def _remembered(plan: Path, key: str) -> dict[str, float] | None:
    try:
        found = json.loads(plan.read_text())
        return found["seconds"] if found["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
