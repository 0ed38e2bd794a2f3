# SPDX-License-Identifier: Apache-2.0
"""``m2vae collect``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from m2vae_ros.cli import bag_samples
from m2vae_ros.cli.arguments import SUITE_HELP, add_dask, non_negative, positive

if TYPE_CHECKING:
    from m2vae_ros.datasets.samples import Samples
    from m2vae_ros.sensors import SensorSuite


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this group's commands."""
    collect = commands.add_parser(
        "collect",
        help="draw samples from the simulator, or take them from bags",
        description="Draw samples from the simulator: an object of a random class, sensed by "
        "every sensor of the suite, each from a viewpoint of its own. Equal seeds give "
        "equal samples. With --bags, samples are what robots sensed while they were recorded.",
        epilog="Examples: m2vae collect samples.npz --count 2000; m2vae collect samples.npz --bags "
        "runs/. Then: m2vae train amiro --data samples.npz --out models/mine",
    )
    collect.add_argument("--suite", default="amiro", help=f"{SUITE_HELP}; default: %(default)s")
    collect.add_argument("file", type=Path, help="the .npz file to write")
    collect.add_argument("--count", type=positive, default=20_000, help="default: %(default)s")
    collect.add_argument("--seed", type=non_negative, default=1, help="default: %(default)s")
    add_dask(collect)
    bag_samples.add_options(collect)
    collect.set_defaults(run=_collect)


def _collect(options: argparse.Namespace) -> int:
    from m2vae_ros.sensors import read_suite

    if options.file.is_dir():  # said now, not when all samples are there
        raise ValueError(f"{options.file}: is a folder, not a file to write")
    suite = read_suite(options.suite)
    if options.bags:
        samples = bag_samples.read(options, suite)
    else:
        samples = draw(options.count, options.seed, suite, options.dask)
    samples.save(options.file)
    print(f"{options.file}: {len(samples)} samples, sha256 {samples.digest()[:16]}…")
    return 0


def draw(count: int, seed: int, suite: SensorSuite, dask: str | None = None) -> Samples:
    """Samples from the simulator, on all cores or a cluster, with a progress bar.

    Raises:
        ValueError: the suite is not that of the simulated world, or see `host.workers`.
    """
    from tqdm import tqdm

    from m2vae_ros.host.workers import workers
    from m2vae_ros.sim.sampler import sample
    from m2vae_ros.world.suite import AMIRO

    if suite.views != AMIRO.views or suite.classes != AMIRO.classes:
        raise ValueError(
            f"suite {suite.name}: only {AMIRO.name} can be simulated; say --bags, or --data"
        )

    bar = tqdm(total=count, desc="simulated objects", unit="object", dynamic_ncols=True)
    with workers(dask), bar:
        return sample(count, seed, progress=bar.update)
