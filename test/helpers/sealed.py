# SPDX-License-Identifier: Apache-2.0
"""Folders of weights that somebody changed, under a card that fits them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from m2vae_ros.sensors.card import CARD, write_card

FILES = ("beta_vae.safetensors", "m2vae.safetensors", "classifiers.safetensors", "graphs.zip")

_WRITTEN = ("format", "files", "digest")


def nothing(card: dict[str, Any]) -> None:
    """No change of the card."""


def seal(folder: Path, change: Callable[[dict[str, Any]], object] = nothing) -> None:
    """Write the card anew, for the files as they are now, with something changed."""
    card = json.loads((folder / CARD).read_text())
    fields = {name: field for name, field in card.items() if name not in _WRITTEN}
    change(fields)
    write_card(folder, fields, FILES)
