# SPDX-License-Identifier: Apache-2.0
"""Whether the weights that came with the package are what their cards say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from m2vae_ros.apps.doctor.finding import Finding, Level
from m2vae_ros.host.resources import resource


def examine_weights() -> Iterator[Finding]:
    """What is found, one line for each folder of the package's models."""
    try:
        folders = sorted(path for path in resource("models").iterdir() if path.is_dir())
    except FileNotFoundError:
        folders = []
    if not folders:
        advice = "m2vae train amiro, or name a folder of weights"
        yield Finding("weights", "models", Level.WARNING, "there are none", advice)
    for folder in folders:
        yield _examine(folder)


def _examine(folder: Path) -> Finding:
    try:
        from m2vae_ros.sensors.card import Card, WeightsError
    except ImportError as error:  # which the section on nodes explains
        found = f"cannot be read: {error}"
        return Finding("weights", folder.name, Level.WARNING, found, "install the libraries above")
    try:
        card = Card.read(folder)
        for name in card.files:
            card.file(name)
    except WeightsError as error:
        return Finding("weights", folder.name, Level.ERROR, str(error), "fetch the folder again")
    found = f"{card.fingerprint}, {len(card.files)} files as on the card, digest {card.digest[:16]}"
    return Finding("weights", folder.name, Level.OK, found)
