# SPDX-License-Identifier: Apache-2.0
"""The described system is what runs, and it leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from lifecycle_msgs.msg import State
from running import alive, asking, bring_up, state_of, until
from untrained import untrained_weights

from m2vae_ros.bringup.arguments import robots_of
from m2vae_ros.bringup.processes import BringupError, Processes, environment, executable
from m2vae_ros.bringup.specs import (
    TEAM,
    NodeSpec,
    fusion,
    patrol,
    simulated_team,
    simulator,
    visiting_orders,
    world_objects,
)
from m2vae_ros.fusion.gossip import PATIENCE
from m2vae_ros.host.resources import resource
from m2vae_ros.host.shared_memory import SHARED_MEMORY, memory_of
from m2vae_ros.world.suite import AMIRO


def test_a_team_is_a_simulator_and_two_nodes_for_each_robot() -> None:
    nodes = simulated_team(TEAM, real_time_factor=2.0)
    assert [node.full_name for node in nodes] == [
        "/amiro_sim",
        *(f"/{robot}/{name}" for robot in TEAM for name in ("fusion", "patrol")),
    ]
    assert [node.full_name for node in nodes if node.lifecycle] == [f"/{r}/fusion" for r in TEAM]
    assert nodes[0].parameters["robots"] == [
        "amiro1/camera",
        "amiro2/lidar",
        "amiro3/reflectance",
    ]
    assert nodes[1].parameters["objects"]["names"] == [item.name for item in world_objects()]


def test_the_world_has_one_object_of_each_class() -> None:
    assert sorted(item.class_name for item in world_objects()) == sorted(AMIRO.classes)


@pytest.mark.parametrize("robots", range(1, 5))
@pytest.mark.parametrize("count", [1, 3, 8, 9])
def test_every_robot_visits_every_object_once(robots: int, count: int) -> None:
    names = [f"object{i}" for i in range(count)]
    orders = visiting_orders(names, robots)
    assert len(orders) == robots
    assert all(sorted(order) == sorted(names) for order in orders)


def test_three_robots_visit_eight_objects_in_three_orders() -> None:
    first, second, third = visiting_orders([str(i) for i in range(8)], 3)
    assert len({tuple(first), tuple(second), tuple(third)}) == 3
    assert not any(a == b for a, b in zip(second, third, strict=True))


def test_robots_of_a_launch_argument() -> None:
    assert robots_of(["a/camera", "b/lidar", "a/lidar"]) == {
        "a": ("camera", "lidar"),
        "b": ("lidar",),
    }
    assert robots_of([]) is None
    with pytest.raises(ValueError, match="'amiro1'"):
        robots_of(["amiro1"])


@pytest.mark.parametrize(
    ("distribution", "name"),
    [
        ("humble", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE"),
        ("rolling", "FASTDDS_DEFAULT_PROFILES_FILE"),
    ],
)
def test_nodes_get_the_profile_of_dds_by_the_name_that_theirs_asks_for(
    distribution: str, name: str, monkeypatch
) -> None:
    names = {"FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"}
    for each in names:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv("ROS_DISTRO", distribution)
    assert names & set(environment()) == {name}
    assert environment()[name].endswith("config/fastdds.xml")
    monkeypatch.setenv(name, "/of/the/user.xml")
    assert environment()[name] == "/of/the/user.xml"
    assert names & set(environment()) == {name}


@pytest.mark.ros
def test_nodes_come_up_with_their_parameters_and_go_down_clean(tmp_path) -> None:
    weights = untrained_weights(tmp_path / "weights")
    nodes = (
        simulator({"amiro1": ("camera",)}),
        fusion("amiro1", ["camera"], weights=str(weights), use_sim_time=True),
    )
    with asking() as (node, executor), Processes(nodes) as processes:
        assert bring_up(processes, node, executor) == ["/amiro1/fusion"]
        pids = processes.pids()
        assert state_of("/amiro1/fusion", node, executor) == State.PRIMARY_STATE_ACTIVE
        topic = "/amiro1/front_camera/image_raw"
        until(lambda: node.count_publishers(topic) == 1 and node.count_subscribers(topic) == 1)
        assert node.count_publishers("/amiro1/laser_scan") == 0
    assert processes.unclean == []
    assert not any(alive(pid) for pid in pids.values())


@pytest.mark.ros
@pytest.mark.parametrize("flaw", ["missing", "corrupt"])
def test_without_whole_weights_a_node_stays_unconfigured_and_can_be_configured_later(
    flaw: str, tmp_path
) -> None:
    folder = tmp_path / "weights"
    untrained_weights(folder)
    broken = folder / "graphs.zip"
    whole = broken.read_bytes()
    if flaw == "missing":
        broken.unlink()
    else:
        broken.write_bytes(whole[: len(whole) // 2])
    nodes = [fusion("amiro1", ["camera"], weights=str(folder))]
    with asking() as (node, executor), Processes(nodes) as processes:
        with pytest.raises(BringupError, match="could not be configured") as refused:
            bring_up(processes, node, executor)
        assert str(broken) in str(refused.value)
        assert {"missing": "no such file", "corrupt": "is not the file of"}[flaw] in str(
            refused.value
        )
        processes.check()  # the node goes on
        assert state_of("/amiro1/fusion", node, executor) == State.PRIMARY_STATE_UNCONFIGURED
        broken.write_bytes(whole)
        assert bring_up(processes, node, executor) == ["/amiro1/fusion"]
    assert processes.unclean == []


@pytest.mark.ros
def test_a_node_that_cannot_start_is_named_with_its_last_words() -> None:
    nodes = [replace(patrol("amiro1", ["camera"], []), parameters={"modalities": ["sonar"]})]
    with Processes(nodes) as processes:

        def dead() -> bool:
            try:
                processes.check()
            except BringupError as error:
                assert "/amiro1/patrol ended with status 2" in str(error)
                assert "parameter modalities: 'sonar'" in str(error)
                return True
            return False

        until(dead)
    assert len(processes.unclean) == 1


@pytest.mark.ros
def test_an_executable_that_does_not_exist_is_named_and_nothing_stays() -> None:
    nodes = [
        simulator({"amiro1": ("lidar",)}),
        NodeSpec("no_such_node", "x", "/", "config/fusion.yaml"),
    ]
    with pytest.raises(BringupError, match="no_such_node: no such executable"):
        Processes(nodes).__enter__()


@pytest.mark.ros
def test_a_node_that_ignores_the_first_signal_is_stopped_all_the_same(monkeypatch) -> None:
    monkeypatch.setattr(
        "m2vae_ros.host.children.STEPS_OF_STOPPING",
        ((signal.SIGINT, 0.5), (signal.SIGTERM, 0.5), (signal.SIGKILL, 3.0)),
    )
    with Processes([simulator({"amiro1": ("lidar",)})]) as processes:
        with asking() as (node, _):
            until(lambda: node.count_publishers("/clock") == 1)
        (pid,) = processes.pids().values()
        shared = memory_of([pid])
        assert shared
        os.kill(pid, signal.SIGSTOP)
    assert not alive(pid)
    assert not any((SHARED_MEMORY / name).exists() for name in shared)
    assert "signal SIGKILL" in processes.unclean[0]


@pytest.mark.ros
@pytest.mark.parametrize("name", ["fusion_node", "amiro_sim", "gazebo_bridge", "patrol"])
def test_an_executable_explains_itself_and_what_it_was_given_wrong(name: str) -> None:
    def told(*arguments: str) -> tuple[int, str]:
        path = executable(NodeSpec(name, "x", "/", ""))
        command = [sys.executable, path, *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return ended.returncode, ended.stdout + ended.stderr

    status, help_text = told("--help", "--ros-args", "-r", "__ns:=/amiro1")
    assert status == 0
    assert f"ros2 run m2vae_ros {name} --ros-args" in help_text
    for arguments, reason in [
        (["--sped", "3"], "unrecognized arguments: --sped 3"),
        (["--ros-args", "-p", "robot"], "'-p robot'"),
        (["--ros-args", "--params-file", "/no/such.yaml"], "/no/such.yaml"),
        (["--ros-args", "-p", "use_sim_time:=maybe"], "use_sim_time"),
    ]:
        status, said = told(*arguments)
        assert status == 2
        assert reason in said
        assert "Traceback" not in said


@pytest.mark.ros
@pytest.mark.parametrize("name", ["fusion_node", "amiro_sim", "gazebo_bridge", "patrol"])
def test_a_node_that_is_only_beginning_ends_at_once_and_clean(name: str) -> None:
    path = executable(NodeSpec(name, "x", "/", ""))
    with subprocess.Popen([sys.executable, path], stderr=subprocess.PIPE, text=True) as process:
        until(lambda: catches(process.pid, signal.SIGTERM))
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert said == ""


def catches(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.ros
def test_a_node_that_is_killed_leaves_nothing_and_can_be_started_again() -> None:
    spec = simulator({"amiro1": ("lidar",)})
    with Processes([spec]) as processes, asking() as (node, _):
        until(lambda: node.count_publishers("/clock") == 1)
        (pid,) = processes.pids().values()
        shared = memory_of([pid])
        assert shared
        processes.kill(spec)
        assert not alive(pid)
        assert processes.pids() == {}
        assert not any((SHARED_MEMORY / name).exists() for name in shared if "port" not in name)
        processes.start(spec)
        until(lambda: alive(processes.pids()[spec.full_name]))
        processes.check()
        until(lambda: catches(processes.pids()[spec.full_name], signal.SIGTERM))
    assert processes.unclean == []


PARENT = """
import sys, time
from m2vae_ros.bringup.specs import simulator
from m2vae_ros.bringup.processes import Processes
with Processes([simulator({"amiro1": ("lidar",)})]) as processes:
    print(*processes.pids().values(), flush=True)
    time.sleep(600)
"""


@pytest.mark.ros
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_parent_ends_its_nodes_end(end: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent,
        asking() as (
            node,
            _,
        ),
    ):
        pid = int(parent.stdout.readline())
        until(lambda: node.count_publishers("/clock") == 1)
        assert alive(pid)
        parent.send_signal(end)
        with suppress(ProcessLookupError):
            parent.send_signal(end)  # somebody is impatient
        until(lambda: not alive(pid))


@pytest.mark.parametrize("module", ["apps.demo", "nodes.patrol_node", "nodes.amiro_sim_node"])
def test_only_fusion_nodes_pay_for_torch(module: str) -> None:
    code = f"import sys, m2vae_ros.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nodes_announce_themselves_again_before_who_joins_first_says_what_it_holds() -> None:
    # Fast DDS does not hear what answers its first announcement
    profile = ElementTree.parse(resource("config/fastdds.xml"))
    period = ".//{*}leaseAnnouncement/{*}"
    nanoseconds = float(profile.findtext(f"{period}nanosec", "0"))
    seconds = float(profile.findtext(f"{period}sec", "0")) + nanoseconds / 1e9
    assert 0.0 < seconds <= PATIENCE
