# SPDX-License-Identifier: Apache-2.0
"""What a robot knows, read by a process that knows standard messages only."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import standard_listener
from m2vae_ros.srv import ResetObject
from rclpy.lifecycle import TransitionCallbackReturn
from ros_team import OBJECT, PATIENCE, Team, image, team
from sensor_msgs.msg import Image
from suites import modality, plain
from untrained import random_weights
from visualization_msgs.msg import Marker, MarkerArray

from m2vae_ros.apps.chaos.glimpses import glimpses
from m2vae_ros.fusion.belief import Belief
from m2vae_ros.host.resources import resource
from m2vae_ros.ros import outputs, qos
from m2vae_ros.ros.markers import colour
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.world.suite import AMIRO

pytestmark = pytest.mark.ros

WEIGHTS = resource("models/amiro")
FAST = {"outputs.period": 0.05}
ROBOT = "amiro1"

needs_vision_msgs = pytest.mark.skipif(
    find_spec("vision_msgs") is None, reason="vision_msgs is not installed"
)


class Listener:
    """What the other process has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._read, args=[process.stdout], daemon=True)
        self._thread.start()

    def _read(self, lines: Iterator[str]) -> None:
        for line in lines:
            if line.startswith("{"):  # else it is Fast DDS's, which logs to the standard output
                self._lines.append(json.loads(line))

    def all(self, topic: str) -> list[dict[str, Any]]:
        return [line for line in list(self._lines) if line["topic"] == topic]

    def latest(self, topic: str) -> dict[str, Any]:
        return (self.all(topic) or [{}])[-1]

    @property
    def detections(self) -> dict[str, Any] | None:
        return self.latest("detections").get("detections")

    @property
    def shown(self) -> dict[tuple[str, int], dict[str, Any]]:
        """The markers that a viewer shows by now, by namespace and number."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        for array in self.all("markers"):
            for marker in array["markers"]:
                name = tuple(marker["name"])
                if marker["action"] == "add":
                    found[name] = marker
                elif marker["action"] == "delete":
                    found.pop(name, None)
                else:
                    found = {n: m for n, m in found.items() if n[0] != marker["name"][0]}
        return found


@contextmanager
def listener(t: Team, *topics: str) -> Iterator[Listener]:
    """Another process that listens to these topics of the robot."""
    command = [sys.executable, standard_listener.__file__, f"/{ROBOT}", *topics]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            heard = Listener(process)
            t.until(lambda: bool(heard.all("")))
            assert heard.latest("")["knows"] == []
            yield heard
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()


def believed(node: Any) -> tuple[Any, np.ndarray]:
    held = node._memory.get(OBJECT)
    return held, node._engine.classify(held.mean)


@pytest.fixture(scope="module")
def pillar() -> Image:
    """A picture of one that the weights know."""
    reading: Image = glimpses(seed=1)["red_cylinder_mat", "camera"].reading
    return reading


@needs_vision_msgs
def test_a_detection_of_what_is_none_of_the_classes_has_none() -> None:
    with team() as t:
        t.active_robot(ROBOT, WEIGHTS, ["camera"], **FAST)
        with listener(t, "detections") as one:
            t.sense(ROBOT, image(), "camera")  # a grey one
            t.until(lambda: bool(one.detections))
            assert one.detections[OBJECT]["results"] == []


def reset(t: Team, node: Any) -> None:
    """Let the robot forget the object, by its service."""
    client = t.tester.create_client(ResetObject, f"/{ROBOT}/fusion/reset_object")
    t.until(client.service_is_ready)
    answer = client.call_async(ResetObject.Request(object_id=OBJECT))
    t.until(answer.done)
    assert answer.result().success


TOPICS = {f"/{ROBOT}/{name}" for name in ("detections", "markers", "decoded/camera")}


def published(node: Any) -> set[str]:
    """Those of the standard topics that a robot's node offers."""
    names = node.get_publisher_names_and_types_by_node("fusion", f"/{ROBOT}")
    return {name for name, _ in names} & TOPICS


@needs_vision_msgs
def test_who_knows_standard_messages_only_sees_objects_come_and_go(pillar: Image) -> None:
    with team() as t:
        node = t.active_robot(ROBOT, WEIGHTS, ["camera", "lidar"], **FAST)
        with listener(t, "detections", "markers", "decoded/camera") as first:
            t.until(lambda: first.detections == {})  # nothing is held, which is said, too
            t.sense(ROBOT, pillar, "camera")
            t.until(lambda: bool(first.detections))
            held, probabilities = believed(node)

            array, found = first.latest("detections"), first.detections[OBJECT]
            assert array["frame"] == found["frame"] == "map"
            assert array["stamp"] == found["stamp"] == pytest.approx(held.newest / 1e9, abs=1e-6)
            assert found["position"] == [0.5, 0.0, 0.0]
            assert found["size"] == [0.2, 0.2, 0.2]
            told = dict(found["results"])
            assert sorted(told) == sorted(AMIRO.classes)
            assert sum(told.values()) == pytest.approx(1.0, abs=1e-5)
            assert [told[name] for name in AMIRO.classes] == pytest.approx(probabilities.tolist())
            scores = [score for _, score in found["results"]]
            assert scores == sorted(scores, reverse=True)
            assert found["poses"] == [[0.5, 0.0, 0.0]] * len(told)

            ball, label = (f"{ROBOT}/objects", 0), (f"{ROBOT}/labels", 0)
            t.until(lambda: ball in first.shown)
            shown = first.shown[ball]
            assert (shown["frame"], shown["locked"], shown["type"]) == ("map", True, Marker.SPHERE)
            assert shown["position"] == [0.5, 0.0, 0.0]
            certainty = Belief(held, probabilities).certainty
            expected = colour(int(probabilities.argmax()), 0.25 + 0.75 * certainty)
            rgba = [expected.r, expected.g, expected.b, expected.a]
            assert shown["colour"] == pytest.approx(rgba, abs=1e-6)
            text = first.shown[label]["text"].splitlines()
            assert text == ["red · ? · ?", "camera"]
            for name in ("camera", "lidar"):
                view = first.shown[f"{ROBOT}/view of {name}", 0]
                assert (view["frame"], view["locked"]) == (f"{ROBOT}/base_link", True)
                distances = [np.hypot(x, y) for x, y, _ in view["points"]]
                bearings = [np.arctan2(y, x) for x, y, _ in view["points"] if x]
                assert max(distances) == pytest.approx(2.0)
                assert min(distances) == pytest.approx(0.0)
                assert max(bearings) == pytest.approx(0.5)
                assert min(bearings) == pytest.approx(-0.5)
            assert not any("reflectance" in name for name, _ in first.shown)

            t.until(lambda: bool(first.all("decoded/camera")))
            picture = first.latest("decoded/camera")
            assert (picture["encoding"], picture["shape"]) == ("rgb8", [16, 64])
            assert picture["frame"] == OBJECT
            assert picture["stamp"] == found["stamp"]
            seen = node._engine.reconstruct("camera", held.mean)
            pixels = np.array(picture["data"]).reshape(16, 64, 3).transpose(2, 0, 1) / 255
            np.testing.assert_allclose(pixels, np.clip(seen, 0, 1), atol=0.51 / 255)

            with listener(t, "detections", "markers", "decoded/camera") as late:
                t.until(lambda: bool(late.detections and late.all("decoded/camera")))
                t.until(lambda: late.shown == first.shown)
                assert late.detections == first.detections

                reset(t, node)
                t.until(lambda: late.detections == {} == first.detections)
                t.until(lambda: ball not in late.shown and ball not in first.shown)
                assert label not in first.shown
                assert first.shown == late.shown != {}  # what it can see is still there

            t.sense(ROBOT, image(), "camera")
            t.until(lambda: ball in first.shown)
            assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
            t.until(lambda: first.shown == {} == first.detections)


def test_nothing_is_computed_or_published_again_without_reason() -> None:
    with team() as t:
        node = t.active_robot(ROBOT, WEIGHTS, ["camera"], **FAST)
        asked: list[str] = []
        engine = node._engine
        reconstruct, classify = engine.reconstruct, engine.classify
        engine.reconstruct = lambda *args: (asked.append("decoded"), reconstruct(*args))[1]
        t.sense(ROBOT, image(), "camera")
        t.until(lambda: len(t.classifications) == 1)
        engine.classify = lambda *args: (asked.append("class"), classify(*args))[1]
        t.settle()
        assert asked == []  # nobody listens
        pictures: list[Image] = []
        arrays: list[MarkerArray] = []
        t.listen(Image, f"/{ROBOT}/decoded/camera", pictures.append, qos.EVERY_ONE)
        t.listen(MarkerArray, f"/{ROBOT}/markers", arrays.append, qos.EVERY_ONE)
        t.until(lambda: bool(pictures and arrays))
        t.settle()
        before = len(pictures), len(arrays), len(asked)
        t.settle(0.5)  # ten periods
        assert (len(pictures), len(arrays), len(asked)) == before
        assert asked.count("class") == 1


def test_what_takes_long_is_published_rarely(monkeypatch) -> None:
    began: list[float] = []
    with team() as t:
        node = t.active_robot(ROBOT, WEIGHTS, ["camera"], **FAST)
        t.sense(ROBOT, image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        engine, held = node._engine, node._memory.get(OBJECT)
        reconstruct, sent = engine.reconstruct, itertools.count(1)

        def slow(modality: str, mean: np.ndarray) -> np.ndarray:
            began.append(time.monotonic())
            time.sleep(0.05)
            return reconstruct(modality, mean)

        def changed() -> list[Any]:  # each time it is asked
            return [replace(held, held={"camera": held.newest + next(sent)})]

        monkeypatch.setattr(engine, "reconstruct", slow)
        monkeypatch.setattr(node._memory, "objects", changed)
        t.listen(Image, f"/{ROBOT}/decoded/camera", lambda message: None, qos.EVERY_ONE)
        t.until(lambda: len(began) == 3)
        assert min(np.diff(began)) >= 0.5  # ten times as long as it takes


def test_what_is_switched_off_is_no_topic() -> None:
    off = {f"outputs.{name}": False for name in ("detections", "markers", "decoded")}
    with team() as t:
        node = t.active_robot(ROBOT, WEIGHTS, ["camera"], **off)
        t.until(lambda: published(node) == set())


def test_without_vision_msgs_there_are_markers_all_the_same(monkeypatch) -> None:
    monkeypatch.setattr(outputs, "Detection3DArray", None)
    with team() as t:
        node = t.active_robot(ROBOT, WEIGHTS, ["camera"])
        t.until(lambda: published(node) == TOPICS - {f"/{ROBOT}/detections"})
        assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
        assert node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
        t.until(lambda: published(node) == set())


def test_what_has_only_a_name_is_shown_nowhere(tmp_path: Path) -> None:
    about = {"kind": "topic", "topic": "target", "type": "std_msgs/msg/String"}
    suite = plain(about=about, modalities={"camera": modality("image")})
    folder = random_weights(SensorSuite.from_plain(suite)).save(tmp_path / "weights")
    with team() as t:
        node = t.suite_robot(ROBOT, folder, ["camera"])
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        t.until(lambda: published(node) == {f"/{ROBOT}/decoded/camera"})


def test_an_object_that_cannot_be_classified_is_shown_grey(pillar: Image) -> None:
    with team() as t:
        node = t.active_robot(ROBOT, WEIGHTS, ["camera"], **FAST)
        t.sense(ROBOT, pillar, "camera")
        t.until(lambda: len(t.embeddings) == 1)

        def fails(mean: np.ndarray) -> np.ndarray:
            raise ValueError("no class")

        node._engine.classify = fails
        arrays: list[MarkerArray] = []
        t.listen(MarkerArray, f"/{ROBOT}/markers", arrays.append, qos.EVERY_ONE)
        t.until(lambda: bool(arrays))
        ball, label, *_ = (m for m in arrays[-1].markers if m.action == Marker.ADD)
        assert ball.color.r == ball.color.g == ball.color.b
        assert ball.color.a == pytest.approx(0.25)
        assert label.text == f"{OBJECT}\ncamera"
        assert t.counted(ROBOT, "dropped classification: unexpected") == 1


def test_what_cannot_be_made_whole_leaves_no_topic_behind() -> None:
    """The second of the outputs has an override that cannot be; the first was made by then."""
    topic = f"/{ROBOT}/decoded/camera"
    with team() as t:
        node = t.robot(ROBOT, WEIGHTS, ["camera"], **{f"qos_overrides.{topic}.publisher.depth": -1})
        before = len(list(node.publishers))
        for _ in range(2):
            assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
        assert topic in node._drops.last_error
        assert len(list(node.publishers)) == before
