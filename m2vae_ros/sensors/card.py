# SPDX-License-Identifier: Apache-2.0
"""The card of trained weights: what a folder holds, read and checked without torch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m2vae_ros.sensors.plain import PlainError
from m2vae_ros.sensors.suite import SensorSuite

FORMAT = 2
"""Version of the folder's layout; a reader refuses any other."""

CARD = "card.json"

GRAPHS = "graphs.zip"
"""What a robot runs, see `m2vae_ros.vae.export`."""

LARGEST_CARD = 2**24
"""Bytes."""


class WeightsError(ValueError):
    """The weights cannot be used; the message names the path and the reason."""


@dataclass(frozen=True)
class Card:
    """What ``card.json`` says.

    Attributes:
        folder: where it lies.
        name: of the weights.
        fingerprint: of the latent space.
        suite: the modalities, their views and networks, and the classes.
        familiar_error: modality -> the squared reconstruction error that 99.9 % of the training
            observations stay below.
        digests: file -> SHA-256, as hexadecimal digits, of every other file of the folder.
        fields: all of it.
    """

    folder: Path
    name: str
    fingerprint: str
    suite: SensorSuite
    familiar_error: Mapping[str, float]
    digests: Mapping[str, str]
    fields: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Card:
        """Read the card of a folder.

        Raises:
            WeightsError: it is missing, of another format, or makes no sense.
        """
        path = folder / CARD
        fields = _fields(path)
        try:
            card = cls(
                folder=folder,
                name=fields["name"],
                fingerprint=fields["fingerprint"],
                suite=SensorSuite.from_plain(fields["suite"]),
                familiar_error=dict(fields["familiar_error"]),
                digests=dict(fields["digests"]),
                fields=fields,
            )
        except KeyError as error:
            raise WeightsError(f"{path}: the field {error} is missing") from error
        except PlainError as error:
            raise WeightsError(f"{path}: suite: {error}") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise WeightsError(f"{path}: {error}") from error
        if sorted(card.familiar_error) != sorted(card.suite):
            raise WeightsError(
                f"{path}: familiar_error: has {sorted(card.familiar_error)}, the suite "
                f"{sorted(card.suite)}"
            )
        for modality, found in card.familiar_error.items():
            if not isinstance(found, int | float) or not 0.0 < found < math.inf:
                raise WeightsError(
                    f"{path}: familiar_error: {modality}: {found!r} must be a positive number"
                )
        for field in ("name", "fingerprint"):
            if not isinstance(fields[field], str):
                raise WeightsError(f"{path}: {field}: {fields[field]!r} must be text")
        return card

    def file(self, name: str) -> bytes:
        """The content of a file of the folder, which is what it was when the card was written.

        Raises:
            WeightsError: it is missing, or is another.
        """
        path = self.folder / name
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise WeightsError(f"{path}: no such file") from error
        except OSError as error:
            raise WeightsError(f"{path}: {error.strerror}") from error
        if digest(content) != self.digests.get(name):
            raise WeightsError(
                f"{path}: is not the file of {self.folder / CARD}; it was changed or mixed up"
            )
        return content


def digest(content: bytes) -> str:
    """SHA-256 as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _fields(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > LARGEST_CARD:
            raise WeightsError(f"{path}: larger than {LARGEST_CARD} bytes")
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file") from error
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        found = fields.get("format") if isinstance(fields, dict) else type(fields).__name__
        raise WeightsError(f"{path}: format is {found!r}, this version reads {FORMAT}")
    return fields
