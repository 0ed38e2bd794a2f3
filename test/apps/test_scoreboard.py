# SPDX-License-Identifier: Apache-2.0
"""The score counts what was published against what is true."""

from __future__ import annotations

import numpy as np

from m2vae_ros.apps.scoreboard import Scoreboard, Verdict
from m2vae_ros.fusion.attributes import marginals
from m2vae_ros.world.objects import WorldObject
from m2vae_ros.world.suite import AMIRO

TEAM = {"one": ("camera",), "two": ("lidar",)}
RED = WorldObject("red_box_mat", "red box mat", 1.0, 0.0)
GREEN = WorldObject("green_box_mat", "green box mat", -1.0, 0.0)


def verdict(*held: str, name: str = RED.class_name) -> Verdict:
    return Verdict(frozenset(held), name, 0.9)


def test_a_classification_counts_for_the_object_at_its_place() -> None:
    board = Scoreboard([RED, GREEN], TEAM)
    record = board.classified("one", 1.1, 0.1, verdict("camera"))
    assert record.item == RED
    assert record.right(record.best)
    assert board.classified("one", 0.0, 0.0, verdict("camera")) is None


def test_shares_are_told_apart_by_the_number_of_sensings() -> None:
    board = Scoreboard([RED, GREEN], TEAM)
    board.classified("one", 1.0, 0.0, verdict("camera", name=GREEN.class_name))
    board.classified("one", -1.0, 0.0, verdict("camera", name=GREEN.class_name))
    board.classified("two", 1.0, 0.0, verdict("camera", "lidar"))
    assert board.right_after(1) == (1, 2)
    assert board.right_after(2) == (1, 1)
    assert board.right_after(3) == (0, 0)
    assert board.sensed_by_all == 1


def test_it_is_complete_when_all_is_known_to_every_robot_and_was_heard() -> None:
    board = Scoreboard([RED, GREEN], TEAM)
    for robot in TEAM:
        for item in (RED, GREEN):
            assert not board.complete
            board.classified(robot, item.x, item.y, verdict("camera", "lidar"))
    for item in (RED, GREEN):
        board.embedded(item.x, item.y, ["camera"])
        assert not board.complete  # what they know it from is still to come
        board.embedded(item.x, item.y, ["lidar"])
    board.embedded(0.0, 0.0, ["sonar"])  # where no object stands
    assert board.complete


def test_it_counts_how_long_each_robot_looked_at_each_object() -> None:
    board = Scoreboard([RED], TEAM)
    assert not board.stayed(10.0)
    for second in (100.0, 104.0, 110.0):
        board.classified("one", 1.0, 0.0, verdict("camera"), looked=second)
        board.classified("two", 1.0, 0.0, verdict("camera", "lidar"))  # told, not looked at
    assert not board.stayed(10.0)
    for second in (200.0, 210.0):
        board.classified("two", 1.0, 0.0, verdict("camera", "lidar"), looked=second)
    assert board.stayed(10.0)
    assert not board.stayed(11.0)
    assert board.looks == 5


def test_one_wrong_verdict_on_every_sensing_is_never_forgotten() -> None:
    board = Scoreboard([RED, GREEN], TEAM)
    board.classified("one", 1.0, 0.0, verdict("camera", name=GREEN.class_name))
    assert board.right_throughout == 0  # nobody has sensed all of it
    board.classified("one", 1.0, 0.0, verdict("camera", "lidar"))
    assert board.right_throughout == 1
    board.classified("one", -1.0, 0.0, verdict("camera", "lidar", name=GREEN.class_name))
    assert board.right_throughout == 2
    board.classified("one", 1.0, 0.0, verdict("camera", "lidar", name=GREEN.class_name))
    board.classified("one", 1.0, 0.0, verdict("camera", "lidar"))
    assert board.right_throughout == 1
    assert board.records[0].wrong == 1


def test_a_known_colour_counts_as_such_and_not_as_a_wrong_class() -> None:
    board = Scoreboard([RED, GREEN], TEAM)
    of_red = np.array([0.245 if name.startswith("red") else 0.005 for name in AMIRO.classes])
    told = Verdict(
        frozenset({"camera"}), AMIRO.classes[0], 0.245, marginals(of_red, AMIRO.attributes)
    )
    record = board.classified("one", 1.0, 0.0, told)
    assert record.known(told) == [True]
    assert not told.complete
    assert board.known_after(1) == (1, 1, 3)
    assert board.classified("one", -1.0, 0.0, told).known(told) == [False]
    assert board.known_after(1) == (2, 1, 6)
    assert board.known_after(2) == (0, 0, 0)
