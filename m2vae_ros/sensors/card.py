# SPDX-License-Identifier: Apache-2.0
"""The card of trained weights: what a folder holds, read and checked without torch."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m2vae_ros.host.files import read_bounded, replacing
from m2vae_ros.sensors.plain import PlainError, build
from m2vae_ros.sensors.suite import SensorSuite

FORMAT = 3
"""Version of the folder's layout; a reader refuses any other. Of an older card nothing says whether
it is whole."""

CARD = "card.json"

GRAPHS = "graphs.zip"
"""What a robot runs, see `m2vae_ros.vae.export`."""

MOST_COMPONENTS = 64
"""Of the mixture that tells the novelty of a modality's readings."""

LARGEST_CARD = 2**20
"""Bytes."""

LARGEST_FILE = 2**31
"""Bytes of each other file: more than all weights that a suite may have."""


class WeightsError(ValueError):
    """The weights cannot be used; the message names the path and the reason."""


@dataclass(frozen=True)
class FileFacts:
    """What a card says of another file: its bytes, and its SHA-256 in hexadecimal digits."""

    size: int
    sha256: str

    def __post_init__(self) -> None:
        if not 0 <= self.size <= LARGEST_FILE:
            raise ValueError(f"size: {self.size} must be from 0 to {LARGEST_FILE}")


@dataclass(frozen=True)
class Card:
    """What ``card.json`` says.

    Attributes:
        folder: where it lies.
        name: of the weights.
        fingerprint: of the latent space.
        digest: SHA-256, in hexadecimal digits, of all that the card says; as it says what the other
            files are, two folders with the same digest hold the same.
        suite: the modalities, their views and networks, and the classes.
        familiar_error: modality -> the squared reconstruction error that 99.9 % of the training
            observations stay below.
        novelty: modality -> the components of what tells how surprising its readings are; of all,
            or of none as in older folders.
        files: name -> what every other file of the folder is.
        fields: all of it.
    """

    folder: Path
    name: str
    fingerprint: str
    digest: str
    suite: SensorSuite
    familiar_error: Mapping[str, float]
    novelty: Mapping[str, int]
    files: Mapping[str, FileFacts]
    fields: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Card:
        """Read the card of a folder.

        Raises:
            WeightsError: it is missing, of another format, was changed, or makes no sense.
        """
        path = folder / CARD
        fields = _fields(path)
        try:
            card = cls(
                folder=folder,
                name=fields["name"],
                fingerprint=fields["fingerprint"],
                digest=fields["digest"],
                suite=SensorSuite.from_plain(fields["suite"]),
                familiar_error=dict(fields["familiar_error"]),
                novelty=dict(fields.get("novelty", {})),
                files={
                    name: build(FileFacts, facts, f"files.{name}")
                    for name, facts in fields["files"].items()
                },
                fields=fields,
            )
        except KeyError as error:
            raise WeightsError(f"{path}: the field {error} is missing") from error
        except PlainError as error:
            where = "" if str(error).startswith("files.") else "suite: "
            raise WeightsError(f"{path}: {where}{error}") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise WeightsError(f"{path}: {error}") from error
        if sorted(card.familiar_error) != sorted(card.suite):
            raise WeightsError(
                f"{path}: familiar_error: has {sorted(card.familiar_error)}, the suite "
                f"{sorted(card.suite)}"
            )
        for modality, found in card.familiar_error.items():
            if type(found) not in (int, float) or not 0.0 < found <= sys.float_info.max:
                raise WeightsError(
                    f"{path}: familiar_error: {modality}: {found!r:.50} must be a positive number"
                )
        if card.novelty and sorted(card.novelty) != sorted(card.suite):
            raise WeightsError(
                f"{path}: novelty: has {sorted(card.novelty)}, the suite {sorted(card.suite)}"
            )
        for modality, components in card.novelty.items():
            if type(components) is not int or not 1 <= components <= MOST_COMPONENTS:
                raise WeightsError(
                    f"{path}: novelty: {modality}: {components!r:.50} must be from 1 to "
                    f"{MOST_COMPONENTS}"
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
        path, facts = self.folder / name, self.files.get(name)
        if facts is None:
            raise WeightsError(f"{path}: {self.folder / CARD} does not name it")
        try:
            same = path.stat().st_size == facts.size
            content = read_bounded(path, facts.size) if same else b""
        except FileNotFoundError as error:
            raise WeightsError(f"{path}: no such file") from error
        except OSError as error:
            raise WeightsError(f"{path}: {error.strerror}") from error
        if not same or _sha256(content) != facts.sha256:
            raise WeightsError(
                f"{path}: is not the file of {self.folder / CARD}; it was changed or mixed up"
            )
        return content


def write_card(folder: Path, fields: Mapping[str, Any], files: Iterable[str]) -> None:
    """Write the card of a folder, whole or not at all, when all else in it is written.

    Args:
        folder: where it goes.
        fields: what it says, but for its format, its digest and what the other files are.
        files: the names of those.
    """
    facts = {}
    for name in files:
        content = (folder / name).read_bytes()
        facts[name] = {"size": len(content), "sha256": _sha256(content)}
    whole = {"format": FORMAT, **fields, "files": facts}
    with replacing(folder / CARD) as temporary:
        temporary.write_text(json.dumps({**whole, "digest": _digest(whole)}, indent=2) + "\n")


def _digest(fields: Mapping[str, Any]) -> str:
    """Of a card's fields but for the digest. Their order counts, as it is that of classes."""
    said = {name: field for name, field in fields.items() if name != "digest"}
    return _sha256(json.dumps(said).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _fields(path: Path) -> Mapping[str, Any]:
    try:
        text = read_bounded(path, LARGEST_CARD).decode("utf-8")
        fields = json.loads(text, parse_constant=_refuse)
        digest = _digest(fields) if isinstance(fields, dict) else ""
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file") from error
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        found = fields.get("format") if isinstance(fields, dict) else type(fields).__name__
        raise WeightsError(f"{path}: format is {found!r:.50}, this version reads {FORMAT}")
    if fields.get("digest") != digest:
        raise WeightsError(f"{path}: does not have the digest that it says; it was changed")
    return fields


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")
