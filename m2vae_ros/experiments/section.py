# SPDX-License-Identifier: Apache-2.0
"""What an experiment contributes to the report: claims with their verdicts, tables, figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
        checks: the verdicts.
        tables, figures: what was measured.
    """

    name: str
    title: str
    text: Sequence[str] = ()
    checks: Sequence[Check] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()


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
