# SPDX-License-Identifier: Apache-2.0
"""What an experiment contributes to the report: claims with their verdicts, tables, figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@dataclass(frozen=True)
class Check:
    """One claim and what was measured.

    Attributes:
        claim: what should hold, with its number.
        measured: what was found, with its number.
        holds: whether it does.
    """

    claim: str
    measured: str
    holds: bool


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        caption: what it shows.
        header: one entry per column; the first column names the row.
        rows: cells as text. "–" is a cell that cannot be filled; a footnote says why.
        footnotes: numbered from 1, see `Footnotes`.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    footnotes: Sequence[str] = ()


@dataclass(frozen=True)
class Figure:
    """A picture in the report's folder.

    Attributes:
        file: its name there.
        caption: what to see in it.
    """

    file: str
    caption: str


@dataclass(frozen=True)
class Section:
    """One experiment in the report.

    Attributes:
        name: of the experiment, as the command line knows it.
        title: of the section.
        text: paragraphs.
        misses: paragraphs, why what misses does not hold in general; none if all holds.
        checks: the verdicts.
        tables, figures: what was measured.
    """

    name: str
    title: str
    text: Sequence[str] = ()
    checks: Sequence[Check] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    misses: Sequence[str] = ()


class Footnotes:
    """Numbers footnotes as they are first needed; equal texts share a number.

    Attributes:
        texts: the footnotes, from number 1.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, text: str) -> str:
        """The superscript that refers to a footnote."""
        if text not in self.texts:
            self.texts.append(text)
        number = str(self.texts.index(text) + 1)
        return "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in number)


class Prose:
    """What a section says: the blocks of a template, filled in with what was measured.

    Args:
        name: of the experiment; the template is ``prose/NAME.j2``.
        values: what every block may name. ``{{ x | number(".1%") }}`` is Python's format.
    """

    def __init__(self, name: str, **values: Any) -> None:
        self._name, self._values = name, values
        self._template = _TEMPLATES.get_template(f"{name}.j2")

    def __call__(self, block: str, **values: Any) -> str:
        """One block on one line.

        Raises:
            KeyError: there is no such block.
            jinja2.UndefinedError: it names a value that was not given.
        """
        return " ".join(self._render(block, values).split())

    def section(
        self,
        checks: Sequence[Check] = (),
        tables: Sequence[Table] = (),
        figures: Sequence[str] = (),
    ) -> Section:
        """The section with the blocks ``title``, ``text`` and, for FIGURE.png, ``FIGURE``.

        And ``misses``, if there is such a block and a check misses.
        """
        missed = "misses" in self._template.blocks and not all(check.holds for check in checks)
        misses = self._paragraphs("misses") if missed else []
        shown = [Figure(file, self(Path(file).stem)) for file in figures]
        text = self._paragraphs("text")
        return Section(self._name, self("title"), text, checks, tables, shown, misses)

    def _paragraphs(self, block: str) -> list[str]:
        paragraphs = re.split(r"\n\s*\n", self._render(block, {}).strip())
        return [" ".join(paragraph.split()) for paragraph in paragraphs]

    def _render(self, block: str, values: dict[str, Any]) -> str:
        context = self._template.new_context({**self._values, **values})
        return "".join(self._template.blocks[block](context))


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "prose"),
    undefined=StrictUndefined,
    autoescape=False,  # plain text; the page escapes it
    trim_blocks=True,
)
# + because it is an error that names what is missing, which format alone is not
_TEMPLATES.filters["number"] = lambda value, spec: format(+value, spec)
