# SPDX-License-Identifier: Apache-2.0
"""``m2vae evaluate``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from m2vae_ros.cli import bag_samples, samples
from m2vae_ros.cli.arguments import non_negative, positive

if TYPE_CHECKING:
    from m2vae_ros.experiments.amiro import Evaluation


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add this group's commands."""
    evaluate = commands.add_parser(
        "evaluate",
        help="the table of the paper's section V-D, on fresh samples or on bags",
        description="Draw fresh samples from the simulator, or with --bags take them from what "
        "robots recorded, and measure the table of the paper's section V-D: raw codes, joint "
        "embedding, in-place fusion in all six orders with and without re-encoding loss, the "
        "product of single posteriors, single sensors.",
    )
    evaluate.add_argument("system", choices=["amiro"], help="what to evaluate")
    evaluate.add_argument("--seed", type=non_negative, default=1000, help="default: %(default)s")
    evaluate.add_argument("--count", type=positive, default=4000, help="default: %(default)s")
    evaluate.add_argument("--weights", type=Path, help="default: the package's models/amiro")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    bag_samples.add_options(evaluate, enough=0)
    evaluate.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from m2vae_ros.experiments.amiro import evaluate
    from m2vae_ros.files import replacing
    from m2vae_ros.resources import resource
    from m2vae_ros.training.amiro import WITHOUT_REENCODING
    from m2vae_ros.vae.weights import load

    folder = options.weights or resource("models/amiro")
    weights, twin = load(folder), load(folder.with_name(folder.name + WITHOUT_REENCODING))
    if options.bags:
        bag_samples.check_views(weights)
        fresh = bag_samples.read(options)
        source = f"bags {', '.join(map(str, options.bags))}"
        if fresh.digest() == weights.facts["data"].get("sha256"):
            raise ValueError(f"{source}: {folder} was trained on these very samples")
        evaluation = evaluate(weights, twin, fresh, source=source)
    else:
        if options.seed == weights.facts["data"].get("seed"):
            raise ValueError(
                f"--seed {options.seed}: {folder} was trained on the samples of this seed"
            )
        fresh = samples.draw(options.count, options.seed)
        evaluation = evaluate(weights, twin, fresh, options.seed)
    show(evaluation)
    if options.json:
        with replacing(options.json) as temporary:
            temporary.write_text(json.dumps(evaluation.to_json(), indent=2) + "\n")
        print(f"every number: {options.json}")
    return 0


def show(evaluation: Evaluation) -> None:
    """Print the tables."""
    from rich.console import Console

    from m2vae_ros.experiments.amiro import tables

    console = Console()
    for table in tables(evaluation):
        console.print(table)
