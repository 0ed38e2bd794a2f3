# SPDX-License-Identifier: Apache-2.0
"""The command m2vae: from nothing to evaluated weights, and clear words when something is wrong."""

import json
import os
import signal
import subprocess
import sys

import on_a_robot
import pytest

import m2vae_ros
from m2vae_ros.cli import bags, main
from m2vae_ros.cli.arguments import robot_name
from m2vae_ros.datasets.samples import Samples


@pytest.mark.parametrize(
    "command",
    [[], ["collect"], ["train"], ["evaluate"], ["reproduce"], ["demo"], ["record"], ["play"]],
)
def test_help_teaches_every_command(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    assert f"usage: m2vae {' '.join(command)}".strip() in capsys.readouterr().out


def test_it_says_its_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"m2vae_ros {m2vae_ros.__version__}\n"


def test_a_shell_completes_commands_and_options(capsys):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    typed = 'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); $(complete -p m2vae | sed "s/.*-F //; s/ .*//")'
    for words, completed in {
        "m2vae rec": ["record"],
        "m2vae demo --own": ["--own-odometry"],
    }.items():
        lines = f"{script}\nCOMP_WORDS=({words}); {typed}; echo ${{COMPREPLY[@]}}"
        ran = subprocess.run(["bash"], input=lines, capture_output=True, text=True, check=True)
        assert ran.stdout.split() == completed, ran.stderr


@pytest.mark.parametrize("option", ["--start-offset", "--delay"])
def test_playing_at_once_and_from_the_beginning_may_be_asked_for(option, monkeypatch, capsys):
    monkeypatch.setattr(bags, "_play", lambda options: 0)  # which needs ROS
    assert main(["play", "run_1", option, "0"]) == 0
    with pytest.raises(SystemExit):
        main(["play", "run_1", option, "-1"])
    assert "is negative" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["train", "amiro", "--bogus"], ["evaluate"], ["collect", "x.npz", "--count", "0"], ["fly"]],
)
def test_arguments_that_make_no_sense_are_refused_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: m2vae" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["my robot", "7th", "/robot7", "fleet/7th", "fleet/", ""])
def test_a_name_that_no_robot_can_have_is_refused_before_anything_else(name, capsys):
    with pytest.raises(SystemExit) as end:
        main(["fuse", "amiro", "--robot", name])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert f"argument --robot: {name!r} cannot be a robot's name: letters, digits and" in error


def test_a_robot_may_be_within_the_namespace_of_a_fleet():
    assert robot_name("fleet/robot7") == "fleet/robot7"


@pytest.mark.parametrize(
    "command",
    [
        ["collect", "x.npz"],
        ["collect", "x.npz", "--bags", "runs"],
        ["train", "amiro"],
        ["train", "amiro", "--bags", "runs", "--out", "x"],
        ["evaluate", "amiro"],
        ["survey", "bags"],
        ["demo"],
    ],
)
def test_a_negative_seed_is_refused_before_anything_else(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main([*command, "--seed", "-1"])
    assert end.value.code == 2
    assert "argument --seed: -1 is negative" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "{tmp}/nowhere"], "nowhere/card.json: no such file"),
        (["evaluate", "motions", "--unknown", "1"], "--unknown: things of no class are drawn in"),
        (["evaluate", "amiro", "--unknown", "2", "--seed", "3"], "was trained on the samples"),
        (["train", "amiro", "--data", "{tmp}/nothing.npz"], "nothing.npz: no such file"),
        (["train", "amiro", "--data", "{tmp}/text.npz"], "text.npz"),
        (["train", "amiro", "--from", "amiroo"], "models/amiroo: neither"),
        (["evaluate", "motion"], "one of the package's models, which are amiro, "),
        (["evaluate", "{tmp}/text.npz"], "text.npz: is a file, but weights are a folder, which"),
        (["train", "amiro", "--from", "text.npz"], "text.npz: is a file, but weights are a folder"),
        (["train", "amiro", "--from", "amiro", "--data", "{tmp}/no.npz"], "no.npz: no such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(
    arguments, words, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # what comes with the package is found from anywhere
    (tmp_path / "text.npz").write_text("no samples")
    out = [*arguments, *(["--out", str(tmp_path / "out")] if arguments[0] == "train" else [])]
    assert main([argument.format(tmp=tmp_path) for argument in out]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_collected_samples_are_those_of_the_seed(tmp_path, capsys):
    for name in ("one", "two"):
        assert main(["collect", str(tmp_path / f"{name}.npz"), "--count", "8", "--seed", "5"]) == 0
    one, two = (Samples.load(tmp_path / f"{name}.npz") for name in ("one", "two"))
    assert one.digest() == two.digest()
    assert one.digest()[:16] in capsys.readouterr().out


@pytest.mark.slow
def test_from_nothing_to_evaluated_weights_in_two_commands(tmp_path, capsys):
    folder, report = tmp_path / "tiny", tmp_path / "report.json"
    train = ["train", "amiro", "--twin", "--count", "200", "--seed", "3"]
    assert main([*train, "--out", str(folder)]) == 0
    card = json.loads((folder / "card.json").read_text())
    assert card["data"]["seed"] == 3
    assert card["data"]["count"] == 200
    assert not (folder / ".training").exists()

    evaluate = ["evaluate", str(folder), "--count", "40"]
    assert main([*evaluate, "--seed", "4", "--json", str(report)]) == 0
    printed = capsys.readouterr().out
    assert "Section V-D" in printed
    assert card["fingerprint"] in printed
    numbers = json.loads(report.read_text())
    assert numbers["n"] == 40
    assert numbers["seed"] == 4
    assert numbers["fingerprint"] == card["fingerprint"]
    assert numbers["embedding"]["n"] == 40
    assert len(numbers["embedding"]["subsets"]) == 7
    assert len(numbers["in_place"]) == len(numbers["in_place_without_reencoding"]) == 6
    assert set(numbers["single"]) == {"camera", "lidar", "reflectance"}
    assert all(set(row) == {"colour", "shape", "material"} for row in numbers["single"].values())
    for key in ("raw", "joint", "product_of_experts"):
        assert 0 <= numbers[key] <= 1
        counts = numbers["counts"][key]
        assert counts["right"] / counts["n"] == numbers[key]
        assert counts["low"] <= numbers[key] <= counts["high"]

    assert main([*evaluate, "--seed", "3"]) == 1
    assert "trained on" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_told_to_end_leaves_nothing_half_written(tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, "-m", "m2vae_ros.cli", "collect", str(tmp_path / "samples.npz")],
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        while "object" not in process.stderr.readline(200):  # its progress bar
            assert process.poll() is None
        process.send_signal(number)
        words = process.stderr.read()
    assert process.returncode == 130
    assert "m2vae: interrupted" in words
    assert list(tmp_path.iterdir()) == []


def test_where_training_is_not_installed_it_is_said_how_to_install_it() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "m2vae_ros.cli", "evaluate", "amiro"],
        env=on_a_robot.environment(),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    (said, _) = ended.stderr.splitlines()
    assert "No module named" in said
    assert "pip install '.[train]'" in said


def test_whether_a_suite_fits_is_said_for_programs_too(tmp_path, capsys):
    numbers = tmp_path / "numbers.json"
    assert main(["suite", "check", "amiro", "--json", str(numbers)]) == 0
    told = json.loads(numbers.read_text())
    assert told["suite"]["name"] == "amiro"
    assert told["fit"] is None


@pytest.mark.parametrize("chosen", ["", "active"])
def test_threads_of_a_training_sleep_while_they_wait_unless_told_otherwise(chosen: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    environment |= {"OMP_DISPLAY_ENV": "true"} | ({"OMP_WAIT_POLICY": chosen} if chosen else {})
    command = ["-m", "m2vae_ros.cli", "train", "amiro", "--data", "none", "--out", "x"]
    found = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=60
    )
    assert f"OMP_WAIT_POLICY = '{(chosen or 'passive').upper()}'" in found.stderr
