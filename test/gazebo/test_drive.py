# SPDX-License-Identifier: Apache-2.0
"""How robots in Gazebo are pushed when time goes back or a robot has no body; without a Gazebo."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from gazebo_master import needs_gazebo

from m2vae_ros.gazebo import drive as module
from m2vae_ros.gazebo.drive import Drive, body
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.messages import message
from m2vae_ros.world.commands import Command

pytestmark = needs_gazebo()

HERE = (0.0, 0.0, 0.0)


@pytest.fixture
def pushed(monkeypatch) -> list[tuple[float, float, float]]:
    """What was lacking at each push; no push has to wait for the next."""
    pushes = []
    monkeypatch.setattr(Drive, "_push", lambda drive, lacking, elapsed: pushes.append(lacking))
    monkeypatch.setattr(module, "MAX_RATE", float("inf"))
    return pushes


def test_after_a_reset_a_robot_waits_for_a_new_command(pushed) -> None:
    world = SimpleNamespace(time=100.0)
    drive = Drive(world, "amiro1")
    drive.command(0.3, 0.0)
    drive.update(100.01, HERE)
    drive.update(100.02, HERE)
    assert len(pushed) == 1
    for time in (0.01, 0.02, 100.0, 100.01):  # also when the old time comes round
        drive.update(time, HERE)
    assert len(pushed) == 1
    world.time = 100.01
    drive.command(0.3, 0.0)
    drive.update(100.02, HERE)
    assert len(pushed) == 2


def test_a_command_given_before_the_reset_was_known_does_not_hold(pushed) -> None:
    world = SimpleNamespace(time=100.0)
    drive = Drive(world, "amiro1")
    for time in (100.0, 0.01):
        drive.update(time, HERE)
    drive.command(0.3, 0.0)  # the world's time is still the old one
    for time in (0.02, 0.03, 100.0, 100.01):
        drive.update(time, HERE)
    assert pushed == []


def test_a_command_of_the_future_does_not_hold_now_nor_when_its_time_comes() -> None:
    command = Command("amiro1")
    command.give(0.3, 0.1, 10.0)
    assert command.at(10.0) == (0.3, 0.1)
    assert command.at(9.9) == (0.0, 0.0)
    assert command.at(10.0) == (0.0, 0.0)


def test_a_robot_that_has_no_body_is_named() -> None:
    with pytest.raises(GazeboError, match="rig has no link of its own"):
        body(message("Model")(name="rig", id=1))
