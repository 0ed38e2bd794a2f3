# SPDX-License-Identifier: Apache-2.0
"""MNIST-E: what the pairs look like (Fig. 3b), how well embeddings tell classes, and the cost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from m2vae_ros.datasets.mnist import FASHION_MNIST, MNIST
from m2vae_ros.datasets.mnist_e import superimpose
from m2vae_ros.experiments import figures, table1, table2
from m2vae_ros.experiments.contenders import (
    MODALITIES,
    ContenderRecipe,
    cells,
    contenders,
    row,
    tensors,
    train_contender,
)
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.experiments.section import Footnotes, Prose, Section, Table
from m2vae_ros.training.loop import Schedule

NAME = "mnist"


def run(lab: Lab) -> None:
    """Publish mnist.json and draw Fig. 3b; the trainings are those of Table II."""
    _draw_pairs(lab)
    names = list(contenders())
    beta_norm = table2.settings(lab.quick).recipe.beta_norm
    jobs = [(lab, name, seed, beta_norm) for seed in lab.fresh_seeds for name in names]
    rates = lab.map("MNIST-E classes", rate, jobs)
    seconds = seconds_per_epoch(lab, names)
    numbers = {}
    for name in names:
        of_model = [r for (_, n, _, _), r in zip(jobs, rates, strict=True) if n == name]
        numbers[name] = {"accuracy": row(of_model), "seconds_per_epoch": seconds[name]}
    lab.publish(NAME, numbers, settings=asdict(table2.settings(lab.quick)), seeds=lab.fresh_seeds)


def rate(lab: Lab, name: str, seed: int, beta_norm: float) -> dict[str, float]:
    """Classification rates as in Table I: one naive Bayes for the embeddings of all columns."""
    model = table2.trained(lab, name, seed, beta_norm)
    return table1.rates(model, *table2.samples(lab, seed))


def seconds_per_epoch(lab: Lab, names: list[str], epochs: int = 3) -> dict[str, float]:
    """Of the same loop, data and batches, one model after the other on one thread: the fastest."""
    recipe = table2.settings(lab.quick).recipe
    once = replace(recipe, schedule=Schedule(epochs=1, batch_size=recipe.schedule.batch_size))
    x = tensors(table2.samples(lab, 0)[0].x)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return {name: min(_seconds(name, once, x) for _ in range(epochs)) for name in names}
    finally:
        torch.set_num_threads(threads)


def _seconds(name: str, recipe: ContenderRecipe, x: Mapping[str, Tensor]) -> float:
    begin = time.perf_counter()
    train_contender(name, recipe, x, 0, quiet=True)
    return time.perf_counter() - begin


def _draw_pairs(lab: Lab) -> None:
    """Fig. 3b: unrelated images side by side, and pairs along a line through the latent space."""
    digits, articles = (source.load()[-10_000:] for source in (MNIST, FASHION_MNIST))
    rng = np.random.default_rng(0)
    unrelated, along = [], []
    decoders = table2.decoders(lab)
    line = torch.stack([torch.linspace(-1.8, 1.8, 10), torch.linspace(-1.8, 1.8, 10)], 1)
    for label in range(5):
        for images in (digits, articles):
            chosen = rng.choice(np.flatnonzero(images.labels == label), 10, replace=False)
            unrelated.append(images.x[chosen])
        pairs = superimpose(*decoders, line, torch.full((10,), label))
        along += [pairs[m].numpy() for m in MODALITIES]
    grids = {"paired at random": unrelated, "MNIST-E": along}
    figures.save(figures.image_grid(grids), lab.out / "fig3b.png")


def section(numbers: Mapping[str, Any]) -> Section:
    """MNIST-E for the report."""
    footnotes = Footnotes()
    rows = []
    for name, measured in numbers.items():
        shown = cells(name, measured["accuracy"], table2.CONFIG, footnotes, ".3f")
        rows.append((name, *shown, f"{measured['seconds_per_epoch']:.2f}"))
    say = Prose(NAME, seeds=len(numbers["M2VAE"]["accuracy"]["ab"]["seeds"]))
    header = ("model", "a & b", "a", "b", "s per epoch")
    return say.section(
        tables=[Table(say("caption"), header, rows, footnotes.texts)], figures=("fig3b.png",)
    )
