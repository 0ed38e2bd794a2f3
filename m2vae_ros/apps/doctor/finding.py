# SPDX-License-Identifier: Apache-2.0
"""What an examination finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(str, Enum):
    """How a finding is to be taken."""

    OK = "ok"
    ABSENT = "absent"
    """Not here, and no node needs it."""
    WARNING = "warning"
    """Nodes run, but perhaps not as they should."""
    ERROR = "error"
    """Nodes need it, and it is missing or does not work."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        section: what it belongs to, e.g. "network".
        subject: what was looked at, e.g. "multicast".
        level: how it is to be taken.
        found: what was found.
        advice: what to do about it; empty if there is nothing to do.
    """

    section: str
    subject: str
    level: Level
    found: str
    advice: str = ""
