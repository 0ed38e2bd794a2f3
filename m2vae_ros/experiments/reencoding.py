# SPDX-License-Identifier: Apache-2.0
"""Section V-B and Fig. 5: does an embedding survive being decoded and encoded again, and again?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.naive_bayes import GaussianNB
from torch import Tensor

from m2vae_ros.datasets.labelled import Labelled
from m2vae_ros.datasets.mnist import MNIST
from m2vae_ros.datasets.mog import mog
from m2vae_ros.experiments.contenders import tensors
from m2vae_ros.experiments.in_place import trajectory
from m2vae_ros.experiments.lab import Lab, over_seeds
from m2vae_ros.experiments.section import Check, Prose, Section, Table
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe, train_m2vae
from m2vae_ros.vae.m2vae import M2VAE
from m2vae_ros.vae.objectives import point_reencoding_loss

NAME = "reencoding"
STEPS = (0, 1, 10, 100, 400)
LOSSES = ("with", "without")
DATA = {"mnist": "MNIST", "mog": "Mixture of Gaussians"}

MOST_LOST = 0.01
"""Label accuracy that may be lost in 100 re-encodings with the loss."""
LEAST_GAIN = 5
"""How many times smaller the drift after 100 re-encodings has to be with the loss."""


@dataclass(frozen=True)
class Settings:
    """Of one data set.

    Attributes:
        train, test: how many samples.
        recipe: of the model trained with the loss; the other one differs in ``alpha`` alone.
        seeds: how many times each is trained.
    """

    train: int
    test: int
    recipe: M2VAERecipe
    seeds: int


def settings(quick: bool) -> dict[str, Settings]:
    """The networks of Fig. 5 (MNIST) and section V-A (MoG), both with D_z = 2.

    On MNIST, β is 1, the plain VAE the paper names; α is larger than the paper's .01, because a
    reconstruction of 784 pixels is summed here, not averaged, and grows until nearly the end: what
    is left of a single step's drift adds up over hundreds of them.
    """
    digits = M2VAERecipe(
        latent_dim=2,
        hidden=(256, 128),
        beta_norm=2 / 784,
        alpha=100.0,
        warm_up=(0.3, 0.95),
        schedule=Schedule(epochs=20 if quick else 300, batch_size=256),
        likelihoods={"a": "bernoulli"},
    )
    points = M2VAERecipe(
        latent_dim=2,
        beta_norm=0.01,
        alpha=0.01,
        schedule=Schedule(epochs=15 if quick else 60, batch_size=128),
    )
    return {
        "mnist": Settings(8000, 2000, digits, seeds=1 if quick else 3),
        "mog": Settings(4000 if quick else 10_000, 5000, points, seeds=1 if quick else 3),
    }


def samples(data: str, setting: Settings, seed: int) -> tuple[Labelled, Labelled]:
    """Training and test set of a seed; of MNIST, another split of the same digits."""
    if data == "mog":
        return mog(setting.train, 2 * seed), mog(setting.test, 2 * seed + 1)
    images = MNIST.load()
    order = np.random.default_rng(seed).permutation(len(images))
    parts = np.split(order, [setting.train, setting.train + setting.test])[:2]
    train, test = (Labelled({"a": images[i].x}, images[i].labels) for i in parts)
    return train, test


def run(lab: Lab) -> None:
    """Train with and without the loss, re-encode, and publish reencoding.json."""
    chosen = settings(lab.quick)
    jobs = [
        (lab, data, loss, seed)
        for data, setting in chosen.items()
        for seed in range(setting.seeds)
        for loss in LOSSES
    ]
    measured = lab.map("Re-encoding", measure, jobs)
    numbers = {
        data: {
            loss: _over_seeds(
                [m for j, m in zip(jobs, measured, strict=True) if j[1:3] == (data, loss)]
            )
            for loss in LOSSES
        }
        for data in chosen
    }
    lab.publish(
        NAME,
        {**numbers["mnist"], "mog": numbers["mog"]},
        settings={data: asdict(setting) for data, setting in chosen.items()},
        seeds={data: list(range(setting.seeds)) for data, setting in chosen.items()},
    )


def trained(lab: Lab, data: str, loss: str, seed: int) -> M2VAE:
    """The model with or without the loss, trained or loaded."""
    setting = settings(lab.quick)[data]
    recipe = setting.recipe if loss == "with" else replace(setting.recipe, alpha=0.0)
    recipe = replace(recipe, schedule=replace(recipe.schedule, seed=seed))
    train, _ = samples(data, setting, seed)
    facts = f"{data} {setting.train} {seed}"
    run = lab.training(NAME, data, loss, seed, recipe=recipe, data=facts)
    return train_m2vae(recipe, tensors(train.x), seed, reencoding=point_reencoding_loss, **run)


def measure(lab: Lab, data: str, loss: str, seed: int) -> dict[int, dict[str, float]]:
    """Steps -> drift and label accuracy of the test set, whose modalities are all observed.

    Drift is the mean Euclidean distance |z_step - z_0| (Eq. 21, with the posterior's mean for
    z_reenc); the accuracy is that of a Gaussian naive Bayes fitted to the training set's
    embeddings, which were never re-encoded.
    """
    model = trained(lab, data, loss, seed)
    train, test = samples(data, settings(lab.quick)[data], seed)
    with torch.no_grad():
        classifier = GaussianNB().fit(model.encode(tensors(train.x)).mean.numpy(), train.labels)
        start = model.encode(tensors(test.x)).mean
        return {
            step: {
                "drift": float((z - start).norm(dim=1).mean()),
                "accuracy": float(classifier.score(z.numpy(), test.labels)),
            }
            for step, z in reencode(model, start).items()
        }


def reencode(model: M2VAE, z: Tensor) -> dict[int, Tensor]:
    """Unfold all modalities from z and encode them, as often as `STEPS` says: step -> (N, D_z)."""
    path = trajectory(model, z, model.modalities, max(STEPS))
    return {step: path[step] for step in STEPS}


def _over_seeds(measured: list[dict[int, dict[str, float]]]) -> dict[str, dict[str, Any]]:
    return {
        str(step): {
            quantity + suffix: cell[part]
            for quantity, cell in of_step.items()
            for part, suffix in (("mean", ""), ("std", "_std"), ("seeds", "_seeds"))
        }
        for step, of_step in over_seeds(measured).items()
    }


def section(numbers: Mapping[str, Any]) -> Section:
    """The re-encoding experiment for the report."""
    say = Prose(NAME, most_lost=MOST_LOST, least_gain=LEAST_GAIN, numbers=numbers)
    checks, tables = [], []
    for data, title in DATA.items():
        of_loss = numbers if data == "mnist" else numbers[data]
        yes, no = (of_loss[loss] for loss in LOSSES)
        before, after = yes["0"]["accuracy"], yes["100"]["accuracy"]
        measured = f"{100 * (before - after):.2f} points ({before:.3f} → {after:.3f})"
        checks.append(Check(say("kept", title=title), measured, before - after <= MOST_LOST))
        much, little = no["100"]["drift"], yes["100"]["drift"]
        measured = f"{much / little:.1f} times ({much:.3f} → {little:.3f})"
        checks.append(Check(say("drift", title=title), measured, much / little >= LEAST_GAIN))
        rows = [
            (
                str(step),
                *(
                    f"{cell[quantity]:.3f} ± {cell[quantity + '_std']:.3f}"
                    for quantity in ("drift", "accuracy")
                    for cell in (yes[str(step)], no[str(step)])
                ),
            )
            for step in STEPS
        ]
        header = (
            "re-encodings",
            "drift with",
            "drift without",
            "accuracy with",
            "accuracy without",
        )
        caption = say("caption", title=title, seeds=len(yes["0"]["drift_seeds"]))
        tables.append(Table(caption, header, rows))
    figures = ("embeddings", "decodings", "statistics", "mog")
    return say.section(checks, tables, [f"fig5_{figure}.png" for figure in figures])
