# SPDX-License-Identifier: Apache-2.0
"""What came of the messages of bags."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from m2vae_ros.datasets.errors import DataError
from m2vae_ros.host.spill import folder, free_space


class TooMuch(ValueError):
    """Bags of which the readings do not fit on disk."""


@dataclass
class BagReport:
    """What came of the messages of bags.

    Attributes:
        used: (bag, topic) -> readings in the samples.
        unused: (file or bag, topic, kind of reason) -> how many messages, none of what is missing,
            and the first of the reasons.
        readings: class -> modality -> readings in the samples.
        samples: how many.
        kept: bytes of all readings that are kept on disk.
    """

    used: Counter[tuple[str, str]] = field(default_factory=Counter)
    unused: dict[tuple[str, str, str], tuple[int, str]] = field(default_factory=dict)
    readings: dict[str, Counter[str]] = field(default_factory=dict)
    samples: int = 0
    kept: int = 0

    @classmethod
    def of(cls, classes: Iterable[str]) -> BagReport:
        """With nothing counted yet; without classes, all is of the class ""."""
        return cls(readings={name: Counter() for name in tuple(classes) or ("",)})

    def note(self, where: Path, topic: str, reason: str, count: int = 0) -> None:
        """Something that is not used, and why; so many messages, or what is missing."""
        # numbers differ from message to message; the reason is the same
        key = (str(where), topic, re.sub(r"[-+.\d]+(e[-+]?\d+)?", "#", reason))
        before, first = self.unused.get(key, (0, reason))
        self.unused[key] = (before + count, first)

    def keep(self, size: int) -> None:
        """A reading of so many bytes is kept on disk.

        Raises:
            TooMuch: what is kept would not fit there once more, when it is paired.
        """
        self.kept += size
        if self.kept > free_space():
            raise TooMuch(
                f"{folder()}: readings of {self.kept / 1e9:.3g} GB, as the model takes them, and "
                "no room left to pair them; let TMPDIR name a folder with more, or take fewer bags"
            )

    def lacking(self, modalities: Iterable[str], enough: int) -> list[str]:
        """The classes and sensors of which there are fewer readings than that."""
        wanted = list(modalities)
        return [
            f"{name + ': ' if name else ''}{readings[modality]} by {modality}"
            for name, readings in self.readings.items()
            for modality in wanted
            if readings[modality] < enough
        ]


class NotEnough(DataError):
    """Bags that do not hold what is needed.

    Attributes:
        report: why.
    """

    def __init__(self, message: str, report: BagReport) -> None:
        super().__init__(message)
        self.report = report
