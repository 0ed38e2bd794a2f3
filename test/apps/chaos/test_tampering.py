# SPDX-License-Identifier: Apache-2.0
"""Changed weights and packed bombs are refused, and what would take one is told."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from m2vae_ros.apps.chaos import tampering
from m2vae_ros.apps.chaos.scenario import Options
from m2vae_ros.host.resources import resource
from m2vae_ros.sensors.card import CARD, WeightsError


def test_all_that_is_changed_is_refused_by_name_at_once_in_little_memory() -> None:
    found = tampering.tamper(Options(times=2), lambda words: None)
    assert found.broken == []
    assert found.numbers["folders"] == len(list(resource("models").glob(f"*/{CARD}")))
    assert found.numbers["refused"] > 200


def test_what_takes_changed_weights_names_no_file_or_takes_long_is_told(tmp_path: Path) -> None:
    found = tampering._Found()

    def nameless(folder: Path) -> str:
        raise WeightsError("something is wrong")

    def strange(folder: Path) -> str:
        raise KeyError("what")

    def large(folder: Path) -> str:
        return "same" if len(bytearray(10**8)) else ""

    found.attempt("one", tmp_path, lambda folder: "another", "same")
    found.attempt("two", tmp_path, nameless)
    found.attempt("three", tmp_path, strange)
    found.attempt("four", tmp_path, large, "same")
    assert [words.partition(":")[0] for words in found.broken] == ["one", "two", "three", "four"]
    assert "was taken" in found.broken[0]
    assert "MB" in found.broken[3]


@pytest.mark.parametrize("what", tampering.SEALED)
def test_a_card_that_is_sealed_anew_fits_its_digest(what: str, tmp_path: Path) -> None:
    """So it is refused for what it says, and not for its digest."""
    folder = tmp_path / "weights"
    shutil.copytree(resource("models/motions"), folder)
    tampering.SEALED[what](folder, random.Random(0))
    with pytest.raises(WeightsError) as error:
        tampering.use_all(folder)
    assert "digest" not in str(error.value)
    assert "was changed" not in str(error.value)
