# SPDX-License-Identifier: Apache-2.0
"""A real gzserver: what its world is like, and that nothing of it stays."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gazebo_master import needs_gazebo, until

from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.installation import installation
from m2vae_ros.gazebo.server import GazeboServer
from m2vae_ros.gazebo.world import GazeboWorld
from m2vae_ros.host.resources import resource
from m2vae_ros.world.sdf import WorldError, read_world

pytestmark = [needs_gazebo(), pytest.mark.slow]

BOX = """<sdf version="1.6"><model name="{name}"><static>true</static>
<pose>0 0.6 0.1 0 0 0</pose><link name="link">
<collision name="c"><laser_retro>0.5</laser_retro>
<geometry><box><size>0.1 0.1 0.2</size></box></geometry></collision>
<visual name="v"><geometry><box><size>0.1 0.1 0.2</size></box></geometry></visual>
</link></model></sdf>"""


@pytest.fixture(scope="module")
def server() -> Iterator[GazeboServer]:
    with GazeboServer(lockstep=True) as running:
        yield running


@pytest.fixture
def world(server: GazeboServer) -> Iterator[GazeboWorld]:
    """Standing still, so that the machine has a rest."""
    with GazeboWorld(server.master_uri) as seen:
        seen.wait()
        seen.pause()
        yield seen


def test_the_world_is_that_of_the_file(world: GazeboWorld) -> None:
    there = read_world(resource("worlds/amiro.world"))
    assert world.name == there.name
    assert world.models == {model.name for model in there.models}
    assert set(world.robots) == {model.name for model in there.models if not model.static}
    for sensors in world.robots.values():
        assert set(sensors) == {"camera", "lidar", "reflectance"}
    assert world.step_size == pytest.approx(0.005)


def test_sensors_read_what_is_there(world: GazeboWorld) -> None:
    for sensor in ("camera", "lidar", "reflectance"):
        world.read("amiro1", sensor)
    after = world.place("amiro1", 1.1, 0.0, 0.0)  # the red mat cylinder's centre is at x = 1.5
    world.step(20)
    image = world.read("amiro1", "camera", after).image
    assert image.shape == (480, 640, 3)
    assert image[240, 320] == pytest.approx(np.array([0.80, 0.12, 0.10]) * 255, abs=1.0)
    lidar = world.read("amiro1", "lidar", after)
    assert lidar.ranges.shape == (683,)
    assert lidar.ranges[341] == pytest.approx(0.4 - 0.115, abs=2e-3)
    ring = world.read("amiro1", "reflectance", after)
    assert ring.intensities[0] == pytest.approx(0.30)
    assert np.isinf(ring.ranges[1:]).all()
    assert not ring.intensities[1:].any()


def test_in_lockstep_each_step_of_a_camera_is_exact(world: GazeboWorld) -> None:
    before = world.read("amiro1", "camera").time
    times = []
    for _ in range(5):
        after = world.iterations + 16
        world.step(16)
        # The next steps would replace those that are still to come.
        until(lambda after=after: world.iterations >= after)
        before = world.read("amiro1", "camera", before).time
        times.append(before)
    assert np.diff(times) == pytest.approx(np.full(4, 0.08), abs=1e-6)


def test_in_lockstep_a_camera_can_be_subscribed_to_again_at_any_step(world: GazeboWorld) -> None:
    camera = world.robots["amiro1"]["camera"]
    world.read("amiro1", "camera")
    period = 16

    def advance(steps: int) -> None:
        after = world.iterations + steps
        world.step(steps)
        until(lambda: world.iterations >= after)

    for _ in range(period):  # each time one step later in the period
        world.unwatch(camera)
        advance(period + 1)
        images: list[object] = []
        world.watch(camera, images.append)
        # Gazebo may hear of it after the steps: then the next period has an image.
        until(lambda images=images: images or advance(period))


def test_many_are_placed_at_once_also_static_ones(world: GazeboWorld) -> None:
    poses = {
        "amiro1": (-0.4, 0.2, 1.0),
        "amiro2": (0.4, -0.2, -3.0),
        "green_box_mat": (-1.0, -1.1, 0.3),
    }
    world.place_all(poses)
    for name, pose in poses.items():
        assert world.pose(name) == pytest.approx(pose, abs=1e-3)


def test_a_robot_is_told_where_it_is_in_radians_within_pi(world: GazeboWorld) -> None:
    world.place("amiro3", -0.3, -0.3, 3 * math.pi / 2)
    assert world.pose("amiro3")[2] == pytest.approx(-math.pi / 2, abs=1e-3)


def test_models_come_and_go(world: GazeboWorld) -> None:
    before = world.models
    world.spawn(BOX.format(name="one"), BOX.format(name="two"))
    assert world.models == before | {"one", "two"}
    world.place("one", 0.3, 0.9, 0.0)
    world.remove("one", "two")
    assert world.models == before


def test_what_is_not_there_is_named(world: GazeboWorld) -> None:
    with pytest.raises(GazeboError, match="no model amiro9, there are: .*amiro1"):
        world.place("amiro9", 0.0, 0.0, 0.0)
    with pytest.raises(GazeboError, match="no sensor amiro1/sonar, there are: .*amiro1/lidar"):
        world.read("amiro1", "sonar")
    with pytest.raises(GazeboError, match="no model thing"):
        world.remove("thing")


def test_a_world_that_is_none_does_not_start_gazebo(tmp_path: Path) -> None:
    broken = tmp_path / "broken.world"
    broken.write_text("<sdf version='1.6'><world name='w'>")
    with pytest.raises(WorldError, match=r"broken\.world: not XML"):
        GazeboServer(broken)


def test_models_that_gazebo_does_not_make_are_named() -> None:
    server = GazeboServer()
    server._models.add("ghost")  # as if it stood in the file and Gazebo could not make it
    with (
        pytest.raises(GazeboError, match=r"amiro\.world: Gazebo did not make of it: ghost"),
        server,
    ):
        pass


def test_a_port_that_is_taken_is_named(server: GazeboServer) -> None:
    port = int(server.master_uri.rpartition(":")[2])
    with pytest.raises(GazeboError, match=f"port {port} .*in use"), GazeboServer(port=port):
        pass


def left(pids: list[int]) -> list[str]:
    """What is left of a Gazebo: processes, screens, folders."""
    temporary = installation().temporary
    running = [str(pid) for pid in pids if alive(pid)]
    locks = [str(p) for p in temporary.glob(".X*-lock") if int(p.read_text()) in pids]
    return running + locks


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


PROGRAM = """
import time
from m2vae_ros.gazebo.server import GazeboServer
with GazeboServer() as server:
    print(*server.pids(), flush=True)
    time.sleep(600)
"""


def test_if_its_parent_is_killed_gazebo_ends_and_the_next_one_sweeps_up() -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    pids = list(map(int, process.stdout.readline().split()))
    assert len(pids) == 2
    process.kill()
    process.communicate()
    until(lambda: not left(pids))
    folders = list(installation().temporary.glob(f"m2vae-gazebo-{process.pid}-*"))
    assert folders
    with GazeboServer():
        pass
    assert not any(folder.exists() for folder in folders)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_clean(end: signal.Signals) -> None:
    command = [sys.executable, "-m", "m2vae_ros.cli", "gazebo", "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
    )
    try:
        first = process.stdout.readline()
        assert "Gazebo runs at GAZEBO_MASTER_URI=http://127.0.0.1:" in first
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        pids = list(map(int, children.split()))
        assert len(pids) == 2
        process.send_signal(end)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, said
    assert not left(pids)
    assert not list(installation().temporary.glob(f"m2vae-gazebo-{process.pid}-*"))


def test_the_command_can_be_ended_while_it_starts() -> None:
    command = [sys.executable, "-m", "m2vae_ros.cli", "gazebo", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        until(lambda: len(children.read_text().split()) == 2)
        pids = list(map(int, children.read_text().split()))
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, said
    assert said == ""
    assert not left(pids)
