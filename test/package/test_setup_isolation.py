# SPDX-License-Identifier: Apache-2.0
"""The tests' own promises: a ROS domain for each, and nothing left behind by any."""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each test waits for sessions of pytest

HERE = Path(__file__).resolve().parent
TIMEOUT_S = 60


def _start(folder: Path, source: str) -> subprocess.Popen[str]:
    """Runs pytest on `source`, under this folder's conftest, in a session of its own."""
    folder.mkdir(exist_ok=True)
    shutil.copy(HERE.parent / "conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    ros\n    slow\n")
    (folder / "test_it.py").write_text(source)
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _run(folder: Path, source: str) -> tuple[int, str]:
    process = _start(folder, source)
    output, _ = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, output


def test_a_process_that_outlives_its_test_fails_the_session_and_is_ended(tmp_path):
    source = """
import subprocess
def test_it():
    subprocess.Popen(["sleep", "61.5"], start_new_session=True, stdout=subprocess.DEVNULL)
"""
    code, output = _run(tmp_path, source)
    assert code == 1
    assert "the tests left behind: process" in output
    assert "sleep 61.5" in output


def test_a_dds_segment_its_process_left_fails_the_session(tmp_path):
    # Not a killed node: what that leaves in the ports common to all could not be taken away
    # without touching other programs.
    segment = Path("/dev/shm") / f"fastdds_{uuid.uuid4().hex[:16]}"
    source = f"""
import pathlib, time, pytest
@pytest.mark.ros
def test_it():
    pathlib.Path("{segment}").touch()
    with open("{segment}_el", "w"):  # as Fast DDS does
        time.sleep(2)
"""
    try:
        code, output = _run(tmp_path, source)
    finally:  # unless a team that stopped meanwhile has taken them for what a killed one left
        segment.unlink(missing_ok=True)
        Path(f"{segment}_el").unlink(missing_ok=True)
    assert code == 1
    assert f"segment {segment}" in output


def test_a_segment_of_another_program_is_not_held_against_the_session(tmp_path):
    segment = Path("/dev/shm") / f"fastdds_{uuid.uuid4().hex[:16]}"
    source = f"""
import pathlib, time, pytest
@pytest.mark.ros
def test_it():
    pathlib.Path("{segment}").touch()  # appears meanwhile, but this session does not hold it
    time.sleep(1)
"""
    try:
        code, output = _run(tmp_path, source)
    finally:
        segment.unlink()
    assert code == 0, output


def test_a_node_has_segments_the_check_knows_and_leaves_none_when_it_shuts_down(tmp_path):
    source = """
import os, pytest, rclpy
from conftest import dds_segments
from std_msgs.msg import String
@pytest.mark.ros
def test_it():
    rclpy.init()
    node = rclpy.create_node("passing_by")
    node.create_publisher(String, "topic", 1).publish(String(data="hello"))
    segments = dds_segments(os.getpid())
    assert segments, "Fast DDS names its segments differently: the check would see none"
    node.destroy_node()
    rclpy.shutdown()
    assert not any(path.exists() for path in segments)
"""
    code, output = _run(tmp_path, source)
    assert code == 0, output


def test_ros_tests_that_run_at_the_same_time_have_different_domains(tmp_path):
    source = """
import os, sys, time, pathlib, pytest
@pytest.mark.ros
def test_it(ros_domain_id):
    assert os.environ["ROS_DOMAIN_ID"] == str(ros_domain_id)
    print(f"domain={ros_domain_id}.", flush=True)
    assert 1 <= ros_domain_id <= 100
    while not pathlib.Path("../done").exists():
        time.sleep(0.02)
"""
    processes = [_start(tmp_path / f"session{n}", source) for n in range(4)]
    domains = []
    for process in processes:  # each is in its test, and stays there, when the next is read
        for line in process.stdout:
            if "domain=" in line:
                domains.append(line.split("domain=")[1].split(".")[0])
                break
    (tmp_path / "done").touch()
    for process in processes:
        output, _ = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, output
    assert len(set(domains)) == len(processes)
