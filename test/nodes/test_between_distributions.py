# SPDX-License-Identifier: Apache-2.0
"""Robots of two distributions of ROS 2, in processes of their own, share what they know."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import yaml
from m2vae_ros.msg import ObjectClassification
from ros_team import PATIENCE, READINGS, Team, settings_of, team
from std_srvs.srv import Trigger
from telling_node import held_of
from untrained import untrained_weights

from m2vae_ros.bringup.activation import Activation
from m2vae_ros.bringup.specs import fusion
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.host.children import die_with_parent, stop
from m2vae_ros.ros import qos
from m2vae_ros.ros.service_call import ServiceCall

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]
HERE = os.environ.get("ROS_DISTRO", "")
OTHERS = {"jazzy": ("kilted", "install-kilted"), "kilted": ("jazzy", "install")}
"""Distribution of the wheels -> the other one, and the folder where set-up leaves its stamp."""

PLACES = {"ours": 0.5, "theirs": 5.5, "both": 9.5}
"""Objects, and where they stand, half a metre ahead of a robot."""

START_S = 60.0
"""Until a process is there, on a busy machine."""

AGAIN_S = 1.0
"""Between looks that may have been missed: between distributions, images go in UDP fragments."""


def missing() -> str:
    """Why there is no other distribution here; "" if there is."""
    if HERE not in OTHERS:
        return "this is an installed ROS 2, not one that set-up took from PyPI"
    other, installed = OTHERS[HERE]
    if not (ROOT / installed / "set-up").exists():
        return f"ROS 2 {other} is not set up; ROS_WHEELS={other} make setup does that"
    return ""


@contextmanager
def robot_of(
    other: str, weights: Path, modalities: list[str], objects: Mapping[str, list], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A robot under another distribution, named after it; pytest shows its log where it matters."""
    settings = folder / "settings.yaml"
    parameters = settings_of(weights, modalities, **objects)
    settings.write_text(yaml.safe_dump({f"/{other}/fusion": {"ros__parameters": parameters}}))
    command = [ROOT / "run", "python", ROOT / "test/helpers/telling_node.py", "--ros-args"]
    command += ["-r", f"__ns:=/{other}", "--params-file", settings]
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            env={**os.environ, "ROS_WHEELS": other},
            stdout=file,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,
        )

    try:
        yield process
    finally:
        stop([process])
        print(log.read_text())
    assert process.returncode == 0


def dds_of(pid: int) -> set[str]:
    """Which Fast DDS a process has loaded, by the names of 2 and 3."""
    mapped = Path(f"/proc/{pid}/maps").read_text()
    return {name for name in ("libfastrtps.so", "libfastdds.so") if name in mapped}


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_the_mixed_pair_agrees_byte_for_byte(tmp_path) -> None:
    other, _ = OTHERS[HERE]
    weights = untrained_weights(tmp_path / "weights")
    objects = {
        "objects.names": list(PLACES),
        "objects.x": list(PLACES.values()),
        "objects.y": [0.0] * len(PLACES),
    }
    with team() as t:
        memory = t.active_robot(HERE, weights, ["camera"], **objects)._memory
        look(t, HERE, "camera", "ours", lambda: memory.get("ours") is not None)

        # The other learns of that one as a late joiner.
        with robot_of(other, weights, ["lidar"], objects, tmp_path) as process:
            topic = f"/{other}/classification"
            t.listen(ObjectClassification, topic, t.classifications.append, qos.EVERY_ONE)
            activation = Activation(t.tester, fusion(other))

            def active() -> bool:
                assert process.poll() is None, "it ended"
                return activation.step()

            t.until(active, START_S)
            assert len(dds_of(os.getpid())) == len(dds_of(process.pid)) == 1
            assert dds_of(os.getpid()) != dds_of(process.pid)
            look(t, other, "lidar", "theirs", lambda: len(classified(t, "theirs")) == 2)

            # Neither waits for the other.
            sense(t, HERE, "camera", "both")
            look(t, other, "lidar", "both", lambda: holds_both(memory.get("both")))

            theirs = held_by_another(t, other)
            t.until(lambda: theirs() == memory.objects())
            for name in ("theirs", "both"):
                t.until(lambda name=name: len(set(classified(t, name).values())) == 1)
        assert [e.object_id for e in memory.objects()] == sorted(PLACES)
        assert memory.get("ours").sender == HERE
        assert memory.get("theirs").sender == other


def holds_both(embedding: Embedding | None) -> bool:
    return embedding is not None and set(embedding.held) == {"camera", "lidar"}


def sense(t: Team, robot: str, modality: str, name: str) -> None:
    """A reading of an object by a robot that stands half a metre before it."""
    t.place(robot, PLACES[name] - 0.5)
    t.send_odometry(robot)
    t.settle(0.1)
    t.sense(robot, READINGS[modality](), modality)


def look(t: Team, robot: str, modality: str, name: str, known: Callable[[], bool]) -> None:
    """Readings, all alike, until the first that has arrived is known."""
    deadline = time.monotonic() + PATIENCE
    while not known():
        assert time.monotonic() < deadline, f"{robot} looks at {name} in vain"
        sense(t, robot, modality, name)
        with suppress(AssertionError):  # not yet
            t.until(known, AGAIN_S)


def held_by_another(t: Team, robot: str) -> Callable[[], list[Embedding]]:
    """Asks the robot again and again; gives what it holds, or nothing while it is being asked."""
    call = ServiceCall(t.tester.create_client(Trigger, f"/{robot}/fusion/held"))

    def held() -> list[Embedding]:
        call.ask(Trigger.Request())
        answer = call.answer()
        return [] if answer is None else held_of(answer)

    return held


def classified(t: Team, name: str) -> dict[str, bytes]:
    """Robot -> the probabilities that it gave the object last."""
    return {
        message.sender: np.array(message.probabilities, np.float32).tobytes()
        for message in t.classifications
        if message.object_id == name
    }
