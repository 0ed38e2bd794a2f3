# SPDX-License-Identifier: Apache-2.0
"""The launch files: what they declare, and, where launch_ros is installed, what they do."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from four_sensors import SUITE
from gazebo_master import needs_gazebo
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState
from rosgraph_msgs.msg import Clock
from running import alive, asking, bring_up, state_of, until
from untrained import random_weights, untrained_weights

from m2vae_ros.bringup.arguments import LaunchArguments, bridges, check_robot, team_of
from m2vae_ros.bringup.processes import Processes
from m2vae_ros.bringup.specs import (
    fusion,
    gazebo_team,
    reading_from,
    simulated_team,
    team,
    training,
)
from m2vae_ros.bringup.specs import inputs as inputs_of
from m2vae_ros.host.resources import resource
from m2vae_ros.world.gz import bridge_config
from m2vae_ros.world.suite import AMIRO

FOLDER = resource("launch")
HELPERS = Path(__file__).parents[1] / "helpers"
FILES = sorted(FOLDER.glob("*.launch.py"))
OWN_MODULES = {
    "m2vae_ros.bringup.arguments",
    "m2vae_ros.bringup.gz_sim",
    "m2vae_ros.bringup.specs",
    "m2vae_ros.bringup.launching",
    "m2vae_ros.host.children",
    "m2vae_ros.sensors",
}
LAUNCH_MODULES = {"launch", "launch.actions", "launch.conditions"}

needs_launch = pytest.mark.skipif(
    not (find_spec("launch") and find_spec("launch_ros")), reason="launch_ros is not installed"
)


# --- the files as text: everywhere ----------------------------------------------------------------


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_launch_file_is_thin_and_describes_its_arguments(file: Path) -> None:
    text = file.read_text()
    tree = ast.parse(text)
    assert f"ros2 launch m2vae_ros {file.name}" in ast.get_docstring(tree)
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= OWN_MODULES | LAUNCH_MODULES
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))
    arguments = declared(tree)
    assert arguments
    assert all(len(described) > 10 for described in arguments.values()), arguments
    # What is declared is used, and what is used is declared.
    assert {*re.findall(r'given\.\w+\("(\w+)"', text), *inputs(text)} == set(arguments)


def inputs(text: str) -> set[str]:
    return {*AMIRO, "odom"} if "for name in inputs(suite)" in text else set()


def declared(tree: ast.Module) -> dict[str, str]:
    """Names and descriptions of a launch file's arguments, its own and those common to several."""
    common = {
        node.targets[0].id: node.value
        for node in ast.parse(resource("m2vae_ros/bringup/launching.py").read_text()).body
        if isinstance(node, ast.Assign)
    }
    (entries,) = (
        node.value.elts
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "ARGUMENTS"
    )
    arguments = {}
    for entry in entries:
        if isinstance(entry, ast.Starred):
            assert entry.value.id == "TOPICS"
            arguments |= {name: f"topic of {m.title}" for name, m in AMIRO.items()}
            continue
        call = common[entry.id] if isinstance(entry, ast.Name) else entry
        options = {option.arg: option.value for option in call.keywords}
        arguments[ast.literal_eval(call.args[0])] = ast.unparse(options["description"])
    return arguments


# --- what they read and describe: everywhere ------------------------------------------------------


def test_arguments_are_read() -> None:
    given = LaunchArguments({"a": " x, y ,", "b": "True", "c": "-3", "d": "0.5", "e": ""})
    assert given.words("a") == ["x", "y"]
    assert given.words("e") == []
    assert given.flag("b") is True
    assert given.whole("c", -3) == -3
    assert given.positive("d") == 0.5
    assert given.text("e") == ""


def test_files_of_the_user_and_of_the_package_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").touch()
    (tmp_path / "config").mkdir()
    (tmp_path / "config/fusion.yaml").touch()
    (tmp_path / "mine").mkdir()

    def config(text: str) -> str:
        return LaunchArguments({"f": text}).packaged("f", "config/fusion.yaml")

    assert config("my.yaml") == str(tmp_path / "my.yaml")
    assert config("config/patrol.yaml") == str(resource("config/patrol.yaml"))
    assert config("") == str(resource("config/fusion.yaml"))  # not the one that lies here
    with pytest.raises(ValueError, match=r"^f: 'no.yaml' is neither in the current folder nor in"):
        config("no.yaml")

    def weights(text: str) -> str:
        return LaunchArguments({"from": text}).weights("from")

    assert weights("amiro") == str(resource("models/amiro"))
    assert weights("./mine") == weights("mine") == "mine"
    assert weights("") == ""
    for nowhere in ("nowhere", "/no/where"):
        with pytest.raises(ValueError, match=f"^from: '{nowhere}' is neither a folder nor one of"):
            weights(nowhere)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda given: given.flag("it"), "yes?"),
        (lambda given: given.whole("it", 0), "1.5"),
        (lambda given: given.whole("it", 0), "-1"),
        (lambda given: given.positive("it"), "0"),
        (lambda given: given.positive("it"), "nan"),
        (lambda given: given.positive("it"), "quick"),
        (lambda given: given.words("it", among=["camera"]), "sonar"),
        (lambda given: given.path("it"), "/no/such"),
        (lambda given: given.paths("it"), "/no/such"),
        (lambda given: check_robot(given.text("it"), "it"), "7up"),
        (lambda given: check_robot(given.text("it"), "it"), ""),
    ],
)
def test_an_argument_that_makes_no_sense_is_named(read: Callable, text: str) -> None:
    with pytest.raises(ValueError, match=f"^it: '{re.escape(text)}'"):
        read(LaunchArguments({"it": text}))


@pytest.mark.parametrize(
    "entries", [[], ["amiro1"], ["amiro1/sonar"], ["1st/camera"], ["a b/camera"]]
)
def test_a_team_that_cannot_be_is_refused(entries: list[str]) -> None:
    with pytest.raises(ValueError, match="^robots: "):
        team_of(entries)


def test_a_team_is_one_fusion_node_for_each_robot() -> None:
    robots = team_of(["amiro1/camera", "amiro2/lidar", "amiro1/reflectance"])
    nodes = team(robots, weights="mine", use_sim_time=True)
    assert nodes == (
        fusion("amiro1", ["camera", "reflectance"], weights="mine", use_sim_time=True),
        fusion("amiro2", ["lidar"], weights="mine", use_sim_time=True),
    )


def test_the_frame_of_all_positions_is_that_of_the_config_unless_it_is_said() -> None:
    assert "frame" not in fusion("amiro1").parameters
    assert fusion("amiro1", global_frame="world").parameters["global_frame"] == "world"


def test_topics_of_own_sensors_become_remappings() -> None:
    topics = {"camera": "", "lidar": "/scan", "odom": "/wheels"}
    assert reading_from(topics) == (("laser_scan", "/scan"), ("odom", "/wheels"))


def test_a_team_in_gazebo_differs_from_a_simulated_one_by_its_world_alone() -> None:
    robots = team_of(["amiro1/camera", "amiro2/lidar"])
    with_ros = gazebo_team(robots, bridge=False)
    assert with_ros == simulated_team(robots)[1:]
    bridge, *others = gazebo_team(robots, master="http://127.0.0.1:1234")
    assert tuple(others) == with_ros
    assert bridge.full_name == "/gazebo_bridge"
    assert bridge.parameters["robots"] == ["amiro1/camera", "amiro2/lidar"]
    assert bridge.parameters["master"] == "http://127.0.0.1:1234"


MASTER = "http://127.0.0.1:11345"


@pytest.mark.parametrize(
    ("wanted", "master", "has_gazebo_ros", "bridged"),
    [
        ("auto", "", True, False),
        ("auto", "", False, True),
        ("auto", MASTER, True, True),
        ("true", "", True, True),
        ("true", MASTER, True, True),
        ("false", "", True, False),
        ("auto", "localhost:11345", True, "master: 'localhost:11345' is not of the form http://"),
        ("true", "http://localhost", True, "master: 'http://localhost' is not of the form http://"),
        ("false", MASTER, True, "bridge: cannot be false with a master"),
        ("false", "", False, "bridge: cannot be false, for gazebo_ros is not installed"),
    ],
)
def test_a_bridge_is_where_gazebo_needs_one(wanted, master, has_gazebo_ros, bridged) -> None:
    if isinstance(bridged, bool):
        assert bridges(wanted, master, has_gazebo_ros) is bridged
    else:
        with pytest.raises(ValueError, match=f"^{re.escape(bridged)}"):
            bridges(wanted, master, has_gazebo_ros)


@needs_launch
def test_a_master_that_is_none_ends_the_launch_before_a_node_starts(tmp_path) -> None:
    with launched(tmp_path, "amiro_gazebo.launch.py", master="localhost:11345") as running:
        assert running.process.wait(60) == 1
        assert "master: 'localhost:11345' is not of the form http://HOST:PORT" in running.said
        assert "process started" not in running.said


@pytest.mark.ros
@pytest.mark.slow
def test_what_the_launch_files_describe_runs_without_launch_too(tmp_path) -> None:
    weights = str(untrained_weights(tmp_path / "weights"))
    topics = reading_from({"lidar": "/scan", "odom": "/wheels"})
    nodes = (
        *team(team_of(["amiro1/camera", "amiro2/lidar"]), weights=weights),
        fusion("tiago", ["lidar"], weights=weights, remappings=topics),
    )
    with asking() as (node, executor), Processes(nodes) as processes:
        assert sorted(bring_up(processes, node, executor)) == [
            "/amiro1/fusion",
            "/amiro2/fusion",
            "/tiago/fusion",
        ]
        for topic in ("/amiro1/front_camera/image_raw", "/amiro2/laser_scan", "/scan", "/wheels"):
            until(lambda t=topic: node.count_subscribers(t) == 1, executor)
    assert processes.unclean == []


def test_what_is_trained_from_bags_is_what_the_command_takes() -> None:
    from m2vae_ros.cli import parser

    options = {"world": "w.sdf", "label_topic": "label", "start": "models/amiro"}
    options |= {"minutes": 2.5, "enough": 3, "most": 50, "held_out": ["c", "d"]}
    options |= {"classifiers_only": True}
    given = parser().parse_args(training(["a", "b"], "mine", **options))
    assert (given.bags, given.out) == ([Path("a"), Path("b")], Path("mine"))
    assert (given.world, given.label_topic) == (Path("w.sdf"), "label")
    assert (given.start, given.minutes, given.enough) == (Path("models/amiro"), 2.5, 3)
    assert (given.most, given.held_out) == (50, [Path("c"), Path("d")])
    assert given.classifiers_only
    plain = parser().parse_args(training(["a"], "mine"))
    assert plain.enough == 10
    assert not plain.classifiers_only
    assert (plain.most, plain.held_out) == (None, None)
    assert (plain.world, plain.label_topic, plain.start, plain.minutes) == (None,) * 4
    with pytest.raises(ValueError, match="^bags: "):
        training([], "mine")


def test_inputs_are_those_of_the_fusion_node() -> None:
    topics = {name: sensor.topic for name, sensor in AMIRO.items()}
    assert inputs_of(AMIRO) == {**topics, "odom": "odom"}


def test_sensors_of_ones_own_are_arguments_by_their_names(tmp_path: Path) -> None:
    weights = random_weights(SUITE).save(tmp_path / "rover")
    given = LaunchArguments({"weights": str(weights), "sonar": "/ping"})
    suite = given.suite("weights")
    topics = {name: given.text(name) for name in inputs_of(suite)}
    assert reading_from(topics, suite) == (("sonar", "/ping"),)
    assert team_of(["rover/sky"], suite) == {"rover": ("sky",)}
    with pytest.raises(ValueError, match="'camera' of rover is not one of sky, cloud"):
        team_of(["rover/camera"], suite)
    assert LaunchArguments({"weights": str(tmp_path / "later")}).suite("weights") == AMIRO
    (weights / "card.json").write_text("{}")
    with pytest.raises(ValueError, match="^weights: .*rover/card.json: format is None"):
        given.suite("weights")


# --- real launches --------------------------------------------------------------------------------


class Launched:
    """A running launch; what it says is in a file."""

    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def pids(self, executable: str) -> list[int]:
        """Of all processes of this executable, in the order they were started."""
        return [int(p) for p in re.findall(rf"\[{executable}-\d+\]: .*pid \[(\d+)\]", self.said)]

    def end(self, number: signal.Signals, everybody: bool = False) -> int:
        """Tell the launch, or all that it has started as well, to end; returns its exit status."""
        (os.killpg if everybody else os.kill)(self.process.pid, number)
        return self.process.wait(60)


@contextmanager
def launched(
    tmp_path: Path, file: str, setting: Mapping[str, str] | None = None, **arguments: str
) -> Iterator[Launched]:
    """A launch file with its arguments, in an environment with this `setting`."""
    log = tmp_path / "launch.log"
    command = [sys.executable, str(HELPERS / "launch_it.py"), str(FOLDER / file)]
    command += [f"{name}:={value}" for name, value in arguments.items()]
    environment = {**os.environ, "ROS_LOG_DIR": str(tmp_path / "logs"), "TMPDIR": str(tmp_path)}
    environment.update(setting or {})
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment,
            start_new_session=True,
        )
    running = Launched(process, log)
    try:
        yield running
    except BaseException:
        print(running.said)
        raise
    finally:
        if process.poll() is None:
            running.end(signal.SIGINT)


def ports(domain: int) -> list[str]:
    """What a ROS domain's participants made in shared memory to be reached by."""
    numbers = range(7400 + 250 * domain, 7400 + 250 * (domain + 1))
    shared = {path.name for path in Path("/dev/shm").glob("fast*_port*")}
    return [name for name in shared if int(re.search(r"port(\d+)", name)[1]) in numbers]


def until_active(name: str, node, executor) -> None:
    until(lambda: state_of(name, node, executor) == State.PRIMARY_STATE_ACTIVE, executor)


def until_started(executable: str, count: int, running: Launched, executor) -> list[int]:
    until(lambda: len(running.pids(executable)) == count, executor)
    return running.pids(executable)


@needs_launch
@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize("everybody", [False, True], ids=["launch", "everybody"])
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_simulated_team_comes_up_and_ends_clean(
    end: signal.Signals, everybody: bool, tmp_path, ros_domain_id
) -> None:
    """Whether launch alone is told, or all its processes, as by systemd or a terminal."""
    weights = untrained_weights(tmp_path / "weights")
    robots = "amiro1/camera,amiro2/lidar"
    with (
        asking() as (node, executor),
        launched(tmp_path, "amiro_sim.launch.py", robots=robots, weights=str(weights)) as running,
    ):
        for robot in ("amiro1", "amiro2"):
            until_active(f"/{robot}/fusion", node, executor)
            until(lambda r=robot: node.count_publishers(f"/{r}/cmd_vel") == 1, executor)
        until(lambda: node.count_subscribers("/amiro1/front_camera/image_raw") == 1, executor)
        pids = sum(map(running.pids, ("amiro_sim", "fusion_node", "patrol")), [])
        assert len(pids) == 5
        assert running.end(end, everybody) == 0
        assert not any(map(alive, pids))
        assert "process has died" not in running.said
        assert running.said.count("process has finished cleanly") == 5
    assert not ports(ros_domain_id)


@needs_launch
@pytest.mark.ros
@pytest.mark.slow
def test_a_killed_fusion_node_comes_back_and_is_active_again(tmp_path, ros_domain_id) -> None:
    weights = untrained_weights(tmp_path / "weights")
    robots = "amiro1/camera,amiro2/lidar"
    with launched(tmp_path, "team.launch.py", robots=robots, weights=str(weights)) as running:
        with asking() as (node, executor):
            until_active("/amiro1/fusion", node, executor)
            until_active("/amiro2/fusion", node, executor)
            pids = running.pids("fusion_node")
            while len(pids) < 4:
                os.kill(pids[-1], signal.SIGKILL)  # the second time the one that came back
                pids = until_started("fusion_node", len(pids) + 1, running, executor)
                loaded = " speaks the latent space "
                until(lambda: running.said.count(loaded) == len(pids), executor)  # noqa: B023
                until_active("/amiro1/fusion", node, executor)
                until_active("/amiro2/fusion", node, executor)
            assert ports(ros_domain_id)
        assert running.end(signal.SIGTERM) == 0
        assert not any(map(alive, running.pids("fusion_node")))
    assert not ports(ros_domain_id)


@needs_launch
@pytest.mark.ros
@pytest.mark.slow
def test_one_robot_reads_its_own_topics_and_is_not_respawned_if_not_wanted(
    tmp_path, ros_domain_id
) -> None:
    weights = untrained_weights(tmp_path / "weights")
    arguments = {
        "robot": "tiago",
        "modalities": "lidar",
        "lidar": "/scan",
        "odom": "/wheels",
        "weights": str(weights),
        "respawn": "false",
    }
    with launched(tmp_path, "fusion.launch.py", **arguments) as running:
        with asking() as (node, executor):
            until_active("/tiago/fusion", node, executor)
            until(lambda: node.count_subscribers("/scan") == 1, executor)
            until(lambda: node.count_subscribers("/wheels") == 1, executor)
        (pid,) = running.pids("fusion_node")
        os.kill(pid, signal.SIGKILL)
        assert running.process.wait(60) == 0  # there is nothing left to do
        assert running.pids("fusion_node") == [pid]
    assert not ports(ros_domain_id)


@needs_launch
@pytest.mark.ros
@pytest.mark.slow
def test_without_its_simulator_a_launch_ends(tmp_path, ros_domain_id) -> None:
    weights = untrained_weights(tmp_path / "weights")
    arguments = {"robots": "amiro1/lidar", "weights": str(weights)}
    with launched(tmp_path, "amiro_sim.launch.py", **arguments) as running:
        with asking() as (node, executor):
            until_active("/amiro1/fusion", node, executor)
        (pid,) = running.pids("amiro_sim")
        os.kill(pid, signal.SIGKILL)
        assert running.process.wait(60) == 1
        assert "/amiro_sim ended with status -9" in running.said
        assert not any(map(alive, running.pids("fusion_node") + running.pids("patrol")))
    assert not ports(ros_domain_id)


@needs_launch
@needs_gazebo()
@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_gazebo_and_its_bridge_come_up_and_end_clean(
    end: signal.Signals, tmp_path, ros_domain_id
) -> None:
    weights = untrained_weights(tmp_path / "weights")
    arguments = {"robots": "amiro1/lidar", "weights": str(weights), "bridge": "true"}
    with launched(tmp_path, "amiro_gazebo.launch.py", **arguments) as running:
        with asking() as (node, executor):
            until_active("/amiro1/fusion", node, executor)
            until(lambda: node.count_publishers("/amiro1/laser_scan") == 1, executor)
            clock: list[Clock] = []
            node.create_subscription(Clock, "/clock", clock.append, 1)
            until(lambda: bool(clock), executor)
        told = re.compile(r"GAZEBO_MASTER_URI=http://127.0.0.1:(\d+)\n")
        until(lambda: told.search(running.said))
        port = int(told.search(running.said)[1])
        with socket.create_connection(("127.0.0.1", port)):
            pass
        assert running.end(end) == 0
        assert "process has died" not in running.said
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
    assert not ports(ros_domain_id)


GAZEBO_ROS = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration

NAMES = ["world", "gui", "seed"]
def generate_launch_description():
    words = [word for n in NAMES for word in (f"{n}:", LaunchConfiguration(n))]
    declared = [DeclareLaunchArgument(n, default_value="") for n in NAMES]
    return LaunchDescription([*declared, ExecuteProcess(cmd=["gzserver", *words], output="screen")])
"""


@needs_launch
@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize("end", ["SIGTERM", "its server"])
def test_where_gazebo_ros_is_installed_it_runs_the_world(end: str, tmp_path) -> None:
    """With the same names, but nothing of Gazebo behind them."""
    prefix = tmp_path / "prefix"
    for folder in ("share/ament_index/resource_index/packages", "share/gazebo_ros/launch", "bin"):
        (prefix / folder).mkdir(parents=True)
    (prefix / "share/ament_index/resource_index/packages/gazebo_ros").touch()
    (prefix / "share/gazebo_ros/launch/gazebo.launch.py").write_text(GAZEBO_ROS)
    server = prefix / "bin/gzserver"
    server.write_text('#!/bin/sh\necho "$@"\nexec sleep 600\n')
    server.chmod(0o755)
    setting = {
        "AMENT_PREFIX_PATH": f"{os.environ['AMENT_PREFIX_PATH']}:{prefix}",
        "PATH": f"{prefix / 'bin'}:{os.environ['PATH']}",
    }
    weights = untrained_weights(tmp_path / "weights")
    arguments = {"robots": "amiro1/lidar", "weights": str(weights), "gui": "false", "seed": "3"}
    with launched(tmp_path, "amiro_gazebo.launch.py", setting, **arguments) as running:
        with asking() as (node, executor):
            until_active("/amiro1/fusion", node, executor)
        world = resource("worlds/amiro.world")
        assert f"world: {world} gui: false seed: 3" in running.said
        assert running.pids("gazebo_bridge") == []
        pids = [*running.pids("gzserver"), *running.pids("fusion_node"), *running.pids("patrol")]
        assert len(pids) == 3
        if end == "SIGTERM":
            assert running.end(signal.SIGTERM) == 0
        else:
            os.kill(pids[0], signal.SIGKILL)
            assert running.process.wait(60) == 1
            assert "gzserver ended with status -9" in running.said
        assert not any(map(alive, pids))


def ros_gz_stand_in(prefix: Path) -> dict[str, str]:
    """What of ros_gz a launch finds, with nothing of Gazebo behind it; the setting to find it."""
    programs = {
        "bin/gz": "",
        "lib/ros_gz_bridge/parameter_bridge": 'for last; do true; done; cat "$last"',
        "lib/tf2_ros/static_transform_publisher": "",
    }
    for name, words in programs.items():
        program = prefix / name
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\necho "$(basename $0):" "$@"\n{words}\nexec sleep 600\n')
        program.chmod(0o755)
    index = prefix / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    for package in ("ros_gz_bridge", "tf2_ros"):
        (index / package).touch()
    return {
        "AMENT_PREFIX_PATH": f"{prefix}:{os.environ['AMENT_PREFIX_PATH']}",
        "PATH": f"{prefix / 'bin'}:{os.environ['PATH']}",
    }


@needs_launch
@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize("end", ["SIGTERM", "its simulator"])
def test_gz_sim_runs_the_world_with_its_bridge_and_frames(end: str, tmp_path) -> None:
    """With the same names, but nothing of Gazebo behind them."""
    setting = ros_gz_stand_in(tmp_path / "prefix")
    own = tmp_path / "my world.world"
    shutil.copy(resource("worlds/amiro.world"), own)
    weights = untrained_weights(tmp_path / "weights")
    arguments = {"robots": "amiro1/lidar", "weights": str(weights), "gui": "false"}
    arguments |= {"world": str(own)} if end == "SIGTERM" else {}
    with launched(tmp_path, "amiro_gz.launch.py", setting, **arguments) as running:
        with asking() as (node, executor):
            until_active("/amiro1/fusion", node, executor)
        world, bridge = resource("worlds/amiro_gz.sdf"), resource("config/ros_gz_bridge.yaml")
        if end == "SIGTERM":
            (made,) = tmp_path.glob("m2vae-gz-*")
            assert (made / "ros_gz_bridge.yaml").read_text() == bridge_config(own)
            world, bridge = made / "my world.sdf", made / "ros_gz_bridge.yaml"
        assert f"gz: sim -r -s --headless-rendering {world}\n" in running.said
        assert f"config_file: {bridge}\n" in running.said
        frame = "--z 0.11 --roll 0.0 --pitch 0.0 --yaw 0.0 --frame-id amiro1/base_link"
        assert f"{frame} --child-frame-id amiro1/lidar --ros-args" in running.said
        names = ("gz_sim", "parameter_bridge", "static_transform_publisher", "fusion_node")
        pids = sum(map(running.pids, (*names, "patrol")), [])
        assert len(pids) == 5
        if end == "SIGTERM":
            assert running.end(signal.SIGTERM) == 0
        else:
            os.kill(pids[0], signal.SIGKILL)
            assert running.process.wait(60) == 1
            assert "gz sim ended with status -9" in running.said
        assert not any(map(alive, pids))
    assert not list(tmp_path.glob("m2vae-gz-*"))


@needs_launch
@pytest.mark.ros
@pytest.mark.slow
def test_weights_that_are_missing_are_named_and_may_come_later(tmp_path) -> None:
    arguments = {"robot": "amiro1", "weights": str(tmp_path / "none")}
    with (
        asking() as (node, executor),
        launched(tmp_path, "fusion.launch.py", **arguments) as running,
    ):
        until(lambda: "Failed to make transition 'TRANSITION_CONFIGURE'" in running.said, executor)
        assert f"{tmp_path}/none" in running.said
        state = state_of("/amiro1/fusion", node, executor)
        assert state == State.PRIMARY_STATE_UNCONFIGURED
        untrained_weights(tmp_path / "none")
        client = node.create_client(ChangeState, "/amiro1/fusion/change_state")
        until(client.service_is_ready, executor)
        request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
        until(client.call_async(request).done, executor)
        until_active("/amiro1/fusion", node, executor)
        assert running.end(signal.SIGINT) == 0


@needs_launch
@pytest.mark.ros
@pytest.mark.parametrize(
    ("file", "arguments", "reason"),
    [
        ("amiro_sim", {"robots": "amiro1"}, "robots: 'amiro1' is not of the form robot/sensor"),
        ("amiro_sim", {"robots": ""}, "robots: there has to be at least one"),
        ("amiro_sim", {"real_time_factor": "fast"}, "real_time_factor: 'fast' is not a positive"),
        ("amiro_sim", {"world": "/no/such"}, "world: '/no/such' is not there"),
        ("amiro_gazebo", {"bridge": "perhaps"}, "bridge"),
        ("amiro_gazebo", {"bridge": "false"}, "bridge: cannot be false, for gazebo_ros"),
        ("amiro_gazebo", {"world": "/no/such"}, "world: '/no/such' is not there"),
        ("amiro_gazebo", {"gui": "2"}, "gui: '2' is not true or false"),
        ("amiro_gazebo", {"seed": "x"}, "seed: 'x' is not a whole number"),
        ("amiro_sim", {"seed": "-1"}, "seed: '-1' is not a whole number from 0 up"),
        ("amiro_gz", {}, "not installed: gz, ros_gz_bridge, tf2_ros; apt-get"),
        ("amiro_gz", {"gui": "2"}, "gui: '2' is not true or false"),
        ("team", {"robots": "amiro1/sonar"}, "robots: 'sonar' of amiro1 is not one of"),
        ("team", {"respawn": "maybe"}, "respawn: 'maybe' is not true or false"),
        ("team", {"config": "/no/such.yaml"}, "config: '/no/such.yaml' is neither in"),
        ("fusion", {}, "'robot'"),
        ("train_from_bag", {"bags": "x"}, "'out'"),
        ("train_from_bag", {"bags": "/no/such", "out": "x"}, "bags: '/no/such' is not there"),
        ("train_from_bag", {"bags": ".", "out": "x", "minutes": "0"}, "minutes: '0' is not a pos"),
        ("train_from_bag", {"bags": ".", "out": "x", "held_out": "/no"}, "held_out: '/no' is not"),
        ("train_from_bag", {"bags": ".", "out": "x", "most": "0"}, "most: '0' is not a whole"),
        ("fusion", {"robot": "1st"}, "robot: '1st' cannot be a robot's name"),
        ("fusion", {"robot": "a", "modalities": "sonar"}, "modalities: 'sonar' is not one of"),
        ("fusion", {"robot": "a", "use_sim_time": "2"}, "use_sim_time: '2' is not true or false"),
    ],
)
def test_wrong_arguments_are_named(file: str, arguments: dict, reason: str, tmp_path) -> None:
    with launched(tmp_path, f"{file}.launch.py", **arguments) as running:
        assert running.process.wait(60) == 1
        assert reason in running.said
        assert "process started" not in running.said
