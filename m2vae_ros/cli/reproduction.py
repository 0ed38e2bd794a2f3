# SPDX-License-Identifier: Apache-2.0
"""``m2vae reproduce``."""

from __future__ import annotations

import argparse
from pathlib import Path

from m2vae_ros.cli.arguments import add_dask, positive

EXPERIMENTS = (
    "table1",
    "mog",
    "table2",
    "mnist",
    "reencoding",
    "camera-lidar",
    "modalities",
    "independence",
    "motions",
    "cross-terms",
    "asking",
    "transfer",
)


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this group's commands."""
    reproduce = commands.add_parser(
        "reproduce",
        help="the paper's tables and figures, beside what people would use instead",
        description="Run the paper's experiments and write a report: index.html with figures and "
        "tables, the figures as PNG, every number as JSON.",
        epilog="Interrupted with Ctrl-C, the same command goes on where it was. Trainings that are "
        "done are kept in runs/ and loaded. The whole takes an hour and a half on two "
        "cores, --quick a few minutes.",
    )
    reproduce.add_argument(
        "experiments",
        nargs="*",
        metavar="EXPERIMENT",
        help=f"of {', '.join(EXPERIMENTS)}; default: all but transfer, which needs --bags",
    )
    reproduce.add_argument(
        "--quick",
        action="store_true",
        help="few samples, epochs and seeds: shows that everything works, measures nothing",
    )
    reproduce.add_argument("--seeds", type=positive, help="of the tables; default: 5, quick 1")
    reproduce.add_argument(
        "--out", type=Path, help="folder of the report; default: reports, quick reports/quick"
    )
    reproduce.add_argument(
        "--runs", type=Path, help="folder of the trainings; default: runs/reproduce, runs/quick"
    )
    add_dask(reproduce)
    reproduce.add_argument("--workers", type=positive, help="processes; default: one per core")
    reproduce.add_argument(
        "--bags",
        type=Path,
        default=Path("bags"),
        metavar="FOLDER",
        help="of transfer: bags from Gazebo in FOLDER/train and FOLDER/test, recorded by `m2vae "
        "survey` with different seeds; default: %(default)s",
    )
    reproduce.set_defaults(run=_reproduce)


def _reproduce(options: argparse.Namespace) -> int:
    from joblib import effective_n_jobs
    from rich.console import Console

    from m2vae_ros.experiments.lab import Lab
    from m2vae_ros.experiments.reproduce import reproduce
    from m2vae_ros.host.workers import workers

    quick = options.quick
    with workers(options.dask):
        lab = Lab(
            out=options.out or Path("reports/quick" if quick else "reports"),
            runs=options.runs or Path("runs/quick" if quick else "runs/reproduce"),
            quick=quick,
            seeds=options.seeds or (1 if quick else 5),
            workers=options.workers or effective_n_jobs(),
            bags=options.bags,
        )
        return 0 if reproduce(options.experiments, lab, Console()) else 1
