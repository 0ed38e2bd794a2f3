# SPDX-License-Identifier: Apache-2.0
"""Is a class that nothing was fitted on told as unknown, and what was, not? For any suite.

Each class in turn is left out of everything: of what the β-VAEs are trained on, and of what tells
how surprising a known reading can be. What is measured was in neither part, going by whole groups
of the samples (recordings, say). Where all sensors give windows, readings of no motion or force at
all are made, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from m2vae_ros.datasets.errors import DataError
from m2vae_ros.datasets.samples import UNLABELLED, Samples
from m2vae_ros.experiments.section import Table
from m2vae_ros.fusion.engine import FAMILIAR
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.views.window import WindowView
from m2vae_ros.training.novelty import fit_novelty
from m2vae_ros.training.suite import (
    SuiteRecipe,
    codes,
    familiar_errors,
    reconstruction_errors,
    train_beta_vae,
)
from m2vae_ros.vae.beta_vae import BetaVAE
from m2vae_ros.vae.novelty import Novelty

UNTRAINED, MEASURED = 0.5, 0.3
"""Share of the samples that the networks are not trained on, and of those what is measured."""

KNOWN = "known"
"""Row of all classes, none left out: what is told as unknown there is a false alarm."""

NOISE = (0.3, 1.0, 3.0, 10.0)
"""Standard deviations of white noise, in the unit of the sensor's messages."""

MADE = 500
"""Readings of each kind that is made."""


def evaluate(suite: SensorSuite, samples: Samples, seeds: Sequence[int]) -> dict[str, Any]:
    """Measure with a progress bar.

    Args:
        suite: says how its β-VAEs are trained.
        samples: with labels, of many groups.
        seeds: of the networks, and of which groups are in which part.

    Returns:
        Every number: `known`, `left_out` (class ->) and `made` (kind ->), each a share that is told
        as unknown by each modality and by all of them ("all"), of all seeds and `by_seed`; of a
        class that is left out also the false alarms among the others.

    Raises:
        DataError: samples have no labels, or there are too few of them.
    """
    if not samples.labelled:
        raise DataError("labels: whether a class is told as unknown takes samples with classes")
    told: dict[tuple[str, str], list[dict[str, float]]] = {}
    bar = tqdm(
        total=len(seeds) * (1 + len(suite.classes)), desc="classes left out", unit="training"
    )
    with bar:
        for seed in seeds:
            for kind, name, shares in _of_seed(suite, samples, seed, bar):
                told.setdefault((kind, name), []).append(shares)
    numbers: dict[str, Any] = {"suite": suite.name, "n": len(samples), "seeds": list(seeds)}
    for (kind, name), by_seed in told.items():
        found = {m: float(np.mean([one[m] for one in by_seed])) for m in by_seed[0]}
        numbers.setdefault(kind, {})[name] = {**found, "by_seed": [one["all"] for one in by_seed]}
    return numbers


def _of_seed(
    suite: SensorSuite, samples: Samples, seed: int, bar: tqdm[Any]
) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Kind, name and the shares that are told as unknown, of every kind."""
    seen, unseen = samples.split(UNTRAINED, seed)
    limit, measured = unseen.split(MEASURED, seed)
    teller = _Teller(suite, seen, limit, seed)
    yield "known", KNOWN, teller.shares(measured)
    for name, made in made_of_windows(measured, seed).items():
        yield "made", name, teller.shares(made)
    bar.update()
    for number, name in enumerate(suite.classes):
        known, unseen = (part[part.labels != number] for part in (seen, limit))
        teller = _Teller(suite, known, unseen, seed)
        yield "left_out", name, teller.shares(samples[samples.labels == number])
        others = measured[measured.labels != number]
        yield "others", name, teller.shares(others)
        bar.update()


class _Teller:
    """β-VAEs and what tells the novelty of their codes, fitted as `m2vae train` does.

    Args:
        suite: says how.
        seen: to train on.
        limit: what tells how surprising a known reading can be.
        seed: of it all.

    Raises:
        DataError: there are too few samples.
    """

    def __init__(self, suite: SensorSuite, seen: Samples, limit: Samples, seed: int) -> None:
        recipe = SuiteRecipe.of(suite).suited_to(len(seen))
        self._vaes: dict[str, BetaVAE] = {
            m: train_beta_vae(r, seen, m, seed, quiet=True) for m, r in recipe.beta_vaes.items()
        }
        self._errors = familiar_errors(self._vaes, seen)
        self._novelty: dict[str, Novelty] = fit_novelty(self._vaes, limit, self._errors, seed, seen)
        if not self._novelty:
            raise DataError(f"{len(limit)} samples are too few to tell what is unknown")

    def shares(self, samples: Samples) -> dict[str, float]:
        """Modality, and "all" -> the share of the samples that is told as unknown by it."""
        found = codes(self._vaes, samples)
        told = {}
        for m, vae in self._vaes.items():
            error = reconstruction_errors(vae, samples, m) / self._errors[m]
            told[m] = (self._novelty[m](found[m], error) > FAMILIAR).numpy()
        told["all"] = np.any(list(told.values()), axis=0)
        return {m: float(of.mean()) for m, of in told.items()}


def made_of_windows(samples: Samples, seed: int) -> dict[str, Samples]:
    """Kind -> readings of sensors that are turned, that nothing moves, or that give but noise.

    Of an inertial sensor that is turned x is taken for y, y for z and z for x. Where not all
    sensors give windows, there are none.
    """
    suite = samples.suite
    views = {m: view for m, view in suite.views.items() if isinstance(view, WindowView)}
    if len(views) < len(suite):
        return {}
    rng = np.random.default_rng(seed)

    def made(deviation: float) -> Samples:
        packed = {
            m: view.pack(
                np.stack(
                    [
                        view(rng.normal(0.0, deviation, (len(view.fields), view.samples)))
                        for _ in range(MADE)
                    ]
                )
            )
            for m, view in views.items()
        }
        return Samples(suite, packed, np.full(MADE, UNLABELLED, dtype=np.int64))

    turned = {m: np.roll(x, 1, axis=1) for m, x in samples.packed.items()}
    known = Samples(suite, turned, samples.labels, samples.groups)
    return {"known, axes exchanged": known, "a still sensor": made(0.0)} | {
        f"white noise of {sd:g}": made(sd) for sd in NOISE
    }


def tables(numbers: Mapping[str, Any]) -> list[Table]:
    """The table of what `evaluate` returned."""
    columns = [m for m in numbers["known"][KNOWN] if m != "by_seed"]

    def row(name: str, found: Mapping[str, Any], others: str = "–") -> list[str]:
        shares = [f"{100.0 * found[m]:.1f}" for m in columns]
        low, high = (100.0 * f(found["by_seed"]) for f in (min, max))
        return [name, *shares, f"{low:.1f} – {high:.1f}", others]

    rows = [row(name, found) for name, found in numbers["known"].items()]
    for name, found in numbers["left_out"].items():
        rows.append(
            row(f"{name}, left out", found, f"{100.0 * numbers['others'][name]['all']:.1f}")
        )
    rows += [row(name, found) for name, found in numbers.get("made", {}).items()]
    return [
        Table(
            "Told as unknown, %; of the known that is a false alarm",
            ("", *columns, "lowest – highest seed", "false alarms"),
            rows,
            (
                f"{numbers['n']} samples, {len(numbers['seeds'])} seeds; false alarms are those "
                "among the other classes, where one is left out",
            ),
        )
    ]
