# SPDX-License-Identifier: Apache-2.0
"""The report: every check, table and figure of the experiments, on one page and in a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich import box
from rich import table as rich_table
from rich.console import Console
from rich.text import Text

from m2vae_ros.experiments.section import Section, Table
from m2vae_ros.host.files import replacing

VERDICTS = {True: "✓ holds", False: "✗ misses"}

FIRST_PICTURES = {
    "fig4.png": "What one sensor alone tells lands where both together put it, or between the "
    "classes it may be of.",
    "fig5_embeddings.png": "Decoded and encoded again 400 times, an embedding stays (left) or "
    "wanders, with and without the re-encoding loss.",
    "modalities.png": "One classifier reads the embedding of every subset of four and five "
    "modalities as well as that subset's own classifier reads the raw data.",
}
"""What the page begins with, as far as it is there, and what to see in it at a glance."""

_NUMBER = re.compile(r"(?!.*, )[+−-]?\.?\d|–|$")  # a list of numbers is none


class ReportError(ValueError):
    """The report cannot be written; the message names the file, the entry and the reason."""


def write(out: Path, sections: Sequence[Section]) -> Path:
    """Write the page: what holds and what does not, all verdicts, then section by section.

    The page needs nothing but the figures beside it; one that is not there is named as missing.

    Args:
        out: folder with ``reproduce.json`` (see `Lab.publish`) and the figures.
        sections: in the page's order.

    Returns:
        The page, ``out/index.html``.

    Raises:
        ReportError: ``reproduce.json`` cannot be read or lacks one of the sections.
    """
    facts = _facts(out / "reproduce.json", [section.name for section in sections])
    template = _environment().get_template("report.html.j2")
    page = template.render(
        sections=sections,
        facts=facts,
        quick=[section.title for section in sections if facts[section.name]["quick"]],
        missing={f.file for s in sections for f in s.figures if not (out / f.file).is_file()},
        tally=_tally(sections),
        misses=misses,
        first={name: words for name, words in FIRST_PICTURES.items() if (out / name).is_file()},
    )
    path = out / "index.html"
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def terminal(sections: Sequence[Section], console: Console) -> None:
    """Print all tables, and at the end, where it is seen, every verdict; 100 columns suffice."""
    for section in sections:
        show(section.tables, console)
    verdicts = rich_table.Table("", "claim", "measured", box=box.SIMPLE_HEAD)
    for section in sections:
        if section.checks:
            verdicts.add_row("", Text(section.title, style="bold"))
        for check in section.checks:
            verdict = Text(VERDICTS[check.holds], style="green" if check.holds else "bold red")
            verdicts.add_row(verdict, Text(check.claim), Text(check.measured))
    console.print(verdicts)
    console.print(Text(_tally(sections)))


def show(tables: Iterable[Table], console: Console | None = None) -> None:
    """Print tables with their captions and footnotes."""
    console = console or Console()
    for table in tables:
        console.print(Text(table.caption))
        shown = rich_table.Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name, right in zip(table.header, numeric(table), strict=True):
            shown.add_column(Text(name), justify="right" if right else "left", overflow="fold")
        for row in table.rows:
            shown.add_row(
                *map(Text, row)
            )  # Text, because a cell may hold what rich takes for markup
        console.print(shown)
        for number, footnote in enumerate(table.footnotes, start=1):
            console.print(Text(f"  {number}. {footnote}", style="dim"))
        console.print()


def misses(sections: Iterable[Section]) -> int:
    """How many checks do not hold."""
    return sum(not check.holds for section in sections for check in section.checks)


def numeric(table: Table) -> list[bool]:
    """Of each column, whether all its cells are numbers (or empty, or dashes)."""
    return [
        column > 0 and all(_NUMBER.match(row[column]) for row in table.rows)
        for column in range(len(table.header))
    ]


def _tally(sections: Sequence[Section]) -> str:
    count, missed = sum(len(section.checks) for section in sections), misses(sections)
    return (
        f"{count - missed} of {count} claims hold, {missed} {'miss' if missed != 1 else 'misses'}."
    )


def _facts(path: Path, names: Sequence[str]) -> Mapping[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{path}: {error}") from error
    if not isinstance(facts, dict):
        raise ReportError(f"{path}: not an object of experiments")
    for name in names:
        for field in ("quick", "time", "versions"):
            if field not in facts.get(name, {}):
                raise ReportError(f"{path}: {name!r} has no entry {field!r}")
    return facts


def _first_sentence(text: str) -> str:
    return re.split(r"(?<!Fig)\. ", text)[0].rstrip(".")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "numeric": numeric,
        "first_sentence": _first_sentence,
        "minutes": lambda seconds: f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds} s",
        "when": lambda time: f"{datetime.fromisoformat(time.rstrip('Z')):%Y-%m-%d %H:%M} UTC",
    }
    environment.globals["VERDICTS"] = VERDICTS
    return environment
