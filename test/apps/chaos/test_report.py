# SPDX-License-Identifier: Apache-2.0
"""The report says of each scenario whether it held, and keeps what it said of others."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from m2vae_ros.apps.chaos.report import table, write
from m2vae_ros.apps.chaos.scenario import Options, Outcome, Scenario

SCENARIOS = {name: Scenario(f"{name} happens", "nothing", lambda o, s: HELD) for name in "ab"}
HELD = Outcome([], {"most s": 1.23456}, {"stamp": 3})
BROKEN = Outcome([f"broken {number}" for number in range(5)])


def test_the_table_says_what_held_what_did_not_and_what_was_refused() -> None:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table({"a": HELD, "b": BROKEN}))
    shown = capture.get()
    for words in ("yes", "most s 1.235", "stamp 3", "no", "broken 2", "and 2 more"):
        assert words in shown
    assert "broken 3" not in shown


def test_the_file_has_all_of_each_scenario_whenever_it_was_played(tmp_path) -> None:
    path = tmp_path / "reports" / "reliability.json"
    write(path, SCENARIOS, {"b": BROKEN}, Options(seed=7), {"b": 1.0})
    write(path, SCENARIOS, {"a": HELD}, Options(), {"a": 2.0})
    found = json.loads(path.read_text())
    assert list(found) == ["a", "b"]
    assert found["a"]["holds"]
    assert found["a"]["refused"] == {"stamp": 3}
    assert not found["b"]["holds"]
    assert found["b"]["broken"] == BROKEN.broken
    assert found["b"]["seed"] == 7
    write(path, SCENARIOS, {"b": HELD}, Options(), {"b": 1.0})
    assert json.loads(path.read_text())["b"]["holds"]


def test_a_file_of_something_else_is_refused_and_kept(tmp_path) -> None:
    path = tmp_path / "other.json"
    path.write_text("[]")
    with pytest.raises(ValueError, match=r"other\.json"):
        write(path, SCENARIOS, {"a": HELD}, Options(), {"a": 0.0})
    assert path.read_text() == "[]"
