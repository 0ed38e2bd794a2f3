# SPDX-License-Identifier: Apache-2.0
"""Table I: does one naive Bayes classifier read every embedding, whatever was observed?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.naive_bayes import GaussianNB

from m2vae_ros.datasets.labelled import Labelled
from m2vae_ros.datasets.mog import mog
from m2vae_ros.experiments.contenders import (
    COLUMNS,
    ContenderRecipe,
    cells,
    contenders,
    embeddings,
    row,
    tensors,
    train_contender,
)
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.experiments.section import Check, Footnotes, Prose, Section, Table
from m2vae_ros.training.loop import Schedule
from m2vae_ros.vae.baselines import MultiModalModel
from m2vae_ros.vae.m2vae import M2VAEConfig

NAME = "table1"
CONFIG = M2VAEConfig({"a": 2, "b": 2}, latent_dim=2, hidden=(128, 64))
PAPER = {
    "raw": {"ab": "0.99", "a": "0.71", "b": "0.90"},
    "M2VAE": {"ab": "0.99", "a": "0.71", "b": "0.90"},
    "JMVAE-Zero": {"ab": "0.99", "a": "0.63", "b": "0.09"},
    "tVAE": {"ab": "0.99", "a": "0.64", "b": "0.29"},
}
"""The paper's Table I."""

OWN = "M2VAE, a classifier for each column"
"""Row that tells what the embeddings lose from what the one classifier does."""

TOLERANCE = 0.01
"""How far an M2VAE's rate may be from the raw data's."""


@dataclass(frozen=True)
class Settings:
    """Of the Mixture of Gaussians experiments.

    Attributes:
        train, test: how many samples.
        recipe: of every model (section V-A; fewer epochs than its 400, the loss is flat long
            before).
    """

    train: int
    test: int
    recipe: ContenderRecipe


def settings(quick: bool) -> Settings:
    """Section V-A's network and β_norm on two points in the plane."""
    schedule = Schedule(epochs=15 if quick else 60, batch_size=128)
    recipe = ContenderRecipe(CONFIG, beta_norm=0.01, schedule=schedule)
    return Settings(4000 if quick else 10_000, 5000, recipe)


def samples(setting: Settings, seed: int) -> tuple[Labelled, Labelled]:
    """Training and test set of a seed; no two seeds share a sample."""
    return mog(setting.train, 2 * seed), mog(setting.test, 2 * seed + 1)


def run(lab: Lab) -> None:
    """Train every model with every seed, classify, and publish table1.json."""
    setting = settings(lab.quick)
    names = ["raw", *contenders()]
    jobs = [(lab, setting, name, seed) for name in names for seed in range(lab.seeds)]
    measured = lab.map("Table I", measure, jobs)
    numbers: dict[str, Any] = {}
    for name in names:
        of_model = [m for (_, _, n, _), m in zip(jobs, measured, strict=True) if n == name]
        numbers[name] = row(of_model)
        if name == "M2VAE":
            numbers[OWN] = row([{c: of_seed[f"own {c}"] for c in COLUMNS} for of_seed in of_model])
    lab.publish(NAME, numbers, settings=asdict(setting), seeds=list(range(lab.seeds)))


def trained(lab: Lab, setting: Settings, name: str, seed: int) -> MultiModalModel:
    """The model of one cell, trained or loaded."""
    train, _ = samples(setting, seed)
    run = lab.training(NAME, name, seed, recipe=setting.recipe, data=f"mog {setting.train} {seed}")
    return train_contender(name, setting.recipe, tensors(train.x), seed, **run)


def measure(lab: Lab, setting: Settings, name: str, seed: int) -> dict[str, float]:
    """The classification rates of one model and seed: column -> share of right ones.

    On raw data every column has a classifier of its own; embeddings of all columns share one. Right
    by one of its own is "own COLUMN".
    """
    train, test = samples(setting, seed)
    if name == "raw":
        sets = [
            {c: np.concatenate([d.x[m] for m in s], 1) for c, s in COLUMNS.items()}
            for d in (train, test)
        ]
        return {
            column: float(GaussianNB().fit(x, train.labels).score(sets[1][column], test.labels))
            for column, x in sets[0].items()
        }
    model = trained(lab, setting, name, seed)
    known, asked = embeddings(model, train.x), embeddings(model, test.x)
    own = {
        f"own {column}": float(GaussianNB().fit(z, train.labels).score(asked[column], test.labels))
        for column, z in known.items()
    }
    return rates(model, train, test) | own


def rates(model: MultiModalModel, train: Labelled, test: Labelled) -> dict[str, float]:
    """Column -> share of right ones, where one classifier reads the embeddings of all columns."""
    classifier = one_classifier(embeddings(model, train.x), train.labels)
    return {
        column: float(classifier.score(z, test.labels))
        for column, z in embeddings(model, test.x).items()
    }


def one_classifier(z: Mapping[str, np.ndarray], labels: np.ndarray) -> GaussianNB:
    """One Gaussian naive Bayes over the embeddings of all columns, each (N, D_z)."""
    return GaussianNB().fit(np.concatenate(list(z.values())), np.tile(labels, len(z)))


def section(numbers: Mapping[str, Any]) -> Section:
    """Table I for the report."""
    say = Prose(NAME, numbers=numbers, own=OWN, tolerance=TOLERANCE)
    checks = []
    for column in COLUMNS:
        raw, ours = (numbers[of][column]["mean"] for of in ("raw", "M2VAE"))
        claim = say("claim", column=column, raw=raw)
        checks.append(Check(claim, f"{ours:.3f}", abs(ours - raw) <= TOLERANCE))
    footnotes = Footnotes()
    rows = [
        (name, *cells(name, of_model, CONFIG, footnotes, ".3f", PAPER))
        for name, of_model in numbers.items()
    ]
    header = ("embedding", "a & b", "a", "b")
    return say.section(checks, [Table(say("caption"), header, rows, footnotes.texts)])
