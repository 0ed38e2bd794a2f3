# SPDX-License-Identifier: Apache-2.0
"""The doctor: what is in order, what is not, and what to do about it."""

from __future__ import annotations

import json
import os
import resource as usage
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest
from catkin_pkg.package import parse_package
from packaging.requirements import Requirement

from m2vae_ros.apps.doctor import Level, examine, machine, network, software, weights
from m2vae_ros.cli import main
from m2vae_ros.host.imports import Attempt

ROOT = Path(__file__).resolve().parents[2]
WORKING = dict.fromkeys(software.TRIED, Attempt(""))


def _of(findings, subject):
    (found,) = (finding for finding in findings if finding.subject == subject)
    return found


@pytest.fixture
def software_with(monkeypatch):
    """Examines software of which imports go as said; the others work."""

    def examined(**attempts: Attempt):
        outcome = {**WORKING, **attempts}
        monkeypatch.setattr(software, "try_imports", lambda names: outcome)
        return list(software.examine_software())

    return examined


def test_where_the_nodes_run_nothing_is_wrong_and_it_is_quick(capsys):
    before = usage.getrusage(usage.RUSAGE_CHILDREN)
    started = time.process_time()
    assert main(["doctor"]) == 0
    spent = usage.getrusage(usage.RUSAGE_CHILDREN)
    seconds = time.process_time() - started
    seconds += spent.ru_utime + spent.ru_stime - before.ru_utime - before.ru_stime
    assert seconds < 3.0
    said = capsys.readouterr().out
    assert "✗" not in said
    assert "All that nodes need is here." in said
    for line in ("✓ fusion node", "✓ middleware", "✓ amiro "):
        assert line in said


def test_without_anything_but_python_it_says_what_is_missing(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    python = tmp_path / "bare/bin/python"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    command = [python, "-m", "m2vae_ros.cli", "doctor"]
    run = {"capture_output": True, "text": True, "cwd": tmp_path, "env": environment}
    result = subprocess.run([*command, "--json"], **run)
    assert result.returncode == 1, result.stderr
    report = json.loads(result.stdout)
    assert report["nodes_can_run"] is False
    levels = {each["subject"]: each["level"] for each in report["findings"]}
    needed = ("ROS 2", "middleware", "message packages", "own messages", "libraries")
    assert {levels[subject] for subject in needed} == {"error"}
    absent = ("training and experiments", "simulator", "cv_bridge")
    assert {levels[subject] for subject in absent} == {"absent"}
    (libraries,) = (each for each in report["findings"] if each["subject"] == "libraries")
    assert libraries["advice"].startswith("pip install PyYAML msgspec numpy onnxruntime ")

    result = subprocess.run(command, **run)
    assert result.returncode == 1, result.stderr
    assert "✗ ROS 2" in result.stdout
    assert result.stdout.endswith("Nodes cannot run: see ✗.\n")


def test_it_knows_what_the_package_depends_on():
    package = parse_package(ROOT / "package.xml")
    package.evaluate_conditions({"ROS_DISTRO": "jazzy"})
    depends = {each.name for each in package.exec_depends if each.evaluated_condition}
    assert {"rclpy", "cv_bridge", "launch_ros", *software.NODE_MESSAGES} <= depends
    known = {*software.NODE_LIBRARIES.values()}
    known.update(name for use in software.OTHER_USES.values() for name in use.values())
    assert known == required("base") | required("train") | required("view")
    assert {*software.TRAINING.values()} == required("train")


def required(part: str) -> set[str]:
    lines = (ROOT / f"requirements/{part}.txt").read_text().splitlines()
    return {Requirement(line.split("#")[0]).name for line in lines if line.split("#")[0].strip()}


@pytest.mark.parametrize(
    ("attempts", "subject", "level", "found", "advice"),
    [
        (
            {"sensor_msgs": Attempt("ModuleNotFoundError: …", missing=True)},
            "message packages",
            Level.ERROR,
            "missing: sensor_msgs",
            "ros-$ROS_DISTRO-sensor-msgs",
        ),
        (
            {"m2vae_ros.msg": Attempt("ModuleNotFoundError: …", missing=True)},
            "own messages",
            Level.ERROR,
            "missing: m2vae_ros.msg",
            "colcon build",
        ),
        (
            {"cv2": Attempt("ImportError: libGL.so.1: cannot open shared object file")},
            "libraries",
            Level.ERROR,
            "cv2 does not work: ImportError: libGL.so.1",
            "pip install opencv-python-headless",
        ),
        (
            {"rclpy": Attempt("ImportError: undefined symbol")},
            "ROS 2",
            Level.ERROR,
            "undefined symbol",
            "its libraries or its Python are another's",
        ),
        (
            {software.FUSION_NODE: Attempt("SyntaxError: invalid syntax")},
            "fusion node",
            Level.ERROR,
            "SyntaxError",
            "m2vae_ros.nodes.fusion_node",
        ),
        (
            {software.CV_BRIDGE: Attempt("ImportError: numpy.core.multiarray failed to import")},
            "cv_bridge",
            Level.WARNING,
            "does not work with numpy",
            "numpy<2",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_does_not_work_is_named_with_what_to_do(
    software_with, attempts, subject, level, found, advice
):
    findings = software_with(**attempts)
    finding = _of(findings, subject)
    assert finding.level is level
    assert found in finding.found
    assert advice in finding.advice
    others = {each.subject for each in findings if each.level is Level.ERROR} - {subject}
    assert others == set()


@pytest.mark.parametrize(
    ("variable", "value", "subject", "level", "found"),
    [
        ("RMW_IMPLEMENTATION", "rmw_bogus_cpp", "middleware", Level.ERROR, "rmw_bogus_cpp is not"),
        ("ROS_DISTRO", "foxy", "ROS 2", Level.WARNING, "two distributions are mixed"),
        ("MUJOCO_GL", "egl", "the simulator's cameras", Level.OK, "MUJOCO_GL=egl"),
    ],
)
def test_what_variables_choose_must_be_there(
    software_with, monkeypatch, variable, value, subject, level, found
):
    monkeypatch.setenv(variable, value)
    finding = _of(software_with(), subject)
    assert finding.level is level
    assert found in finding.found


@pytest.mark.parametrize(
    ("variable", "value", "subject", "level", "found"),
    [
        ("ROS_DOMAIN_ID", "42", "ROS domain", Level.OK, "42"),
        ("ROS_DOMAIN_ID", "", "ROS domain", Level.OK, "0, the default"),
        ("ROS_DOMAIN_ID", "150", "ROS domain", Level.WARNING, "150; Linux hands its ports out"),
        ("ROS_DOMAIN_ID", "300", "ROS domain", Level.ERROR, "ROS_DOMAIN_ID=300 is no ROS domain"),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET", "discovery", Level.OK, "on this network"),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST", "discovery", Level.WARNING, "this machine"),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF", "discovery", Level.WARNING, "find nobody"),
        ("ROS_AUTOMATIC_DISCOVERY_RANGE", "off", "discovery", Level.WARNING, "=off is none of"),
        ("ROS_LOCALHOST_ONLY", "1", "discovery", Level.WARNING, "ROS_LOCALHOST_ONLY=1"),
        ("ROS_STATIC_PEERS", "10.0.0.7", "discovery", Level.OK, "the peers 10.0.0.7"),
        (network.PROFILES[0], "/nowhere.xml", "Fast DDS profile", Level.WARNING, "No such file"),
        (
            network.PROFILES[0],
            str(ROOT / "config/fastdds.xml"),
            "Fast DDS profile",
            Level.WARNING,
            "keeps everything on this machine",
        ),
    ],
)
def test_what_keeps_robots_apart_is_told(monkeypatch, variable, value, subject, level, found):
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", *network.PROFILES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    finding = _of(network.examine_network(), subject)
    assert finding.level is level
    assert found in finding.found


def test_multicast_that_does_not_come_back_is_told(monkeypatch):
    monkeypatch.setattr(network, "multicast_fault", lambda interface: "Network is unreachable")
    finding = _of(network.examine_network(), "multicast")
    assert finding.level is Level.WARNING
    assert "Network is unreachable; robots on other machines are not found" in finding.found
    assert "ROS_STATIC_PEERS" in finding.advice


def _examined_with(monkeypatch, name, value):
    monkeypatch.setattr(machine, name, value)
    return list(machine.examine_machine())


def test_a_clock_nobody_sets_is_told(monkeypatch):
    found = _of(_examined_with(monkeypatch, "clock_error", lambda: None), "clock, synchronised")
    assert found.level is Level.WARNING
    found = _of(_examined_with(monkeypatch, "clock_error", lambda: 0.01), "clock, synchronised")
    assert (found.level, found.found) == (Level.OK, "yes, to 10.0 ms at worst")
    found = _of(_examined_with(monkeypatch, "clock_error", lambda: 2.0), "clock, synchronised")
    assert found.level is Level.WARNING


def test_a_clock_that_jumps_or_begins_in_the_past_is_told(monkeypatch):
    found = _of(_examined_with(monkeypatch, "clock_step", lambda: -1.5), "clock")
    assert (found.level, "1.50 s back" in found.found) == (Level.WARNING, True)
    monkeypatch.setattr(machine, "clock_step", lambda: 0.0)
    monkeypatch.setattr(time, "time", lambda: 86400.0 * 365)
    found = _of(machine.examine_machine(), "clock")
    assert (found.level, "before this package was written" in found.found) == (Level.WARNING, True)


def test_shared_memory_that_is_small_or_littered_is_told(monkeypatch):
    disk = namedtuple("disk", "total used free")
    monkeypatch.setattr(machine, "abandoned_memory", lambda: ["fastdds_1", "fastdds_2"])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk(64e6, 60e6, 4e6))
    findings = list(machine.examine_machine())
    small = _of(findings, f"shared memory, {machine.SHARED_MEMORY}")
    assert (small.level, "--shm-size" in small.advice) == (Level.WARNING, True)
    left = _of(findings, "left there by Fast DDS")
    assert (left.level, left.found.startswith("2 of processes")) == (Level.WARNING, True)


def test_memory_that_a_node_does_not_fit_in_is_told(monkeypatch):
    found = _of(_examined_with(monkeypatch, "available_memory", lambda: int(1e8)), "memory")
    assert (found.level, found.found.startswith("0.1 of ")) == (Level.WARNING, True)


def test_weights_that_are_not_those_of_their_card_are_named(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "models/motions", tmp_path / "motions")
    monkeypatch.setattr(weights, "resource", lambda relative: tmp_path)
    (finding,) = weights.examine_weights()
    assert finding.level is Level.OK
    graphs = tmp_path / "motions/graphs.zip"
    graphs.write_bytes(graphs.read_bytes()[:-1] + b"?")
    (finding,) = weights.examine_weights()
    assert finding.level is Level.ERROR
    assert f"{graphs}: is not the file of" in finding.found


def test_every_finding_that_is_not_in_order_says_what_to_do_or_why():
    for finding in examine():
        assert finding.found
        if finding.level in (Level.WARNING, Level.ERROR):
            assert finding.advice, finding
