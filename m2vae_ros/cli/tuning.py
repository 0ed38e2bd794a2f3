# SPDX-License-Identifier: Apache-2.0
"""``m2vae tune``."""

from __future__ import annotations

import argparse
from pathlib import Path

from m2vae_ros.cli import bag_samples
from m2vae_ros.cli.arguments import SUITE_HELP, add_json, non_negative, positive


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this group's commands."""
    tune = commands.add_parser(
        "tune",
        help="search for the sizes and weights of a suite's networks",
        description="Train a suite again and again with other lengths of codes and embedding and "
        "other weights of the losses, judge each by samples that were held out (whole bags, "
        "objects or episodes, as the suite says), and write the suite with the best. Interrupted "
        "with Ctrl-C, the same command goes on. Keep your test data out of it.",
        epilog="Example: m2vae tune mine.yaml --bags runs/ --out tuned.yaml --trials 50",
    )
    tune.add_argument("suite", metavar="SUITE", help=SUITE_HELP)
    tune.add_argument("--data", type=Path, help="samples from `m2vae collect`, instead of --bags")
    tune.add_argument("--out", type=Path, required=True, help="the suite to write")
    tune.add_argument("--trials", type=positive, default=50, help="in all; default: %(default)s")
    tune.add_argument("--seed", type=non_negative, default=0, help="default: %(default)s")
    bag_samples.add_options(tune)
    add_json(tune)
    tune.set_defaults(run=_tune)


def _tune(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from m2vae_ros.datasets.samples import Samples
    from m2vae_ros.host.files import write_json
    from m2vae_ros.sensors import read_suite
    from m2vae_ros.sensors.suite_file import write_suite
    from m2vae_ros.training.tuning import tune

    if bool(options.data) == bool(options.bags):
        raise ValueError("--bags or --data: say one of them, what to search on")
    suite = read_suite(options.suite)
    samples = Samples.load(options.data) if options.data else bag_samples.read(options, suite)
    journal = options.out.with_suffix(".trials")
    with tqdm(total=options.trials, desc="trials", unit="trial", dynamic_ncols=True) as bar:

        def progress(done: int, best: float) -> None:
            bar.update(done - bar.n)
            bar.set_postfix({"best": f"{best:.3f}"})

        found, judgement = tune(samples.of(suite), journal, options.trials, options.seed, progress)
    write_suite(options.out, found, f"# Tuned: {judgement:.4f} on what was held out.\n")
    if options.json:
        write_json(options.json, {"judgement": judgement, "suite": found.to_plain()})
    print(f"{options.out}: judged {judgement:.4f}; {journal} remembers the trials")
    return 0
