# SPDX-License-Identifier: Apache-2.0
"""More than two modalities: do the encoders of all 15, of all 31 subsets share one latent space?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from sklearn.naive_bayes import GaussianNB

from m2vae_ros.datasets.attributes import attributes, best_rate, modalities
from m2vae_ros.datasets.labelled import Labelled
from m2vae_ros.experiments.contenders import tensors
from m2vae_ros.experiments.figures import PALETTE, panels, save
from m2vae_ros.experiments.lab import Lab, over_seeds
from m2vae_ros.experiments.section import Check, Prose, Section, Table
from m2vae_ros.experiments.table1 import one_classifier
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe, train_m2vae
from m2vae_ros.vae.in_place import sensed_in_turn
from m2vae_ros.vae.m2vae import M2VAE, Subset, subsets
from m2vae_ros.vae.terms import ORDERS

NAME = "modalities"
FILE = "modalities.png"

TOLERANCE = {4: 0.02, 5: 0.03}
"""Number of modalities -> how far the rate of any subset may be from the raw data's."""


@dataclass(frozen=True)
class Settings:
    """Of one number of modalities.

    Attributes:
        train, test: how many samples.
        recipe: of the model.
        seeds: how many times it is trained.
        orders: of the modalities, drawn at random, in which they are fused in place.
    """

    train: int
    test: int
    recipe: M2VAERecipe
    seeds: int
    orders: int


def settings(quick: bool) -> dict[int, Settings]:
    """Number of modalities -> settings; as many latent dimensions as there are attributes."""
    return {
        n: Settings(
            train=4000,
            test=20_000,
            recipe=M2VAERecipe(
                latent_dim=n,
                hidden=(64, 64),
                beta_norm=0.01,
                schedule=Schedule(epochs=6 if quick else 25, learning_rate=3e-3),
            ),
            seeds=1 if quick else 3,
            orders=10,
        )
        for n in TOLERANCE
    }


def run(lab: Lab) -> None:
    """Train, classify every subset, publish modalities.json and draw modalities.png."""
    chosen = settings(lab.quick)
    jobs = [(lab, n, s, seed) for n, s in reversed(chosen.items()) for seed in range(s.seeds)]
    measured = lab.map("Modalities", measure, jobs)
    numbers = {
        str(n): {
            "best": {"".join(s): best_rate(n, s) for s in subsets(modalities(n))},
            **over_seeds([m for j, m in zip(jobs, measured, strict=True) if j[1] == n]),
        }
        for n in chosen
    }
    lab.publish(
        NAME,
        numbers,
        settings={n: asdict(setting) for n, setting in chosen.items()},
        seeds={n: list(range(setting.seeds)) for n, setting in chosen.items()},
    )
    save(picture(numbers), lab.out / FILE)


def samples(n: int, setting: Settings, seed: int) -> tuple[Labelled, Labelled]:
    """Training and test set of a seed; no two seeds share a sample."""
    return attributes(n, setting.train, 2 * seed), attributes(n, setting.test, 2 * seed + 1)


def trained(lab: Lab, n: int, setting: Settings, seed: int) -> M2VAE:
    """The model of n modalities, trained or loaded."""
    recipe = replace(setting.recipe, schedule=replace(setting.recipe.schedule, seed=seed))
    train, _ = samples(n, setting, seed)
    facts = f"attributes {n} {setting.train} {seed}"
    run = lab.training(NAME, n, seed, recipe={**asdict(recipe), "orders": ORDERS}, data=facts)
    return train_m2vae(recipe, tensors(train.x), seed, **run)


def measure(lab: Lab, n: int, setting: Settings, seed: int) -> dict[str, dict[str, float]]:
    """The rates of one training.

    Returns:
        "raw" and "embedding": subset, e.g. "acd" -> share of right ones; on raw data every subset
        has a classifier of its own, all embeddings share one. "in_place" and "at_once": number of
        modalities held -> share of right ones, over random orders, fused in place one by one, and
        the same subsets encoded at once.
    """
    model = trained(lab, n, setting, seed)
    train, test = samples(n, setting, seed)
    with torch.no_grad():
        known = _embed(model, train)
        classifier = one_classifier(known, train.labels)
        embedding = {s: classifier.score(z, test.labels) for s, z in _embed(model, test).items()}
        rng = np.random.default_rng(seed)
        orders = [tuple(map(str, rng.permutation(modalities(n)))) for _ in range(setting.orders)]
        steps: dict[int, list[tuple[float, float]]] = {k: [] for k in range(1, n + 1)}
        for order in orders:
            for k, mean in enumerate(sensed_in_turn(model, tensors(test.x), order), start=1):
                held = "".join(sorted(order[:k]))
                rate = classifier.score(mean.numpy(), test.labels)
                steps[k].append((rate, embedding[held]))
    return {
        "raw": {"".join(s): _raw_rate(train, test, s) for s in subsets(modalities(n))},
        "embedding": embedding,
        "in_place": {str(k): float(np.mean([i for i, _ in pair])) for k, pair in steps.items()},
        "at_once": {str(k): float(np.mean([a for _, a in pair])) for k, pair in steps.items()},
    }


def _embed(model: M2VAE, data: Labelled) -> dict[str, np.ndarray]:
    posteriors = model.posteriors(tensors(data.x))
    return {"".join(s): posterior.mean.numpy() for s, posterior in posteriors.items()}


def _raw_rate(train: Labelled, test: Labelled, subset: Subset) -> float:
    x, unseen = (np.hstack([data.x[m] for m in subset]) for data in (train, test))
    return float(GaussianNB().fit(x, train.labels).score(unseen, test.labels))


def section(numbers: Mapping[str, Any]) -> Section:
    """The experiment for the report."""
    say = Prose(NAME, seeds=len(numbers["4"]["raw"]["a"]["seeds"]))
    header = (
        "modalities",
        "subsets",
        "best possible",
        "raw",
        "embedding",
        "largest distance",
        "in place",
        "the same at once",
    )
    checks, tables = [], []
    for n, of_n in numbers.items():
        checks += _checks(int(n), of_n, say)
        rows = [_row(k, of_n) for k in range(1, int(n) + 1)]
        tables.append(Table(say("caption", n=n), header, rows))
    return say.section(checks, tables, (FILE,))


def _checks(n: int, of_n: Mapping[str, Any], say: Prose) -> list[Check]:
    distances = _distances(of_n)
    farthest = max(distances, key=distances.__getitem__)
    embedding, raw = (of_n[kind][farthest]["mean"] for kind in ("embedding", "raw"))
    in_place, whole = of_n["in_place"][str(n)]["mean"], of_n["raw"]["".join(modalities(n))]["mean"]
    return [
        Check(
            say("coherent", n=n, subsets=len(distances), tolerance=TOLERANCE[n]),
            f"at most {distances[farthest]:.4f} away: {' & '.join(farthest)}, {embedding:.3f} "
            f"(raw: {raw:.3f})",
            distances[farthest] <= TOLERANCE[n],
        ),
        Check(
            say("in_place", n=n, tolerance=TOLERANCE[n], raw=whole),
            f"{in_place:.3f}",
            abs(in_place - whole) <= TOLERANCE[n],
        ),
    ]


def _distances(of_n: Mapping[str, Any]) -> dict[str, float]:
    """Subset -> how far its embeddings' rate is from its raw data's."""
    return {
        subset: abs(of_n["embedding"][subset]["mean"] - raw["mean"])
        for subset, raw in of_n["raw"].items()
    }


def _row(size: int, of_n: Mapping[str, Any]) -> Sequence[str]:
    alike = [subset for subset in of_n["best"] if len(subset) == size]
    best = np.mean([of_n["best"][subset] for subset in alike])
    raw, embedding = (
        np.mean([of_n[kind][subset]["mean"] for subset in alike]) for kind in ("raw", "embedding")
    )
    farthest = max(_distances(of_n)[subset] for subset in alike)
    in_place, at_once = (of_n[kind][str(size)]["mean"] for kind in ("in_place", "at_once"))
    rates = (best, raw, embedding, farthest, in_place, at_once)
    return (str(size), str(len(alike)), *(f"{rate:.3f}" for rate in rates))


def picture(numbers: Mapping[str, Any]) -> Drawing:
    """Per subset the best possible rate, the raw data's and the embeddings'."""
    drawing, axes = panels(len(numbers), 1, (9, 3.2))
    for panel, (n, of_n) in zip(axes[:, 0], numbers.items(), strict=True):
        _draw(panel, int(n), of_n)
    lines, titles = axes[0, 0].get_legend_handles_labels()
    drawing.legend(lines, titles, loc="outside upper center", ncols=len(titles), frameon=False)
    return drawing


def _draw(panel: Axes, n: int, of_n: Mapping[str, Any]) -> None:
    best = of_n["best"]
    order = sorted(best, key=lambda subset: (len(subset), best[subset], subset))
    place = np.arange(len(order))
    panel.bar(place, [best[s] for s in order], color="0.88", label="best possible")
    for kind, title, marker, shift, colour in (
        ("raw", "raw, a classifier each", "o", -0.15, PALETTE[0]),
        ("embedding", "embedding, one classifier for all", "^", 0.15, PALETTE[2]),
    ):
        cells = [of_n[kind][s] for s in order]
        panel.errorbar(
            place + shift,
            [cell["mean"] for cell in cells],
            [cell["std"] for cell in cells],
            fmt=marker,
            color=colour,
            markersize=4,
            linewidth=1,
            label=title,
        )
    for left, right in pairwise(place):
        if len(order[left]) != len(order[right]):
            panel.axvline((left + right) / 2, color="0.6", linewidth=0.6, linestyle=":")
    panel.set_xticks(place, order, rotation=60 if n > 4 else 0)
    panel.set_xlim(-0.7, len(order) - 0.3)
    panel.set_ylim(0, 1.05)
    panel.set_ylabel("right")
    panel.set_title(f"{n} modalities, {len(order)} subsets")
