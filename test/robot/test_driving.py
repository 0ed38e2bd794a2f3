# SPDX-License-Identifier: Apache-2.0
"""The driver reaches its goals, whatever the start, and gets around what is in its way."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.robot.driving import CLOSE, FACING, Driver, Goal

places = st.floats(-2.0, 2.0)
STEP = 0.05


def drive(goal: Goal, pose, blocked=lambda x, y: False, seconds: float = 120.0):
    """Where an ideal robot ends; it cannot enter where it is blocked."""
    driver = Driver(goal, speed=0.4, turn=2.5, time=0.0)
    x, y, yaw = pose
    time = 0.0
    while (command := driver.command(time, (x, y, yaw))) is not None:
        yaw += command.angular * STEP
        next_x = x + command.linear * math.cos(yaw) * STEP
        next_y = y + command.linear * math.sin(yaw) * STEP
        if not blocked(next_x, next_y):
            x, y = next_x, next_y
        time += STEP
        assert time < seconds, f"still at {x:.2f}, {y:.2f}"
    return (x, y, yaw), time


@given(places, places, st.floats(-math.pi, math.pi), places, places)
def test_it_stands_at_the_goal_and_faces_the_object(x, y, yaw, goal_x, goal_y) -> None:
    goal = Goal(goal_x, goal_y, goal_x + 0.8, goal_y)
    (end_x, end_y, end_yaw), _ = drive(goal, (x, y, yaw))
    assert math.dist((end_x, end_y), (goal_x, goal_y)) <= CLOSE
    bearing = math.atan2(goal_y - end_y, goal_x + 0.8 - end_x)
    assert abs(math.remainder(bearing - end_yaw, math.tau)) <= FACING


@given(st.floats(-0.04, 0.04))
def test_it_gets_around_another_robot_that_stands_in_its_way(offset: float) -> None:
    def blocked(x: float, y: float) -> bool:
        return math.hypot(x, y - offset) < 0.1

    goal = Goal(1.0, 0.0, 2.0, 0.0)
    (x, y, _), _ = drive(goal, (-1.0, 0.0, 0.0), blocked)
    assert math.dist((x, y), (1.0, 0.0)) <= CLOSE


def test_a_metre_takes_a_few_seconds() -> None:
    _, seconds = drive(Goal(1.0, 0.0, 2.0, 0.0), (0.0, 0.0, math.pi / 2))
    assert seconds < 6.0
