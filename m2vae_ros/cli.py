# SPDX-License-Identifier: Apache-2.0
"""The command ``m2vae``: the demo, and from samples to trained and evaluated weights.

Every command imports what it needs when it runs, so that ``m2vae --help`` answers at once and a
machine without ROS can train.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from m2vae_ros.experiments.amiro import Evaluation
    from m2vae_ros.vae.weights import Weights


_EXPERIMENTS = ("table1", "mog", "table2", "mnist", "reencoding", "camera-lidar", "modalities")


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0, 1 after an error it explained in one line, 130 after Ctrl-C.
    """
    parser = _parser()
    # the demo has a parser of its own, which argparse cannot nest without importing it here
    options, rest = parser.parse_known_args(arguments)
    if rest and options.run is not _demo:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return options.run(options, rest) if options.run is _demo else options.run(options)
    except KeyboardInterrupt:
        print("m2vae: interrupted", file=sys.stderr)
        return 130
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        if os.environ.get("M2VAE_TRACEBACK"):
            raise
        print(f"m2vae: {error}\n(M2VAE_TRACEBACK=1 shows where)", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="m2vae",
        description="Multi-modal sensor fusion by a variational autoencoder, in place, between "
        "robots.",
        epilog="A first walk: m2vae demo; m2vae evaluate amiro; m2vae collect --count 2000 "
        "samples.npz",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="three robots with one sensor each meet eight objects, over ROS 2",
        add_help=False,  # the demo has its own
    )
    demo.set_defaults(run=_demo)

    collect = commands.add_parser(
        "collect",
        help="draw samples from the simulator",
        description="Draw samples from the simulator: an object of a random class, sensed by "
        "camera, LiDAR and reflectance ring, each from a viewpoint of its own. Equal seeds give "
        "equal samples.",
    )
    collect.add_argument("file", type=Path, help="the .npz file to write")
    collect.add_argument("--count", type=_positive, default=20_000, help="default: %(default)s")
    collect.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    collect.set_defaults(run=_collect)

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
    train.add_argument("--count", type=_positive, default=20_000, help="default: %(default)s")
    train.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    train.add_argument(
        "--out",
        type=Path,
        default=Path("models/amiro"),
        help="folder of the weights; a twin trained without re-encoding loss lies beside it "
        "(default: %(default)s)",
    )
    train.set_defaults(run=_train)

    evaluate = commands.add_parser(
        "evaluate",
        help="the table of the paper's section V-D, on fresh samples",
        description="Draw fresh samples from the simulator and measure the table of the paper's "
        "section V-D: raw codes, joint embedding, in-place fusion in all six orders with and "
        "without re-encoding loss, the product of single posteriors, single sensors.",
    )
    evaluate.add_argument("system", choices=["amiro"], help="what to evaluate")
    evaluate.add_argument("--seed", type=int, default=1000, help="default: %(default)s")
    evaluate.add_argument("--count", type=_positive, default=4000, help="default: %(default)s")
    evaluate.add_argument("--weights", type=Path, help="default: the package's models/amiro")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    evaluate.set_defaults(run=_evaluate)

    reproduce = commands.add_parser(
        "reproduce",
        help="the paper's tables and figures, beside what people would use instead",
        description="Run the paper's experiments and write a report: index.html with figures and "
        "tables, the figures as PNG, every number as JSON.",
        epilog="Interrupted with Ctrl-C, the same command goes on where it was. Trainings that are "
        "done are kept in runs/ and loaded. The whole takes about two hours on two "
        "cores, --quick a few minutes.",
    )
    reproduce.add_argument(
        "experiments",
        nargs="*",
        metavar="EXPERIMENT",
        help=f"of {', '.join(_EXPERIMENTS)}; default: all",
    )
    reproduce.add_argument(
        "--quick",
        action="store_true",
        help="few samples, epochs and seeds: shows that everything works, measures nothing",
    )
    reproduce.add_argument("--seeds", type=_positive, help="of the tables; default: 5, quick 1")
    reproduce.add_argument(
        "--out", type=Path, help="folder of the report; default: reports, quick reports/quick"
    )
    reproduce.add_argument(
        "--runs", type=Path, help="folder of the trainings; default: runs/reproduce, runs/quick"
    )
    reproduce.add_argument("--workers", type=_positive, help="processes; default: one per core")
    reproduce.set_defaults(run=_reproduce)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


def _demo(_: argparse.Namespace, arguments: list[str]) -> int:
    from m2vae_ros.demo import main as demo

    return demo(arguments)


def _collect(options: argparse.Namespace) -> int:
    samples = _sample(options.count, options.seed)
    samples.save(options.file)
    print(f"{options.file}: {len(samples)} samples, sha256 {samples.digest()[:16]}…")
    return 0


def _train(options: argparse.Namespace) -> int:
    from m2vae_ros.data.amiro import AmiroSamples
    from m2vae_ros.training.amiro import AmiroRecipe, train

    # an interrupted training must find the samples it began with
    data = options.data or options.out / ".training" / f"{options.count}-{options.seed}.npz"
    if options.data is None and not data.exists():
        _sample(options.count, options.seed).save(data)
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

    evaluation = evaluate(weights, twin, _sample(count, seed), seed)
    _print(evaluation)
    for trained in (weights, twin):
        trained.facts["metrics"] = evaluation.to_json()


def _print(evaluation: Evaluation) -> None:
    from rich.console import Console

    from m2vae_ros.experiments.amiro import tables

    console = Console()
    for table in tables(evaluation):
        console.print(table)


def _evaluate(options: argparse.Namespace) -> int:
    from m2vae_ros.experiments.amiro import evaluate
    from m2vae_ros.files import replacing
    from m2vae_ros.resources import resource
    from m2vae_ros.training.amiro import WITHOUT_REENCODING
    from m2vae_ros.vae.weights import load

    folder = options.weights or resource("models/amiro")
    weights, twin = load(folder), load(folder.with_name(folder.name + WITHOUT_REENCODING))
    trained_on = weights.facts["data"].get("seed")
    if options.seed == trained_on:
        raise ValueError(f"--seed {options.seed}: {folder} was trained on the samples of this seed")
    evaluation = evaluate(weights, twin, _sample(options.count, options.seed), options.seed)
    _print(evaluation)
    if options.json:
        with replacing(options.json) as temporary:
            temporary.write_text(json.dumps(evaluation.to_json(), indent=2) + "\n")
        print(f"every number: {options.json}")
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    from rich.console import Console

    from m2vae_ros.experiments.lab import Lab
    from m2vae_ros.experiments.reproduce import reproduce

    quick = options.quick
    lab = Lab(
        out=options.out or Path("reports/quick" if quick else "reports"),
        runs=options.runs or Path("runs/quick" if quick else "runs/reproduce"),
        quick=quick,
        seeds=options.seeds or (1 if quick else 5),
        workers=options.workers or os.cpu_count() or 1,
    )
    return 0 if reproduce(options.experiments, lab, Console()) else 1


def _sample(count: int, seed: int):
    from tqdm import tqdm

    from m2vae_ros.sim.sampler import sample

    with tqdm(total=count, desc="simulated objects", unit="object", dynamic_ncols=True) as bar:
        return sample(count, seed, progress=bar.update)


if __name__ == "__main__":
    sys.exit(main())
