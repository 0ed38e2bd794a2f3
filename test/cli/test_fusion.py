# SPDX-License-Identifier: Apache-2.0
"""`m2vae fuse`: a fusion node that is at work without a launch file."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros

FUSE = [sys.executable, "-m", "m2vae_ros.cli", "fuse"]


def test_the_node_of_a_robot_is_active_and_ends_by_ctrl_c() -> None:
    command = [*FUSE, "amiro", "--robot", "robot7", "--ros-args", "-p", "modalities:=[lidar]"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.endswith("[robot7.fusion]: active\n"):
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0, said
    assert "/robot7/laser_scan" in "".join(said)
    assert "/robot7/reflectance" not in "".join(said)


def test_what_it_cannot_be_is_said_and_ends_it() -> None:
    command = [*FUSE, "amiro", "--robot", "robot7", "--ros-args", "-p", "modalities:=[sonar]"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "the weights know no 'sonar'" in ended.stderr


def test_a_suite_is_told_from_weights(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine")
    for place, weights in ((tmp_path, "mine.yaml"), (None, str(tmp_path / "mine.yaml"))):
        command = [*FUSE, weights, "--robot", "robot7"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=place)
        assert ended.returncode == 1
        assert "mine.yaml: is a file, but weights are a folder, which `m2vae train" in ended.stderr
