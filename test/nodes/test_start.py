# SPDX-License-Identifier: Apache-2.0
"""Nodes that cannot start say so in a line and end with status 2, as those who respawn them see."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(
    ("node", "parameter", "reason"),
    [
        ("amiro_sim", "seed:=-1", "parameter seed: "),
        ("amiro_sim", "world:=/no/such", "/no/such: "),
        ("amiro_sim", "robots:=['amiro1/sonar']", "amiro1 has no sensor sonar"),
        ("gazebo_bridge", "seed:=-1", "parameter seed: "),
        ("gazebo_bridge", "master:=gazebo", "cannot talk to Gazebo: 'gazebo' is not of the form"),
        ("gazebo_bridge", "robots:=['a/sonar']", "robots: 'sonar' of a is not one of"),
        (
            "gazebo_bridge",
            "qos_overrides./clock.publisher.reliability:=perhaps",
            "parameter qos_overrides./clock: ",
        ),
        ("planner", "robots:=['amiro1/sonar']", "robots: 'sonar' of amiro1 is not one of"),
        ("gazebo_bridge", "robots:=['1st/camera']", "robots: '1st' cannot be a robot's name"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(node: str, parameter: str, reason: str) -> None:
    command = [sys.executable, "-m", f"m2vae_ros.nodes.{node}_node", "--ros-args", "-p", parameter]
    # Fast DDS 3 warns of the older name of a variable, which launch files set for Humble.
    environment = {key: value for key, value in os.environ.items() if "FASTRTPS" not in key}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith(f"cannot start: {reason}")
    assert len(ended.stderr.splitlines()) == 1


LIGHT = """
import os, sys
import m2vae_ros.nodes, rclpy
before = os.listdir("/proc/self/task")
import m2vae_ros.nodes.NODE
print(sorted({UNUSED} & set(sys.modules)), len(os.listdir("/proc/self/task")) - len(before))
"""
PICTURES = "'cv2', 'rosbags.image', 'rosbags.typesys'"


@pytest.mark.parametrize(
    ("node", "unused"),
    [("fusion_node", PICTURES), ("patrol_node", f"{PICTURES}, 'onnxruntime'")],
)
def test_a_node_loads_what_it_needs_from_the_start_and_no_threads(node: str, unused: str) -> None:
    code = LIGHT.replace("NODE", node).replace("UNUSED", unused)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout == "[] 0\n", ended.stderr


LATE = """
from m2vae_ros.ros.parameters import ParameterError
from m2vae_ros.ros.process import run
from rclpy.node import Node

class Late(Node):
    def __init__(self):
        super().__init__("late")
        self.create_timer(0.01, self.join)

    def join(self):
        raise ParameterError("parameter qos_overrides./topic: why")

raise SystemExit(run(Late, []))
"""


def test_a_parameter_that_turns_out_to_make_no_sense_ends_the_node_and_is_named() -> None:
    command = [sys.executable, "-c", LATE]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr == "cannot go on: parameter qos_overrides./topic: why\n"


STUCK = """
import os, signal, time
from m2vae_ros.ros.process import run
from rclpy.node import Node

class Stuck(Node):
    def __init__(self):
        super().__init__("stuck")
        self.create_timer(0.01, self.hang)

    def hang(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SECONDS)

raise SystemExit(run(Stuck, []))
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 4.0])
def test_a_node_that_takes_long_to_end_says_where_it_is(seconds: float) -> None:
    command = [sys.executable, "-c", STUCK.replace("SECONDS", str(seconds))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert ("in hang" in ended.stderr) == (seconds > 0)


KEPT = """
import ctypes, gc, os, signal
from m2vae_ros.ros.process import run
from rclpy.node import Node

def keep(*_):
    ctypes.PyDLL(None).usleep(2_500_000)  # in C, as DDS does: no handler of Python's is called

class Kept(Node):
    def __init__(self):
        super().__init__("kept")
        self.create_timer(0.01, lambda: os.kill(os.getpid(), signal.SIGTERM))

    def destroy_node(self):
        if os.environ["WHEN"] == "work":
            keep()
        super().destroy_node()

if os.environ["WHEN"] == "dds":
    gc.collect = keep
raise SystemExit(run(Kept, []))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("when", "status"), [("work", 0), ("dds", 1)])
def test_a_node_that_dds_does_not_let_go_ends_without_but_what_it_has_to_do_is_done(
    when: str, status: int
) -> None:
    environment = {**os.environ, "WHEN": when}
    command = [sys.executable, "-c", KEPT]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert ended.returncode == status, ended.stderr
    assert ("in keep" in ended.stderr) == (when == "dds")


LETTING_GO = """
import ctypes, time
from m2vae_ros.ros.process import letting_go

with letting_go():
    ctypes.PyDLL(None).usleep(MICROSECONDS)  # in C, as DDS does
time.sleep(2.0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("microseconds", [1, 5_000_000])
def test_who_has_a_node_besides_does_not_wait_for_dds_for_ever_either(microseconds: int) -> None:
    code = LETTING_GO.replace("MICROSECONDS", str(microseconds))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode == (microseconds > 1), ended.stderr
    assert ("Timeout (" in ended.stderr) == (microseconds > 1)
