# SPDX-License-Identifier: Apache-2.0
"""``m2vae train``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from m2vae_ros.cli import evaluation, samples
from m2vae_ros.cli.arguments import positive

if TYPE_CHECKING:
    from m2vae_ros.vae.weights import Weights


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add this group's commands."""
    train = commands.add_parser(
        "train",
        help="train β-VAEs, M2VAE and classifier",
        description="Train a system from samples to a folder of weights, and measure it on fresh "
        "samples. Interrupted with Ctrl-C, the same command resumes. A GPU is used if there is "
        "one.",
    )
    train.add_argument("system", choices=["amiro"], help="what to train")
    train.add_argument(
        "--data", type=Path, help="samples from `m2vae collect`; default: collect them first"
    )
    train.add_argument("--count", type=positive, default=20_000, help="default: %(default)s")
    train.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    train.add_argument(
        "--out",
        type=Path,
        default=Path("models/amiro"),
        help="folder of the weights; a twin trained without re-encoding loss lies beside it "
        "(default: %(default)s)",
    )
    train.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> int:
    from m2vae_ros.data.amiro import AmiroSamples
    from m2vae_ros.training.amiro import AmiroRecipe, train

    # an interrupted training must find the samples it began with
    data = options.data or options.out / ".training" / f"{options.count}-{options.seed}.npz"
    if options.data is None and not data.exists():
        samples.draw(options.count, options.seed).save(data)
    provenance = {"source": "simulator", "world": "worlds/amiro.world", "seed": options.seed}
    if options.data is not None:
        provenance = {"source": options.data.name}
    weights, twin = train(AmiroSamples.load(data), options.out, AmiroRecipe(), provenance)
    if options.data is None:
        _measure(weights, twin, options.count // 5, options.seed + 1)
    for trained in (weights, twin):
        trained.save(options.out.with_name(trained.name))
        print(f"{options.out.with_name(trained.name)}: fingerprint {trained.fingerprint}")
    return 0


def _measure(weights: Weights, twin: Weights, count: int, seed: int) -> None:
    """Evaluate on fresh samples, show the tables and write the numbers into the cards."""
    from m2vae_ros.experiments.amiro import evaluate

    measured = evaluate(weights, twin, samples.draw(count, seed), seed)
    evaluation.show(measured)
    for trained in (weights, twin):
        trained.facts["metrics"] = measured.to_json()
