# SPDX-License-Identifier: Apache-2.0
"""``m2vae evaluate``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m2vae_ros.cli import bag_samples, samples
from m2vae_ros.cli.arguments import add_json, non_negative, positive
from m2vae_ros.host.files import write_json

if TYPE_CHECKING:
    from m2vae_ros.datasets.samples import Samples
    from m2vae_ros.fusion.engine import Engine
    from m2vae_ros.vae.weights import Weights


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this group's commands."""
    evaluate = commands.add_parser(
        "evaluate",
        help="the table of the paper's section V-D, or long missions, on fresh samples or on bags",
        description="Draw fresh samples from the simulator, or with --bags take them from what "
        "robots recorded, and measure the table of the paper's section V-D: raw codes, joint "
        "embedding, in-place fusion in all six orders with and without re-encoding loss, the "
        "product of single posteriors, single sensors. With --mission, measure instead whether "
        "objects are still known when robots go on looking at them: each sensor again and again, "
        "robots in turn, embeddings handed on, under the rule of this package, plain Eq. 18, a "
        "product of single posteriors, and raw codes.",
        epilog="Examples: m2vae evaluate amiro; m2vae evaluate models/mine --bags other_runs/; "
        "m2vae evaluate models/mine --bags all_runs/ --unknown 5; m2vae evaluate amiro --mission "
        "1000 --json mission.json --figure mission.png (about a quarter of an hour)",
    )
    evaluate.add_argument(
        "weights", help="a name in the package's models, amiro for instance, or a folder"
    )
    evaluate.add_argument("--seed", type=non_negative, default=1000, help="default: %(default)s")
    evaluate.add_argument("--count", type=positive, default=4000, help="default: %(default)s")
    evaluate.add_argument(
        "--mission",
        type=positive,
        metavar="STEPS",
        help="so many further looks at each object, after every sensor has sensed it once",
    )
    evaluate.add_argument(
        "--rules",
        nargs="+",
        default=(),
        metavar="RULE",
        help="of the missions: lasting (this package), plain (Eq. 18), 'lasting without' and "
        "'plain without' (re-encoding loss), experts, codes; default: all",
    )
    evaluate.add_argument(
        "--schedules",
        nargs="+",
        default=(),
        metavar="SCHEDULE",
        help="of the missions: 'fresh camera', 'relay' and the like, as the tables name them; "
        "default: all",
    )
    evaluate.add_argument(
        "--unknown",
        type=positive,
        metavar="SEEDS",
        help="whether things that are none of the simulated classes are told as unknown: --count "
        "of each kind for each of so many seeds from --seed on; a sixteenth is sensed by "
        "robots that fuse in place, and then looked at 100 times more. With --bags, of any suite: "
        "whether each class is told if it is left out, by networks that are trained anew for it",
    )
    add_json(evaluate)
    evaluate.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="as PNG: accuracies, calibration and readings beside what was made of them; of the "
        "missions, accuracy over looks",
    )
    bag_samples.add_options(evaluate, enough=0)
    evaluate.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from m2vae_ros.experiments.report import show
    from m2vae_ros.host.resources import weights_folder
    from m2vae_ros.training.suite import WITHOUT_REENCODING
    from m2vae_ros.vae.weights import load

    folder = weights_folder(options.weights)
    weights, twin = load(folder), None
    beside = folder.with_name(folder.name + WITHOUT_REENCODING)
    if beside.exists():
        twin = load(beside)
    if options.unknown and options.bags:
        from m2vae_ros.experiments import left_out

        seeds = range(options.seed, options.seed + options.unknown)
        recorded = bag_samples.read(options, weights.suite)
        numbers = left_out.evaluate(weights.suite, recorded, seeds)
        show(left_out.tables(numbers))
        return _write(options, numbers)
    if options.unknown:
        from m2vae_ros.experiments import unknown

        numbers = unknown.evaluate(
            _engine_of(folder, weights, options),
            options.count,
            max(1, options.count // 16),
            range(options.seed, options.seed + options.unknown),
        )
        show(unknown.tables(numbers))
        return _write(options, numbers)
    fresh, seed, source = _unseen(options, weights, folder)
    if options.mission:
        from m2vae_ros.experiments import mission_report

        if twin is None:
            raise ValueError(
                f"{beside}: not there; missions compare with it, see m2vae train --twin"
            )
        numbers = mission_report.evaluate(
            weights, twin, fresh, options.mission, seed, source, options.rules, options.schedules
        )
        show(mission_report.tables(numbers))
        if options.figure:
            mission_report.draw(numbers, options.figure)
            print(f"accuracy over looks: {options.figure}")
    else:
        from m2vae_ros.experiments import amiro, evaluation

        numbers = {"n": len(fresh), "seed": seed, "fingerprint": weights.fingerprint}
        if twin is not None and fresh.labelled:
            numbers |= amiro.evaluate(weights, twin, fresh, seed, source).to_json()
            show(amiro.tables(numbers))
        numbers["embedding"] = evaluation.evaluate(
            weights, fresh, source or f"simulator, seed {seed}"
        )
        show(evaluation.tables(numbers["embedding"]))
        if options.figure:
            from m2vae_ros.experiments import evaluation_figure

            evaluation_figure.draw(numbers["embedding"], weights, fresh, options.figure)
            print(f"at a glance: {options.figure}")
    return _write(options, numbers)


def _write(options: argparse.Namespace, numbers: Mapping[str, Any]) -> int:
    """Write every number, if that is asked for."""
    if options.json:
        write_json(options.json, numbers)
        print(f"every number: {options.json}")
    return 0


def _engine_of(folder: Path, weights: Weights, options: argparse.Namespace) -> Engine:
    """What robots run, of weights that know the simulated world and not the samples of the seeds.

    Raises:
        ValueError: they are of another suite, or trained on the samples of one of the seeds.
    """
    from m2vae_ros.fusion.onnx_engine import OnnxEngine
    from m2vae_ros.world.suite import AMIRO

    if weights.suite.views != AMIRO.views:
        raise ValueError(
            "--unknown: things of no class are drawn in the simulated world alone; say with --bags "
            "where those of other suites were recorded"
        )
    for seed in range(options.seed, options.seed + options.unknown):
        _check_unseen(weights, folder, seed)
    return OnnxEngine.load(folder)


def _unseen(
    options: argparse.Namespace, weights: Weights, folder: Path
) -> tuple[Samples, int | None, str]:
    """Samples that the weights were not trained on, their seed, and where they come from.

    Raises:
        ValueError: the weights were trained on them.
    """
    if options.bags:
        found = bag_samples.read(options, weights.suite)
        source = f"bags {', '.join(map(str, options.bags))}"
        if found.digest() in _trained_on(weights, "sha256"):
            raise ValueError(f"{source}: {folder} was trained on these very samples")
        return found, None, source
    _check_unseen(weights, folder, options.seed)
    return samples.draw(options.count, options.seed, weights.suite), options.seed, ""


def _check_unseen(weights: Weights, folder: Path, seed: int) -> None:
    """Raises ValueError if the weights were trained on the simulated samples of a seed."""
    if seed in _trained_on(weights, "seed"):
        raise ValueError(f"--seed {seed}: {folder} was trained on the samples of this seed")


def _trained_on(weights: Weights, fact: str) -> list[object]:
    """What the card tells of the samples that something was trained on."""
    data = ("data", "classifier_data", "novelty_data")
    return [weights.facts[key].get(fact) for key in data if key in weights.facts]
