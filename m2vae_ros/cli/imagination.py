# SPDX-License-Identifier: Apache-2.0
"""``m2vae imagine``."""

from __future__ import annotations

import argparse
from pathlib import Path

from m2vae_ros.cli import bag_samples, samples
from m2vae_ros.cli.arguments import non_negative, positive


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this group's commands."""
    imagine = commands.add_parser(
        "imagine",
        help="draw what all sensors would read, given what some have sensed",
        description="Encode things by some of their sensors, decode samples of the embeddings by "
        "all, and draw the mean and the spread beside what was really read. Where the spread is "
        "large, nothing is known.",
        epilog="Examples: m2vae imagine amiro --held lidar; m2vae imagine models/mine --bags "
        "other_runs/ --held accelerometer --out imagined.png",
    )
    imagine.add_argument(
        "weights", help="a name in the package's models, amiro for instance, or a folder"
    )
    imagine.add_argument(
        "--held", nargs="+", metavar="MODALITY", help="what was sensed; default: the first one"
    )
    imagine.add_argument(
        "--things", type=positive, default=4, help="that are drawn; default: %(default)s"
    )
    imagine.add_argument(
        "--samples", type=positive, default=64, help="of each embedding; default: %(default)s"
    )
    imagine.add_argument("--seed", type=non_negative, default=1000, help="default: %(default)s")
    imagine.add_argument(
        "--out", type=Path, default=Path("imagined.png"), help="default: %(default)s"
    )
    bag_samples.add_options(imagine, enough=0)
    imagine.set_defaults(run=_imagine)


def _imagine(options: argparse.Namespace) -> int:
    import numpy as np

    from m2vae_ros.experiments import imagination
    from m2vae_ros.host.resources import weights_folder
    from m2vae_ros.vae.weights import load

    weights = load(weights_folder(options.weights))
    held = options.held or [next(iter(weights.suite))]
    if options.bags:
        found = bag_samples.read(options, weights.suite)
        count = min(options.things, len(found))
        found = found[np.random.default_rng(options.seed).choice(len(found), count, replace=False)]
    else:
        found = samples.draw(options.things, options.seed, weights.suite)
    classes = weights.suite.classes
    titles = [classes[label] if found.labelled and classes else "" for label in found.labels]
    imagined = imagination.imagine(weights, found, held, options.samples, options.seed)
    imagination.draw(imagined, held, titles, options.out)
    for modality, of in imagined.items():
        print(f"{modality}: spread {of.spread.mean():.3f}")
    print(f"imagined from {' + '.join(held)}: {options.out}")
    return 0
