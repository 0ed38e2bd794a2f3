# SPDX-License-Identifier: Apache-2.0
"""``m2vae suite``: from a bag to a sensor suite, and whether the two fit."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m2vae_ros.cli.arguments import SUITE_HELP, add_json

if TYPE_CHECKING:
    from m2vae_ros.bags.suite_check import Fit
    from m2vae_ros.bags.topics import FoundTopic
    from m2vae_ros.sensors import SensorSuite

_HEAD = """\
# A sensor suite for m2vae_ros. docs/own-sensors.md explains every field; next:
#   m2vae suite check {file} --bags BAG
#   m2vae train {file} --bags BAG --out models/{name}
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this group's commands."""
    suite = commands.add_parser(
        "suite",
        help="describe your own sensors: draft a suite from a bag, check it",
        description="A sensor suite is one YAML file that says which sensors there are, what the "
        "model takes of their messages, what an observation is about and which classes there are.",
    )
    actions = suite.add_subparsers(required=True, metavar="ACTION")
    new = actions.add_parser(
        "new",
        help="write a first version, from a bag or by asking",
        description="Write a suite of what is in a bag: every topic that a view can read becomes a "
        "modality, with sizes and rates as found. Without --bags, asks for one sensor after the "
        "other. Read the file, change what is not meant so, and check it.",
        epilog="Example: m2vae suite new mine.yaml --bags run_1",
    )
    new.add_argument("file", type=Path, help="to write; must not be there yet")
    new.add_argument("--bags", type=Path, nargs="+", metavar="BAG", help="recorded by your robot")
    new.set_defaults(run=_new)
    check = actions.add_parser(
        "check",
        help="say what fits and what does not, before anything is trained",
        description="Check a suite by itself and, with --bags, against what was recorded: topics, "
        "types, whether the views can read the messages and what they make of them, labels against "
        "classes.",
        epilog="Examples: m2vae suite check amiro; m2vae suite check mine.yaml --bags run_1",
    )
    check.add_argument("suite", metavar="SUITE", help=SUITE_HELP)
    check.add_argument("--bags", type=Path, nargs="+", metavar="BAG")
    add_json(check)
    check.set_defaults(run=_check)


def _new(options: argparse.Namespace) -> int:
    from m2vae_ros.bags.namespaces import called
    from m2vae_ros.bags.suite_check import rates_of, scarce
    from m2vae_ros.bags.suite_draft import draft, fields_left_out, left_out, robots_of
    from m2vae_ros.bags.suite_scales import set_scales
    from m2vae_ros.bags.topics import find_topics
    from m2vae_ros.cli.suite_questions import asked
    from m2vae_ros.sensors import SensorSuite
    from m2vae_ros.sensors.suite_file import write_plain

    if options.file.exists():
        raise ValueError(f"{options.file}: is there already")
    name = re.sub(r"[^a-z0-9_]+", "_", options.file.stem.lower()).strip("_")
    name = name if name[:1].isalpha() else f"suite_{name}"
    if options.bags:
        with _bar("bags") as progress:
            topics = find_topics(options.bags, progress)
        _show_topics(topics)
        plain = draft(name, topics)
        print(f"taken for robots: {', '.join(map(called, robots_of(topics)))}")
        with _bar("how far readings reach") as progress:
            set_scales(plain, topics, options.bags, progress)
        for topic in left_out(topics, plain):
            print(f"left out: {topic.name}: {_why_left_out(topic)}")
        for topic_name, fields in fields_left_out(topics, plain).items():
            print(f"left out: {topic_name}: {', '.join(fields)}: says how sure a reading is")
    elif sys.stdin.isatty():
        plain = asked(name)
    else:
        raise ValueError("--bags: say a bag to draft from; there is no terminal to ask")
    suite = SensorSuite.from_plain(plain)
    write_plain(options.file, plain, _HEAD.format(file=options.file, name=name))
    _show_suite(suite, None)
    if options.bags:
        _warn(scarce(suite, rates_of(suite, topics)))
    print(f"{options.file}: written; read it, it is a guess")
    return 0


def _why_left_out(topic: FoundTopic) -> str:
    from m2vae_ros.bags.suite_draft import MOST_NUMBERS
    from m2vae_ros.sensors.suite import STRING

    if not topic.count:
        return "no message of it is in the bags"
    if topic.example is None:
        return f"its messages cannot be decoded: {topic.type}"
    if topic.type == STRING:
        return "texts are no readings; if they say the class, name it in `labels` of the sampling"
    return (
        f"no view reads a {topic.type} like its first message, in which there is no number and no "
        f"array of at most {MOST_NUMBERS} numbers; publish it as a type that a view reads, such as "
        "PointCloud2 or Float32MultiArray, or install a view of your own (docs/own-sensors.md, "
        "Views)"
    )


def _check(options: argparse.Namespace) -> int:
    from m2vae_ros.bags.suite_check import check, scarce
    from m2vae_ros.host.files import write_json
    from m2vae_ros.sensors import read_suite

    suite = read_suite(options.suite)
    fit = check(suite, options.bags) if options.bags else None
    _show_suite(suite, fit)
    if options.json:
        write_json(options.json, {"suite": suite.to_plain(), "fit": fit and asdict(fit)})
    if fit is None:
        print(f"{options.suite}: is a suite; --bags BAG checks it against a recording")
        return 0
    for hint in (scarce(suite, fit.rates), *fit.hints):
        _warn(hint)
    for problem in fit.problems:
        print(f"✗ {problem}")
    print("✓ everything fits" if not fit.problems else f"{len(fit.problems)} do not fit")
    return 1 if fit.problems else 0


def _warn(what: str) -> None:
    if what:
        print(f"! {what}")


@contextmanager
def _bar(title: str) -> Iterator[Callable[[float], object]]:
    """A progress bar, moved by being called with the share that lies behind."""
    from tqdm import tqdm

    with tqdm(total=1.0, desc=title, bar_format="{desc}: {percentage:3.0f}% {bar}") as bar:
        yield lambda share: bar.update(share - bar.n)


def _show_topics(topics: list[FoundTopic]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="in the bags")
    for column in ("topic", "type"):
        table.add_column(column, overflow="fold")
    for column in ("messages", "Hz", "bytes"):
        table.add_column(column, justify="right")
    for topic in topics:
        numbers = (str(topic.count), f"{topic.rate:.3g}", f"{topic.size:.0f}")
        table.add_row(topic.name, topic.type, *numbers)
    Console(markup=False).print(table)


def _show_suite(suite: SensorSuite, fit: Fit | None) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"suite {suite.name}: about {suite.about.kind}")
    for column in ("modality", "topic", "view"):
        table.add_column(column, overflow="fold")
    for column in ("takes", "code", *(("Hz", "readings") if fit else ())):
        table.add_column(column, justify="right")
    for name, modality in suite.items():
        shape = " × ".join(map(str, modality.view.shape))
        row = [name, modality.topic, modality.view.kind, shape, str(modality.beta_vae.latent_dim)]
        if fit:
            row += [f"{fit.rates[name]:.3g}", str(fit.readings[name])]
        table.add_row(*row)
    console = Console(markup=False)
    console.print(table)
    classes = ", ".join(suite.classes) if suite.classes else "none, so there is no classifier"
    sample = sum(
        math.prod(view.shape) * view.pack(_nothing(view)).itemsize for view in suite.views.values()
    )
    console.print(f"classes: {classes}; {sample / 1e3:.3g} kB a sample")


def _nothing(view: Any) -> Any:
    import numpy as np

    return np.zeros(view.shape, dtype=np.float32)
