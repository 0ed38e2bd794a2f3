# SPDX-License-Identifier: Apache-2.0
"""What must hold under each scenario holds, on real nodes."""

from __future__ import annotations

import pytest

from m2vae_ros.apps.chaos.scenario import Options
from m2vae_ros.apps.chaos.scenarios import SCENARIOS, robots_with_one_sensor


def test_no_robot_of_a_team_can_know_an_object_alone() -> None:
    robots = robots_with_one_sensor(8)
    assert len(robots) == 8
    assert {len(sensors) for sensors in robots.values()} == {1}
    assert {*sum(robots.values(), ())} == {"camera", "lidar", "reflectance"}


def play(name: str, **options: int | float) -> None:
    found = SCENARIOS[name].play(Options(**options), lambda words: None)
    assert found.broken == []


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize("name", ["tie", "siege"])
def test_the_truth_stands_after_an_attack(name: str) -> None:
    play(name)


@pytest.mark.ros
@pytest.mark.slow
def test_messages_that_are_none_change_nothing_and_end_no_node() -> None:
    play("bytes", times=2_000)


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize("name", ["clock", "namesakes"])
def test_a_clock_that_jumps_back_and_two_of_one_name_leave_a_team_that_agrees(name: str) -> None:
    play(name)
