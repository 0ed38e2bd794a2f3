# SPDX-License-Identifier: Apache-2.0
"""A card is whole, or it is refused at once."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from at_once import at_once

from m2vae_ros.host.resources import resource
from m2vae_ros.sensors.card import LARGEST_CARD, Card, WeightsError

MODELS = sorted(path.name for path in resource("models").iterdir() if path.is_dir())


@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_weights_are_what_their_cards_say(name: str) -> None:
    card = Card.read(resource("models") / name)
    there = {path.name for path in card.folder.iterdir()} - {"card.json"}
    assert set(card.files) == there
    for file in there:
        assert len(card.file(file)) == card.files[file].size


@pytest.fixture
def amiro(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resource("models/amiro"), tmp_path / "amiro"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "\0",
        "3",
        "null",
        '"\ud800"',
        "9" * 10**5,
        "NaN",
        '{"format": -Infinity}',
        "[" * (LARGEST_CARD - 1),
        '{"a":' * 10**5,
        "[" + "[]," * (LARGEST_CARD // 3 - 1),
        "[" + "{}," * (LARGEST_CARD // 3 - 1) + "1]",
        f'{{"format": 3, "digest": "", "a": [{"1e308," * (LARGEST_CARD // 8)}1]}}',
        f'{{"format": {"[" * 900 + "]" * 900}}}',
        " " * (LARGEST_CARD + 1),
    ],
    ids=lambda text: text[:12],
)
def test_a_text_that_is_no_card_is_refused_at_once(amiro: Path, text: str) -> None:
    (amiro / "card.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with at_once(), pytest.raises(WeightsError, match=r"card\.json: "):
        Card.read(amiro)


def test_a_card_without_end_is_refused_at_once(amiro: Path) -> None:
    (amiro / "card.json").unlink()
    (amiro / "card.json").symlink_to("/dev/zero")
    with at_once(), pytest.raises(WeightsError, match=r"card\.json: larger than"):
        Card.read(amiro)


def test_a_file_that_grew_is_refused_before_it_is_read(amiro: Path) -> None:
    card = Card.read(amiro)
    with (amiro / "graphs.zip").open("r+b") as file:
        file.truncate(2**36)
    with at_once(), pytest.raises(WeightsError, match=r"graphs\.zip: is not the file of"):
        card.file("graphs.zip")


def test_no_flipped_bit_of_any_file_gets_through(amiro: Path) -> None:
    original = Card.read(amiro)
    draw = random.Random(0)
    for name in (*original.files, "card.json"):
        path = amiro / name
        content = path.read_bytes()
        for _ in range(120):
            flipped = bytearray(content)
            flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
            path.write_bytes(flipped)
            try:
                Card.read(amiro).file(name if name in original.files else "classifiers.safetensors")
            except WeightsError as error:
                assert str(path) in str(error)
            else:  # one kind of space for another
                assert name == "card.json"
                assert json.loads(flipped) == json.loads(content)
        path.write_bytes(content)
