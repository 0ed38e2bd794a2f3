# SPDX-License-Identifier: Apache-2.0
"""`m2vae chaos` as a user runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from m2vae_ros.apps.chaos import playing
from m2vae_ros.apps.chaos.attacks import ATTACKS
from m2vae_ros.apps.chaos.live_team import ChaosError
from m2vae_ros.apps.chaos.scenario import Options, Outcome, Scenario
from m2vae_ros.apps.chaos.scenarios import SCENARIOS
from m2vae_ros.cli import main


def test_help_teaches_and_the_list_says_what_happens_and_what_must_hold(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["chaos", "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    for word in ("--scenario", "--list", "--loss", "--forged", "--seed", "examples"):
        assert word in said
    assert main(["chaos", "--list"]) == 0
    said = capsys.readouterr().out
    for name, scenario in SCENARIOS.items():
        assert name in said
        assert scenario.what[:40] in said
    assert said.count("must: ") == len(SCENARIOS)
    assert ATTACKS.keys() < SCENARIOS.keys()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--scenario", "peace"], "peace"),
        (["--loss", "1.5"], "loss"),
        (["--delay", "nan"], "--delay"),
        (["--robots", "0"], "--robots"),
    ],
)
def test_what_makes_no_sense_is_named(arguments: list[str], word: str, capsys) -> None:
    try:
        status = main(["chaos", *arguments])
    except SystemExit as end:
        status = end.code
    assert status != 0
    assert word in capsys.readouterr().err


def test_the_status_says_whether_all_held_and_the_file_what_did_not(
    tmp_path, monkeypatch, capsys
) -> None:
    def fails(options: Options, says) -> Outcome:
        says(f"seed {options.seed}")
        raise ChaosError("the team never came")

    holds = Scenario("good", "it", lambda options, says: Outcome([], {"robots": options.robots}))
    monkeypatch.setattr(playing, "SCENARIOS", {"good": holds, "bad": Scenario("", "", fails)})
    path = tmp_path / "found.json"
    assert main(["chaos", "--scenario", "good", "--robots", "5", "--json", str(path)]) == 0
    assert main(["chaos", "--scenario", "bad", "--seed", "3", "--json", str(path)]) == 1
    said = capsys.readouterr().out
    assert "seed 3" in said
    assert "the team never came" in said
    found = json.loads(path.read_text())
    assert found["good"]["numbers"] == {"robots": 5}
    assert found["bad"]["broken"] == ["the team never came"]


@pytest.mark.ros
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_all_nodes(end: signal.Signals) -> None:
    """That none is left is seen to at the end of all tests."""
    command = [sys.executable, "-m", "m2vae_ros.cli", "chaos", "--scenario", "kills"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert any("nodes start" in line for line in process.stdout)
        process.send_signal(end)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
