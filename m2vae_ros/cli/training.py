# SPDX-License-Identifier: Apache-2.0
"""``m2vae train``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from m2vae_ros.cli import bag_samples, samples
from m2vae_ros.cli.arguments import SUITE_HELP, non_negative, positive, positive_number
from m2vae_ros.host.resources import weights_folder

if TYPE_CHECKING:
    from m2vae_ros.datasets.samples import Samples
    from m2vae_ros.sensors import SensorSuite
    from m2vae_ros.training.fine_tuning import Pretrained
    from m2vae_ros.vae.weights import Weights


_MOST_MEASURED = 20_000
"""Samples held out that weights are measured on, all at once in memory; of more, that many."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this group's commands."""
    train = commands.add_parser(
        "train",
        help="train β-VAEs, M2VAE and classifier",
        description="Train a system from samples to a folder of weights; samples are drawn from "
        "the simulator, unless --data or --bags say otherwise. What was trained in the simulator "
        "is measured on fresh samples, what was trained from bags on --held-out, or on what the "
        "suite holds out; from that the weights also learn to tell what is none of the known. "
        "Interrupted with Ctrl-C, the same command resumes. A GPU is used if there is one.",
        epilog="Examples: m2vae train amiro; m2vae train amiro --bags runs/ --out models/mine; "
        "m2vae train amiro --bags runs/ --from models/amiro --minutes 5 --out models/mine; m2vae "
        "train mine.yaml --from models/mine --classifiers-only --bags runs/ --held-out other_runs/ "
        "--out models/newer. Then: "
        "m2vae evaluate models/mine --bags other_runs/",
    )
    train.add_argument("suite", metavar="SUITE", help=SUITE_HELP)
    train.add_argument(
        "--data",
        type=Path,
        help="samples from `m2vae collect`, which may be of bags; default: collect them first",
    )
    train.add_argument("--count", type=positive, default=20_000, help="default: %(default)s")
    train.add_argument("--seed", type=non_negative, default=1, help="default: %(default)s")
    train.add_argument(
        "--out",
        type=Path,
        help="folder of the weights (default: that of the suite's name in models/; with --data, "
        "--bags or --from it must be said)",
    )
    train.add_argument(
        "--twin",
        action="store_true",
        help="train a twin without re-encoding loss as well, beside the folder, to compare with",
    )
    train.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="WEIGHTS",
        help="start β-VAEs and M2VAE from this folder of weights, or a name in the package's "
        "models, at a lower learning rate; the classifiers are fitted anew",
    )
    train.add_argument(
        "--classifiers-only",
        action="store_true",
        help="with --from: keep β-VAEs and M2VAE, so that the robots of a team go on understanding "
        "each other, and fit the classifiers and what tells the unknown alone; they gain from more "
        "samples than the networks",
    )
    train.add_argument(
        "--held-out",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="with --bags: bags that nothing is trained on, instead of what the suite holds out; "
        "they say when to end the training, how surprising a known reading can be, and what "
        "the weights are worth",
    )
    train.add_argument(
        "--minutes",
        type=positive_number,
        metavar="M",
        help="train the networks no longer than this: all schedules are shortened by the same "
        "factor, going by what an epoch takes at the beginning; default: the whole recipe",
    )
    train.add_argument(
        "--network-seed",
        type=non_negative,
        default=0,
        help="of the initial weights and the order of samples; default: %(default)s",
    )
    bag_samples.add_options(train)
    train.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from m2vae_ros.training import distributed

    with distributed.process_group():
        if distributed.count() > 1 and (options.minutes or options.classifiers_only):
            raise ValueError("--minutes, --classifiers-only: one process only, without torchrun")
        return _train(options)


def _train(options: argparse.Namespace) -> int:
    from m2vae_ros.sensors import read_suite
    from m2vae_ros.training.novelty import fit_novelty, lacking
    from m2vae_ros.training.suite import SuiteRecipe, data_facts, parts, train

    if options.classifiers_only and (options.minutes or not options.start):
        raise ValueError("--classifiers-only: say with --from whose networks stay; no --minutes")
    suite = read_suite(options.suite)
    out, start = _out(options, suite), None
    recipe = replace(SuiteRecipe.of(suite), seed=options.network_seed)
    if options.start:
        from m2vae_ros.training.fine_tuning import Pretrained, fine_tuning, fit_classifiers

        start = Pretrained.load(weights_folder(options.start), suite, options.twin)
    given = _held_out(options, suite, start)
    data, provenance = _samples(options, out, suite)
    seen, unseen = parts(data, recipe.seed, given)
    if options.classifiers_only:
        assert start is not None
        trained = fit_classifiers(seen, out, recipe, provenance, start)
    else:
        recipe = (fine_tuning(recipe) if start else recipe).suited_to(len(data))
        if options.minutes:
            from m2vae_ros.training.time_limit import limited

            recipe, seconds = limited(recipe, data, options.minutes, out / ".training/plan.json")
            print(f"the networks will take about {seconds / 60:.1f} minutes, then the classifiers")
        trained = train(data, out, recipe, provenance, start, options.twin, given)
    if not trained:  # another process has it
        return 0
    if provenance["source"] == "simulator":
        provenance = {**provenance, "seed": options.seed + 1}
        unseen = samples.draw(options.count // 5, options.seed + 1, suite)
    if given:
        provenance = _bags(options.held_out)
    if unseen:
        unseen = unseen[unseen.drawn(_MOST_MEASURED, recipe.seed)]
        for weights in trained.values():
            errors = weights.familiar_error
            if found := fit_novelty(weights.beta_vaes, unseen, errors, recipe.seed, seen):
                weights.novelty = found
                weights.facts["novelty_data"] = data_facts(provenance, unseen)
        _measure(trained, unseen, out)
    more = "--held-out names bags for it, `validation` of the suite's sampling a share"
    more = "--held-out takes more bags" if given else more
    for weights in trained.values():
        if not weights.novelty:
            had = lacking(unseen, len(suite))
            print(f"{weights.name} cannot tell the unknown: {had} at least; {more}")
        weights.save(out.with_name(weights.name))
        print(f"{out.with_name(weights.name)}: fingerprint {weights.fingerprint}")
    return 0


def _out(options: argparse.Namespace, suite: SensorSuite) -> Path:
    """Where the weights go; neither the shipped ones nor what one starts from are overwritten.

    Raises:
        ValueError: it is not said, or is where one starts from; or there are two kinds of samples.
        FileNotFoundError: there are no weights to start from by that name.
    """
    if options.data and options.bags:
        raise ValueError("--data and --bags: train from the one or the other")
    others = {"--from": options.start, "--data": options.data, "--bags": options.bags}
    given = [name for name, value in others.items() if value]
    if not options.out:
        if given:
            raise ValueError(f"{given[0]}: say with --out where the new weights go")
        return Path("models") / suite.name
    start = weights_folder(options.start) if options.start else None
    if start and not _written(options.out).isdisjoint(_written(start)):
        raise ValueError("--from: say with --out another folder; the old weights and twin stay")
    out: Path = options.out
    return out


def _written(folder: Path) -> set[Path]:
    """The folders of weights and of their twin."""
    from m2vae_ros.training.suite import WITHOUT_REENCODING

    folder = folder.resolve()
    return {folder, folder.with_name(folder.name + WITHOUT_REENCODING)}


def _samples(
    options: argparse.Namespace, out: Path, suite: SensorSuite
) -> tuple[Samples, dict[str, object]]:
    """What to train on, and where it comes from, for the card."""
    from m2vae_ros.datasets.samples import Samples
    from m2vae_ros.training import distributed

    if options.data:
        return Samples.load(options.data).of(suite), {"source": options.data.name}
    provenance: dict[str, object]
    # an interrupted training must find the samples it began with
    if options.bags:
        kept = out / ".training" / f"bags-{bag_samples.key(options)}.npz"
        provenance = _bags(options.bags)
    else:
        kept = out / ".training" / f"{options.count}-{options.seed}.npz"
        provenance = {"source": "simulator", "world": "worlds/amiro.world", "seed": options.seed}
    if not kept.exists() and distributed.rank() == 0:
        if options.bags:
            bag_samples.read(options, suite).save(kept)
        else:
            samples.draw(options.count, options.seed, suite).save(kept)
    distributed.wait()
    return Samples.load(kept).of(suite), provenance


def _bags(folders: Sequence[Path]) -> dict[str, object]:
    """Where samples of bags come from, for the card."""
    return {"source": "bags", "bags": [bag.name for bag in folders]}


def _held_out(
    options: argparse.Namespace, suite: SensorSuite, start: Pretrained | None
) -> Samples | None:
    """The samples of --held-out, if it is given.

    Raises:
        ValueError: a bag of them is trained on, too, or the networks were trained on them.
    """
    from m2vae_ros.bags.reader import find_bags

    if not options.held_out:
        return None
    if not options.bags:
        raise ValueError("--held-out: goes with --bags")
    trained_on = {file.path.resolve() for file in find_bags(options.bags)}
    for file in find_bags(options.held_out):
        if file.path.resolve() in trained_on:
            raise ValueError(f"--held-out: {file.path} is in --bags, too")
    given = argparse.Namespace(**{**vars(options), "bags": options.held_out, "enough": 0})
    found = bag_samples.read(given, suite)
    if start and found.digest() == start.weights.facts.get("data", {}).get("sha256"):
        raise ValueError(f"--held-out: {options.start} was trained on these very samples")
    return found


def _measure(trained: Mapping[str, Weights], fresh: Samples, out: Path) -> None:
    """Evaluate on samples that were not trained on; numbers go into the cards, a picture beside."""
    from m2vae_ros.experiments.evaluation import evaluate, tables
    from m2vae_ros.experiments.evaluation_figure import draw
    from m2vae_ros.experiments.report import show

    for suffix, weights in trained.items():
        measured = evaluate(weights, fresh)
        weights.facts["metrics"] = measured
        show(tables(measured))
        picture = out.with_name(out.name + suffix) / "evaluation.png"
        draw(measured, weights, fresh, picture)
        print(f"at a glance: {picture}")
