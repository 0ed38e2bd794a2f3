# SPDX-License-Identifier: Apache-2.0
"""The tutorial on sensors of one's own: its commands work as they stand there."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from m2vae_ros.msg import ObjectClassification
from running import asking, bring_up, until

from m2vae_ros.bags.reader import Decoder, find_bags, messages_of
from m2vae_ros.bringup.processes import Processes
from m2vae_ros.bringup.specs import fusion
from m2vae_ros.cli import main
from m2vae_ros.host.resources import resource
from m2vae_ros.ros import qos
from m2vae_ros.ros.messages import nanoseconds
from m2vae_ros.sensors import read_suite

pytestmark = [pytest.mark.ros, pytest.mark.slow]

TUTORIAL = resource("docs/own-sensors.md").read_text(encoding="utf-8")
BAGS = resource("test/data/motions")


def commands() -> list[list[str]]:
    """Those of the tutorial's first block."""
    block = re.search(r"```\n(.*?)```", TUTORIAL, re.DOTALL)
    assert block is not None
    return [shlex.split(line) for line in block[1].splitlines()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder from which the tutorial's bags are found."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "test").mkdir()
    (folder / "test/data").symlink_to(resource("test/data"))
    return folder


@pytest.fixture(scope="module")
def said(place: Path) -> Mapping[str, str]:
    """What each of its commands said, from a bag to weights."""
    told = {}
    with contextlib.chdir(place):
        for command in commands():
            if command[0] == "m2vae":
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    assert main(command[1:]) == 0, command
                told[command[1]] = out.getvalue()
    return told


def test_its_commands_lead_from_a_bag_to_weights_that_recognise_what_people_do(
    place: Path, said: Mapping[str, str]
) -> None:
    assert re.search("cannot tell the unknown.*--held-out.*validation", said["train"])
    assert "Fused in place" in said["evaluate"]
    assert (place / "watch.png").stat().st_size > 10_000
    assert read_suite(place / "watch.yaml").about.kind == "robot"


@pytest.mark.usefixtures("said")
def test_a_node_with_these_weights_says_live_what_a_bag_says_that_is_played(place: Path) -> None:
    *_, launch = commands()
    given = dict(word.split(":=") for word in launch if ":=" in word)
    node = fusion(given["robot"], None, weights=str(place / given["weights"]))
    truth = said_in(BAGS / "test")
    found: list[bool] = []

    def take(message: ObjectClassification) -> None:
        if len(message.modalities) == 2:
            best = max(range(len(message.classes)), key=message.probabilities.__getitem__)
            found.append(message.classes[best] == at(truth, nanoseconds(message.header.stamp)))

    with asking() as (asker, executor), Processes([node]) as processes:
        bring_up(processes, asker, executor)
        topic = f"/{given['robot']}/classification"
        asker.create_subscription(ObjectClassification, topic, take, qos.EVERY_ONE)
        until(lambda: asker.count_publishers(topic) == 1, executor)
        play = [sys.executable, "-m", "m2vae_ros.cli", "play", str(BAGS / "test"), "--rate", "20"]
        with subprocess.Popen(play, stdout=subprocess.DEVNULL) as player:
            until(lambda: player.poll() is not None, executor)
        assert player.returncode == 0
    assert processes.unclean == []
    assert len(found) >= 40  # one for each recording, at least
    assert sum(found) / len(found) > 0.85


def said_in(bag: Path) -> Mapping[int, str]:
    """When each label of a bag was recorded, nanoseconds, and what it says."""
    decode = Decoder()
    return {
        message.stamp: decode(message).data
        for file in find_bags([bag])
        for message in messages_of(file, lambda topic: topic.name == "/wearer/label")
    }


def at(labels: Mapping[int, str], stamp: int) -> str:
    return labels[max(when for when in labels if when <= stamp)]
