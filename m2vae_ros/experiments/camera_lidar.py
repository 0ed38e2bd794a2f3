# SPDX-License-Identifier: Apache-2.0
"""Section V-D: camera, LiDAR and reflectance fused in place, and what the fusion's knobs do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Drawing
from torch import Tensor

from m2vae_ros.datasets.labelled import Labelled
from m2vae_ros.datasets.samples import Samples
from m2vae_ros.experiments.amiro import IN_PLACE, PAPER, evaluate, fusion_table
from m2vae_ros.experiments.contenders import tensors
from m2vae_ros.experiments.figures import PALETTE, panels, save
from m2vae_ros.experiments.in_place import trajectory
from m2vae_ros.experiments.lab import Lab, over_seeds, summary
from m2vae_ros.experiments.section import Check, Prose, Section, Table
from m2vae_ros.host.resources import resource
from m2vae_ros.sim.sampler import sample
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe, train_m2vae
from m2vae_ros.training.suite import (
    WITHOUT_REENCODING,
    codes,
    train_classifier,
    train_embedding_reader,
)
from m2vae_ros.vae.in_place import sensed_in_turn
from m2vae_ros.vae.m2vae import M2VAE
from m2vae_ros.vae.weights import load

NAME = "camera-lidar"
FILE = "ablation.png"
WEIGHTS = "models/amiro"

SYMBOLS = {"beta_norm": "β_norm", "alpha": "α", "latent_dim": "D_z"}
"""The fields of `M2VAERecipe` that the ablation moves, as the paper writes them."""

DRIFT_AFTER = (1, 10)
"""Re-encodings."""

MOST_LOST = 0.01
"""Rate that embedding all sensors at once may cost; the paper lost 0.009."""
PAPER_LOSS = PAPER["in_place"] - PAPER["in_place_without_reencoding"]
"""What the paper's in-place fusion lost without the re-encoding loss."""

FRESH_SEED = 7000
"""Of the samples of the evaluation. The weights were trained on seed 1."""


@dataclass(frozen=True)
class Settings:
    """Of the evaluation and the ablation.

    Attributes:
        sweeps: field of `M2VAERecipe` -> what it is set to, while the others stay as shipped.
        fresh: samples to evaluate on.
        train: samples to train the ablation on, as numbers of samples drawn side by side.
        recipe: of the fusion, the one shipped but for a shorter schedule.
        seeds: how many times each configuration is trained.
    """

    sweeps: Mapping[str, Sequence[float]]
    fresh: int
    train: tuple[int, ...]
    recipe: M2VAERecipe
    seeds: int


def settings(quick: bool) -> Settings:
    """The shipped recipe, trained on fewer samples, for fewer steps at a higher rate."""
    if quick:
        return Settings(
            sweeps={"beta_norm": (1e-3, 1e-1), "alpha": (0.0, 0.1), "latent_dim": (2, 10)},
            fresh=300,
            train=(600, 600),
            recipe=M2VAERecipe(schedule=Schedule(epochs=15, batch_size=128, learning_rate=3e-3)),
            seeds=1,
        )
    return Settings(
        sweeps={
            "beta_norm": (1e-4, 1e-3, 1e-2, 1e-1),
            "alpha": (0.0, 0.01, 0.1, 1.0),
            "latent_dim": (2, 3, 5, 10, 20),
        },
        fresh=2000,
        train=(2000, 2000, 2000),
        recipe=M2VAERecipe(schedule=Schedule(epochs=30, batch_size=64, learning_rate=3e-3)),
        seeds=2,
    )


def run(lab: Lab) -> None:
    """Evaluate the shipped weights, train the ablation, publish camera-lidar.json, draw it."""
    setting = settings(lab.quick)
    draws = [
        (lab.runs / NAME / f"samples-{count}-{seed}.npz", count, seed)
        for seed, count in enumerate((setting.fresh, *setting.train), start=FRESH_SEED)
    ]
    fresh, *parts = lab.map("Sensing objects", simulated, draws)
    weights, twin = (load(resource(WEIGHTS + suffix)) for suffix in ("", WITHOUT_REENCODING))

    def coded(*some: Samples) -> Labelled:
        inputs = [codes(weights.beta_vaes, part) for part in some]
        x = {m: torch.cat([part[m] for part in inputs]).numpy() for m in inputs[0]}
        return Labelled(x, np.concatenate([part.labels for part in some]))

    train, test = coded(*parts), coded(fresh)
    drawn = " ".join((weights.fingerprint, *(part.digest() for part in parts)))
    recipes = configurations(setting)
    seeds = range(setting.seeds)
    jobs = [(lab, recipe, seed, train, test, drawn) for recipe in recipes for seed in seeds]
    measured = lab.map("Ablation", measure, jobs)
    points = [
        {
            **{name: getattr(recipe, name) for name in SYMBOLS},
            **over_seeds([m for j, m in zip(jobs, measured, strict=True) if j[1] is recipe]),
        }
        for recipe in recipes
    ]
    numbers = {
        "evaluation": evaluate(weights, twin, fresh, FRESH_SEED).to_json(),
        "ablation": {
            "shipped": {name: getattr(setting.recipe, name) for name in SYMBOLS},
            "epochs": setting.recipe.schedule.epochs,
            "train": len(train),
            "raw": summary([raw_rate(train, test, seed) for seed in seeds]),
            "points": points,
        },
    }
    lab.publish(
        NAME,
        numbers,
        settings=asdict(setting),
        seeds={"samples": [seed for _, _, seed in draws], "trainings": list(seeds)},
    )
    save(picture(numbers["ablation"]), lab.out / FILE)


def simulated(path: Path, count: int, seed: int) -> Samples:
    """Samples of the simulator, drawn once and then kept in a file."""
    if not path.exists():
        sample(count, seed).save(path)
    return Samples.load(path)


def configurations(setting: Settings) -> list[M2VAERecipe]:
    """The shipped recipe, and every other one that differs from it in one parameter's value."""
    shipped = setting.recipe
    changes: list[dict[str, Any]] = [
        {name: value}
        for name, values in setting.sweeps.items()
        for value in values
        if value != getattr(shipped, name)
    ]
    return [shipped, *(replace(shipped, **change) for change in changes)]


def trained(lab: Lab, recipe: M2VAERecipe, seed: int, train: Labelled, drawn: str) -> M2VAE:
    """The fusion of one configuration, trained or loaded."""
    recipe = replace(recipe, schedule=replace(recipe.schedule, seed=seed))
    named = " ".join(f"{name}={getattr(recipe, name):g}" for name in SYMBOLS)
    run = lab.training(NAME, named, seed, recipe=recipe, data=drawn)
    return train_m2vae(recipe, tensors(train.x), seed, **run)


def measure(
    lab: Lab, recipe: M2VAERecipe, seed: int, train: Labelled, test: Labelled, drawn: str
) -> dict[str, Any]:
    """What one configuration reaches.

    Args:
        lab: where the training is kept.
        recipe: of the fusion.
        seed: of the fusion and of the classifier.
        train, test: β-VAE codes.
        drawn: names the training set.

    Returns:
        "joint": rate with all sensors at once. "in_place": order -> rate. "kl": of the joint
        posterior to the prior, in nats. "drift": number of re-encodings -> mean Euclidean distance
        from the joint embedding (Eq. 21).
    """
    model = trained(lab, recipe, seed, train, drawn)
    x = tensors(test.x)
    reader = train_embedding_reader(model, tensors(train.x), train.labels, seed)
    with torch.no_grad():

        def rate(mean: Tensor) -> float:
            return float((reader(mean).argmax(1).numpy() == test.labels).mean())

        joint = model.encode(x)
        return {
            "joint": rate(joint.mean),
            "in_place": {
                ",".join(order): rate(sensed_in_turn(model, x, order)[-1])
                for order in permutations(x)
            },
            "kl": float(joint.kl_to_prior().mean()),
            "drift": drift(model, joint.mean),
        }


def drift(model: M2VAE, start: Tensor) -> dict[str, float]:
    """Re-encodings of all modalities -> mean Euclidean distance from where they began (Eq. 21)."""
    path = trajectory(model, start, model.modalities, max(DRIFT_AFTER))
    return {str(step): float((path[step] - start).norm(dim=1).mean()) for step in DRIFT_AFTER}


def raw_rate(train: Labelled, test: Labelled, seed: int) -> float:
    """The rate of the same classifier on the β-VAE codes of all sensors."""
    x, unseen = (torch.cat(list(tensors(data.x).values()), 1) for data in (train, test))
    with torch.no_grad():
        reader = train_classifier(x, train.labels, seed)
        return float((reader(unseen).argmax(1).numpy() == test.labels).mean())


def section(numbers: Mapping[str, Any]) -> Section:
    """Section V-D for the report."""
    evaluation, ablation = numbers["evaluation"], numbers["ablation"]
    by_alpha = {p["alpha"]: {**p, "rate": in_place(p)[0]} for p in sweep(ablation, "alpha")}
    say = Prose(
        NAME,
        plain=by_alpha[0.0],
        mended=by_alpha[ablation["shipped"]["alpha"]],
        evaluation=evaluation,
        ablation=ablation,
        sweeps=_sweeps(ablation),
        reencodings=str(max(DRIFT_AFTER)),
        most_lost=MOST_LOST,
        paper=PAPER,
        paper_loss=PAPER_LOSS,
    )
    tables = [
        fusion_table(say("rates"), evaluation, ends_alone=True),
        _ablation_table(ablation, say),
    ]
    return say.section(_checks(evaluation, say), tables, (FILE,))


def _checks(evaluation: Mapping[str, Any], say: Prose) -> list[Check]:
    joint = evaluation["joint"]
    worst, without = (min(evaluation[kind].values()) for kind in IN_PLACE)
    gain = worst - without
    return [
        Check(say("at_once"), f"{joint:.1%}", evaluation["raw"] - joint <= MOST_LOST),
        Check(say("worst"), f"{worst:.1%}", worst >= PAPER["in_place"]),
        Check(say("better"), f"{worst:.1%} against {without:.1%}", worst > without),
        Check(say("matters"), f"{100 * gain:.1f} points", gain >= PAPER_LOSS),
    ]


def in_place(point: Mapping[str, Any]) -> tuple[float, float]:
    """The rates of the worst and of the best order, each the mean over the seeds."""
    rates = [cell["mean"] for cell in point["in_place"].values()]
    return min(rates), max(rates)


def sweep(ablation: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The points at which one parameter moves and the others are as shipped, in its order."""
    others = {key: value for key, value in ablation["shipped"].items() if key != name}
    points = [p for p in ablation["points"] if all(p[key] == v for key, v in others.items())]
    return sorted(points, key=lambda point: point[name])


def _sweeps(ablation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the ablation shows, parameter by parameter, the one that matters most first."""
    sweeps = []
    for name, symbol in SYMBOLS.items():
        points = [
            {**point, "value": point[name], "rate": in_place(point)[0]}
            for point in sweep(ablation, name)
        ]
        worst, best = (of(points, key=lambda point: point["rate"]) for of in (min, max))
        ends = {"worst": worst, "best": best, "first": points[0], "last": points[-1]}
        sweeps.append({"symbol": symbol, "moved": best["rate"] - worst["rate"], **ends})
    return sorted(sweeps, key=lambda one: one["moved"], reverse=True)


def _ablation_table(ablation: Mapping[str, Any], say: Prose) -> Table:
    rows = []
    for name, symbol in SYMBOLS.items():
        for point in sweep(ablation, name):
            shipped = " (shipped)" if point[name] == ablation["shipped"][name] else ""
            rates = (point["joint"]["mean"], *in_place(point))
            rows.append(
                (
                    f"{symbol} = {point[name]:g}{shipped}",
                    *(f"{rate:.1%}" for rate in rates),
                    f"{point['kl']['mean']:.1f}",
                    *(f"{point['drift'][str(steps)]['mean']:.3f}" for steps in DRIFT_AFTER),
                )
            )
    header = (
        "parameter",
        "joint",
        "in place, worst order",
        "in place, best order",
        "KL",
        *(f"drift after {n} re-encoding{'s' * (n > 1)}" for n in DRIFT_AFTER),
    )
    return Table(say("sweeps_caption"), header, rows)


def picture(ablation: Mapping[str, Any]) -> Drawing:
    """The rates over each parameter: joint, in place in the worst order, raw."""
    drawing, axes = panels(1, len(SYMBOLS), (3.2, 3.2), sharey=True)
    for panel, (name, symbol) in zip(axes[0], SYMBOLS.items(), strict=True):
        points = sweep(ablation, name)
        values = [point[name] for point in points]
        for title, marker, colour, rates in (
            ("joint", "o", PALETTE[0], [p["joint"]["mean"] for p in points]),
            ("in place, worst order", "^", PALETTE[2], [in_place(p)[0] for p in points]),
        ):
            percent = [100 * rate for rate in rates]
            panel.plot(values, percent, marker=marker, color=colour, label=title)
        panel.axhline(100 * ablation["raw"]["mean"], color="0.3", linestyle="--", label="raw codes")
        panel.axvline(ablation["shipped"][name], color="0.7", linestyle=":", zorder=0)
        if name == "beta_norm":
            panel.set_xscale("log")
        elif name == "alpha":  # 0 belongs to it, too
            smallest = min(value for value in values if value > 0)
            panel.set_xscale("symlog", linthresh=smallest)
            panel.set_xlim(-smallest / 4, 1.5 * max(values))
        panel.set_xlabel(symbol)
        panel.grid(alpha=0.3)
    axes[0, 0].set_ylabel("right, %")
    lines, titles = axes[0, 0].get_legend_handles_labels()
    drawing.legend(lines, titles, loc="outside upper center", ncols=len(titles), frameon=False)
    return drawing
