# SPDX-License-Identifier: Apache-2.0
"""`m2vae view` beside a robot, over real topics; and as a user runs it, in a real browser."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import on_a_robot
import pytest
import rerun as rr
from ros_team import OBJECT, PATIENCE, Team, team

from m2vae_ros.apps.view import command, layout, traffic
from m2vae_ros.apps.view.arena import LOOKED_AT
from m2vae_ros.apps.view.drawing import Drawing
from m2vae_ros.apps.view.listener import Listener
from m2vae_ros.apps.view.outlets import Outlet
from m2vae_ros.apps.view.scene import VIEW, Robot, Scene, Sensor
from m2vae_ros.cli import main
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.host.children import free_port
from m2vae_ros.host.resources import resource
from m2vae_ros.ros.images import image_message
from tools.browser import Browser, installed

ROBOT = "amiro1"
WEIGHTS = resource("models/amiro")
RED = (214, 38, 38)


def red_bar():
    """What a camera sees of something red and upright."""
    pixels = np.full((480, 640, 3), (150, 160, 175), np.uint8)
    pixels[100:340, 280:360] = RED
    return image_message(pixels)


def scene_of(t: Team, weights: Path = WEIGHTS) -> tuple[Scene, Listener]:
    """What a view hears that joins the team."""
    scene = Scene(ObjectMemory(OnnxEngine.load(weights), "view", 0.3, tolerance_ns=2**61))
    node = t.tester.__class__("onlooker", context=t.context)
    t.nodes.append(node)
    t.executor.add_node(node)
    return scene, Listener(node, scene)


def sense_until(t: Team, condition: Callable[[], bool]) -> None:
    """Sense again and again: what comes before the view has found the topics, it cannot hear."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"sensed for {PATIENCE} s in vain"
        t.sense(ROBOT, red_bar(), "camera")
        t.settle(0.2)


@pytest.mark.ros
def test_it_finds_robots_and_knows_what_they_know_and_what_they_looked_at() -> None:
    with team() as t:
        scene, listener = scene_of(t)
        robot = t.active_robot(ROBOT, WEIGHTS, ["camera"])
        sense_until(t, lambda: "camera" in scene.looks.get(OBJECT, {}))
        t.until(lambda: scene.robots[ROBOT].place is not None)
        t.until(lambda: scene.sent == len(t.embeddings) > 0)  # on another topic
        t.until(lambda: [b.embedding for b in scene.beliefs()] == [robot._memory.get(OBJECT)])
        assert scene.looks[OBJECT]["camera"].values.shape == (3, 16, 64)
        assert (scene.first, scene.last) == (OBJECT, OBJECT)
        assert scene.robots[ROBOT].place == pytest.approx(np.eye(4))
        picture = scene.robots[ROBOT].sensors["camera"].readings[-1].size
        assert scene.fused_bytes >= picture > 640 * 480 * 3 > scene.sent_bytes > 0
        assert not listener.drops.dropped

        broken = image_message(np.zeros((20, 30, 3), np.uint8))
        broken.step = 1
        t.sense(ROBOT, broken, "camera")
        refused = "front_camera/image_raw: data"
        t.until(lambda: scene.drops.get(f"{ROBOT}/fusion", {}).get(refused) == 1, 30.0)
        assert scene.fused_bytes % picture == 0  # what was not fused does not count


@pytest.mark.ros
def test_a_view_with_other_weights_says_why_it_shows_nothing_and_what_to_do() -> None:
    with team() as t:
        scene, _ = scene_of(t, resource("models/amiro_without_reencoding"))
        t.active_robot(ROBOT, WEIGHTS, ["camera"])
        assert not traffic.advice(scene)
        sense_until(t, lambda: scene.drops.get(VIEW, {}).get("/embeddings: fingerprint", 0) > 0)
        assert "--weights" in traffic.advice(scene)
        assert "| /embeddings: fingerprint | view |" in traffic.drop_table(scene.drops)


def test_sensed_and_decoded_readings_stand_in_the_order_of_the_suite() -> None:
    scene = Scene(ObjectMemory(OnnxEngine.load(WEIGHTS), "view", 0.3))
    suite = scene.memory.engine.suite
    for robot, names in {"one": ["reflectance", "lidar"], "two": ["lidar", "camera"]}.items():
        sensors = {name: Sensor(suite[name]) for name in names}
        scene.robots[robot] = Robot(robot, sensors=sensors)
    expected = (("two", "camera"), ("one", "lidar"), ("two", "lidar"), ("one", "reflectance"))
    assert layout.key(scene) == (*expected, ("", ""))
    scene.first = "can"
    assert layout.key(scene) == (*expected, ("", "can"))
    assert layout.key(scene, "box") == (*expected, ("", "box"))


@pytest.mark.ros
def test_what_is_drawn_is_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "team.rrd"
    with team() as t:
        scene, _ = scene_of(t)
        t.active_robot(ROBOT, WEIGHTS, ["camera"])
        sense_until(t, lambda: bool(scene.looks and scene.beliefs()))
        t.until(lambda: scene.robots[ROBOT].place is not None)
        recording = rr.RecordingStream("test")
        recording.set_sinks(rr.FileSink(str(file)))
        drawing = Drawing(recording, scene)
        drawing.draw()
        drawing.draw()
        recording.flush()
        recording.disconnect()
    printed = subprocess.run(
        [sys.executable, "-m", "rerun", "rrd", "print", str(file)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for path in (
        "/arena/objects/ball",  # a camera does not tell the shape
        f"/arena/robots/{ROBOT}",
        f"/sensors/{ROBOT}/camera",
        f"/sensors/{ROBOT}/camera/band",
        *(f"/chosen/{name}" for name in scene.memory.engine.suite),
        "/beliefs/table",
        "/beliefs/classes",
        "/latent/gaussians",
        "/traffic",
        "/drops",
    ):
        assert path in printed, path


def test_help_says_where_and_how_to_look(capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["view", "--help"])
    assert end.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    for word in (
        "--weights",
        "--robots",
        "--gate",
        "--forget-after",
        "--save",
        "--headless",
        "--port",
        "--connect",
        "bag",
    ):
        assert word in said


def test_it_goes_by_the_rules_of_the_team(monkeypatch) -> None:
    made: list[ObjectMemory] = []

    class Opened(Outlet):
        def open(self):
            raise InterruptedError  # before anything is listened to

    def scene(memory: ObjectMemory) -> Scene:
        made.append(memory)
        return Scene(memory)

    monkeypatch.setattr(command, "Scene", scene)
    with pytest.raises(InterruptedError):
        command.view(WEIGHTS, Opened(), gate_m=1.5, forget_after=60.0)
    (memory,) = made
    assert (memory.gate_m, memory.forget_after_ns) == (1.5, 60_000_000_000)


@pytest.mark.parametrize(
    ("outlet", "environment", "opens"),
    [
        (Outlet(), {"DISPLAY": ":0"}, True),
        (Outlet(), {}, False),
        (Outlet(headless=True), {"DISPLAY": ":0"}, False),
        (Outlet(connect="rerun+http://there:9876/proxy"), {"DISPLAY": ":0"}, False),
    ],
)
def test_a_window_opens_where_there_is_a_display(outlet, environment, opens) -> None:
    assert outlet.opens_window(environment) == opens


def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Outlet(save=tmp_path / "nowhere/team.rrd").open()


def test_a_port_that_is_taken_is_named_and_how_to_choose_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for outlet in (Outlet(headless=True, port=port), Outlet(headless=True, port=port - 1)):
            with pytest.raises(OSError, match=f"port {port} .*--port"):
                outlet.open()


def test_a_number_that_is_no_port_is_named_too() -> None:
    with pytest.raises(OSError, match=r"port 65536 .*--port"):
        Outlet(headless=True, port=65535).open()


def near(pixels: np.ndarray, colour: tuple[int, int, int], tolerance: int = 30) -> int:
    """How many pixels have about that colour."""
    return int((np.abs(pixels.astype(int) - colour).max(axis=-1) <= tolerance).sum())


def reddish(pixels: np.ndarray) -> int:
    """How many are clearly red, in light or shadow."""
    red, green, blue = pixels.astype(int).transpose(2, 0, 1)
    return int(((red > 90) & (red > 1.5 * green) & (red > 1.5 * blue)).sum())


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.skipif(installed() is None, reason="no Chromium is installed: tools/browser.sh")
def test_a_browser_shows_robots_objects_and_pictures(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "m2vae_ros.cli", "view", "--headless", "--port", str(port)]
    with team() as t:
        t.active_robot(ROBOT, WEIGHTS, ["camera"])
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=on_a_robot.environment()
        ) as process:
            try:
                said = process.stdout.readline()
                page = next(word for word in said.split() if word.startswith("http://"))
                with Browser(page, 1200, 760) as browser:
                    deadline = time.monotonic() + 120.0
                    while True:
                        t.sense(ROBOT, red_bar(), "camera")
                        t.settle(0.2)
                        pixels = np.asarray(browser.picture())
                        arena, sensors = pixels[60:440, :600], pixels[40:190, 600:]
                        seen = {
                            "sensing range": near(arena, LOOKED_AT) > 5,
                            "object": reddish(arena) > 20,
                            "picture": near(sensors, RED) > 20,
                            "band": near(sensors, LOOKED_AT) > 20,
                        }
                        if all(seen.values()):
                            break
                        assert time.monotonic() < deadline, seen
                process.send_signal(signal.SIGINT)
                assert process.wait(20.0) == 0
            finally:
                process.kill()
