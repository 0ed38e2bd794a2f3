# SPDX-License-Identifier: Apache-2.0
"""The pages of the site that nobody writes by hand: what the code says of itself.

A hook of mkdocs, see mkdocs.yml. It also takes in the figures of reports/, which pages link to.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from m2vae_ros.cli import parser
from m2vae_ros.nodes.amiro_sim_node import SimulatorParameters
from m2vae_ros.nodes.fusion_parameters import FusionParameters, RangedSensorParameters
from m2vae_ros.nodes.gazebo_bridge_node import BridgeParameters
from m2vae_ros.nodes.patrol_node import PatrolParameters
from m2vae_ros.nodes.planner_node import PlannerParameters
from m2vae_ros.ros.parameters import parameters
from m2vae_ros.sensors.suite_file import read_suite
from m2vae_ros.sensors.views import OWN

ROOT = Path(__file__).resolve().parents[1]

ROOMS = ("sensors", "vae", "fusion", "robot", "training", "bags")
"""Of whose code there is a page: what others build on."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is made, and the figures."""
    pages = {
        "commands": commands(),
        "parameters": node_parameters(),
        "suites": suites(),
        "messages": messages(),
        **{room: f"# m2vae_ros.{room}\n\n::: m2vae_ros.{room}\n" for room in ROOMS},
    }
    for name, content in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    for figure in sorted((ROOT / "reports").glob("*.png")):
        uri = f"reports/{figure.name}"
        files.append(File.generated(config, uri, abs_src_path=str(figure)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """In a checkout the reports lie beside docs/, on the site within it."""
    return markdown.replace("](../reports/", "](reports/")


def commands() -> str:
    """What each command says with --help."""
    return "\n".join(["# Commands\n", *_help(parser(), 1)])


def _help(of: argparse.ArgumentParser, level: int) -> Iterator[str]:
    of.formatter_class = lambda prog: argparse.RawTextHelpFormatter(prog, width=100)
    if level > 1:
        yield f"{'#' * level} {of.prog}\n"
    yield f"```text\n{of.format_help().strip()}\n```\n"
    for action in of._actions:  # argparse has no public way to its subcommands
        if isinstance(action, argparse._SubParsersAction):
            for below in dict.fromkeys(action.choices.values()):
                yield from _help(below, min(level + 1, 3))


def node_parameters() -> str:
    """Every parameter of every node, as declared."""
    nodes = {
        "fusion": FusionParameters,
        "fusion, for each sensor that looks at objects": RangedSensorParameters,
        "patrol": PatrolParameters,
        "planner": PlannerParameters,
        "amiro_sim": SimulatorParameters,
        "gazebo_bridge": BridgeParameters,
    }
    lines = ["# Parameters\n", "`ros2 param describe` tells the same of a running node.\n"]
    for title, of in nodes.items():
        lines += [f"## {title}\n"]
        lines += table(
            ("parameter", "type", "default", "range", "while it runs", "meaning"),
            (
                (
                    f"`{name}`",
                    kind.__name__ if isinstance(kind, type) else f"{kind}",
                    f"`{default!r}`",
                    _range(facts["minimum"], facts["maximum"]),
                    "fixed" if facts["fixed"] else "can be set",
                    facts["description"],
                )
                for name, kind, default, facts in parameters(of())
            ),
        )
    return "\n".join(lines)


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    return f"{'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'}"


def suites() -> str:
    """The suites that are shipped, and the kinds of views there are."""
    lines = ["# Suites and views\n", "[Your own sensors](../own-sensors.md) is how to write one.\n"]
    for path in sorted((ROOT / "config/suites").glob("*.yaml")):
        suite = read_suite(path)
        lines += [f"## {suite.name}\n", f"About {suite.about.kind}; `config/suites/{path.name}`.\n"]
        lines += table(
            ("modality", "topic", "type", "view", "latent dimensions"),
            (
                (m.name, f"`{m.topic}`", m.type, m.view.kind, f"{m.beta_vae.latent_dim}")
                for m in suite.values()
            ),
        )
    lines += ["## Kinds of views\n"]
    lines += table(
        ("kind", "messages", "makes of a reading"),
        (
            (
                f"[{kind}](sensors.md#{of.__module__}.{of.__name__})",
                ", ".join(of.types) or "any",
                str(of.__doc__).splitlines()[0],
            )
            for kind, of in OWN.items()
        ),
    )
    return "\n".join(lines)


def messages() -> str:
    """The definitions of messages and services."""
    lines = ["# Messages and services\n"]
    for path in sorted([*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")]):
        lines += [f"## m2vae_ros/{path.parent.name}/{path.stem}\n", f"```\n{path.read_text()}```\n"]
    return "\n".join(lines)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A table in Markdown."""
    heads = list(head)
    lines = [heads, ["---"] * len(heads), *map(list, rows)]
    cells = [[re.sub(r"\s*\n\s*", " ", cell.replace("|", "\\|")) for cell in row] for row in lines]
    return [*("| " + " | ".join(row) + " |" for row in cells), ""]
