# SPDX-License-Identifier: Apache-2.0
"""The demo as a user runs it: a command, its words and its exit status."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import on_a_robot
import pytest
from gazebo_master import needs_gazebo, until
from rich.console import Console
from untrained import untrained_weights

from m2vae_ros.apps import demo as told
from m2vae_ros.cli import main
from m2vae_ros.fusion.attributes import Marginal
from m2vae_ros.gazebo.installation import installation
from m2vae_ros.world.suite import AMIRO

DEMO = [sys.executable, "-m", "m2vae_ros.cli", "demo"]


@contextmanager
def demo(*arguments: str) -> Iterator[subprocess.Popen]:
    """The demo as on a robot, in a process of its own; what it says comes line by line."""
    pipe = subprocess.PIPE
    command = [*DEMO, *arguments]
    process = subprocess.Popen(
        command, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=on_a_robot.environment()
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_help_says_what_happens_and_which_options_there_are(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["demo", "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    for word in ("camera", "LiDAR", "reflectance", "--speed", "--stay", "ROS_DOMAIN_ID"):
        assert word in said


@pytest.mark.parametrize("arguments", [["--speed", "0"], ["--time-out", "nan"], ["--what"]])
def test_options_that_make_no_sense_are_refused(arguments: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["demo", *arguments])
    assert end.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_what_is_told_of_objects_fits_eighty_columns(monkeypatch, capsys) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    values = (("green", "red"), ("cylinder", "box"), ("shiny", "mat"))
    marginals = tuple(Marginal("", pair, (0.98, 0.02)) for pair in values)
    verdict = SimpleNamespace(
        held=set(AMIRO), unknown=False, attributes=marginals, complete=True, class_name="what it is"
    )
    item = SimpleNamespace(class_name="green cylinder shiny", name="one")
    record = SimpleNamespace(best=verdict, item=item, known=lambda _: [True])
    board = SimpleNamespace(records=[record], modalities=set(AMIRO))
    console = Console()
    told._Lines(console, board, time.monotonic() - 100.0).changed("amiro1", record)
    console.print(told._LiveTable(console, board, time.monotonic())._table())
    said = capsys.readouterr().out
    assert said.count("green .98 · cylinder .98 · shiny .98") == 2
    assert said.count("✓") == 2
    line, *table = said.splitlines()
    assert line.endswith("✓")
    assert max(map(len, (line, *table))) <= 80


def test_what_is_summed_up_fits_eighty_columns_however_large_its_numbers(capsys) -> None:
    records = [SimpleNamespace(complete=99_999, wrong=9_999)] * 8
    board = SimpleNamespace(
        records=records,
        modalities=set(AMIRO),
        known_after=lambda _: (24, 24, 24),
        right_after=lambda _: (8, 8),
        unknown=8,
        looks=999_999,
        right_throughout=8,
    )
    observer = SimpleNamespace(embeddings=99_999, embedding_bytes=25_999_999)
    told._summary(Console(width=200), board, observer, 100.5, 9_999.0)
    said = capsys.readouterr().out
    assert "times as much" in said
    assert "were wrong" in said
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.ros
@pytest.mark.slow
def test_without_weights_it_says_so_and_fails(tmp_path) -> None:
    with demo("--weights", str(tmp_path / "none")) as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "could not be configured" in said
    assert "none/card.json" in said.replace("\n", "")


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "when"),
    [(signal.SIGINT, "nodes are up"), (signal.SIGTERM, "nodes start")],
)
def test_interrupted_it_stops_every_node(end: signal.Signals, when: str, tmp_path) -> None:
    weights = untrained_weights(tmp_path / "weights")
    with demo("--weights", str(weights)) as process:
        for line in process.stdout:
            if when in line:
                break
        process.send_signal(end)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "all nodes are stopped" in said


@pytest.mark.ros
@pytest.mark.slow
def test_what_was_not_sensed_in_time_is_named(tmp_path) -> None:
    weights = untrained_weights(tmp_path / "weights", familiar_error=1e-9)  # all is strange to it
    with demo("--weights", str(weights), "--time-out", "25") as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.search(r"not (sensed by all three|become active)", said)


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.timeout(200)
def test_three_robots_know_at_least_seven_of_eight_objects_after_three_sensings(tmp_path) -> None:
    begin = time.monotonic()
    numbers = tmp_path / "numbers.json"
    with demo("--time-out", "150", "--own-odometry", "--json", str(numbers)) as process:
        said, _ = process.communicate(timeout=190)
    seconds = time.monotonic() - begin
    print(said)
    assert process.returncode == 0, said
    right, of = map(int, re.search(r"after all three +(\d) of (\d)", said).groups())
    assert of == 8
    assert right >= 7, said
    assert json.loads(numbers.read_text())["after sensings"]["3"]["objects right"] == right
    assert seconds < 150


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.timeout(330)
def test_robots_that_stay_before_their_objects_and_go_on_looking_know_them_throughout() -> None:
    with demo("--stay", "20", "--time-out", "300") as process:
        said, _ = process.communicate(timeout=320)
    print(said)
    assert process.returncode == 0, said
    assert "Right throughout: 8 of 8 objects; 0 of" in said
    looks, sent = re.search(r": ([\d,]+) looks, ([\d,]+) embeddings sent", said).groups()
    assert int(sent.replace(",", "")) < int(looks.replace(",", ""))


@needs_gazebo()
@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_interrupted_while_gazebo_starts(end: signal.Signals) -> None:
    with demo("--gazebo") as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        until(lambda: len(children.read_text().split()) == 2)  # the screen and Gazebo
        pids = children.read_text().split()
        process.send_signal(end)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said == "interrupted; all nodes are stopped\n"
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not list(installation().temporary.glob(f"m2vae-gazebo-{process.pid}-*"))


@needs_gazebo()
@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.timeout(330)
def test_in_gazebo_they_know_at_least_seven_of_eight_objects() -> None:
    with demo("--gazebo", "--time-out", "280") as process:
        said, _ = process.communicate(timeout=320)
    print(said)
    assert process.returncode == 0, said
    right, of = map(int, re.search(r"after all three +(\d) of (\d)", said).groups())
    assert (right >= 7, of) == (True, 8), said
