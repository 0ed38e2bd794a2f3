# SPDX-License-Identifier: Apache-2.0
"""What a node says while all goes well: little, and often enough."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
from fusion_team import embedding

from m2vae_ros.ros.activity_log import MOST_LINES, QUIET, SUMMARY_PERIOD, ActivityLog

ATTRIBUTES = {"class": ("box", "cylinder")}
BOX, CYLINDER = (0.984, 0.016), (0.3, 0.7)


class Log:
    """An activity log whose time is set, and what it said."""

    def __init__(self) -> None:
        self.now = 0.0
        self.counts: Counter[str] = Counter()
        self._said: list[str] = []
        logger = SimpleNamespace(info=self._said.append)
        self.log = ActivityLog(logger, self.counts, lambda: self.now)

    def says(self, *held: str) -> list[str]:
        self.log.look(held)
        said = list(self._said)
        self._said.clear()
        return said


def test_an_object_is_told_when_it_becomes_known_and_when_its_class_changes() -> None:
    log = Log()
    pillar = embedding(object_id="pillar", held={"camera": 1, "lidar": 2})
    log.log.learnt(pillar, ATTRIBUTES, BOX)
    assert log.says("pillar") == ["pillar: box, 98 %, by camera, lidar"]
    log.log.learnt(pillar, ATTRIBUTES, None)  # it was known before
    log.log.learnt(pillar, ATTRIBUTES, (0.8, 0.2))
    assert log.says("pillar") == []
    log.now = QUIET
    log.log.learnt(pillar, ATTRIBUTES, CYLINDER)
    assert log.says("pillar") == ["pillar: cylinder, 70 %, by camera, lidar"]


def test_a_class_that_goes_to_and_fro_is_told_now_and_then_and_the_last_one_always() -> None:
    log, said = Log(), []
    steps = 50
    for step in range(steps):
        log.now = step * 3 * QUIET / steps
        log.log.learnt(embedding(), ATTRIBUTES, (BOX, CYLINDER)[step % 2])
        said += log.says("pillar")
    assert 2 <= len(said) <= 4
    log.now += QUIET  # without another look
    said += log.says("pillar")
    assert "cylinder" in said[-1]


def test_what_is_forgotten_and_sensed_again_is_told_again_and_what_has_no_class_too() -> None:
    log = Log()
    for _ in range(2):
        log.log.learnt(embedding(), {}, None)
        assert log.says("pillar") == ["pillar, by camera"]
        assert log.says() == []


def test_a_late_joiner_does_not_tell_of_hundreds() -> None:
    log = Log()
    names = [f"o{i}" for i in range(300)]
    for name in names:
        log.log.learnt(embedding(object_id=name), ATTRIBUTES, BOX)
    *lines, last = log.says(*names)
    assert len(lines) == MOST_LINES
    assert last == "and 290 more objects are known or changed"
    assert log.says(*names) == []


def test_each_minute_it_is_told_what_was_done() -> None:
    log = Log()
    log.counts.update({"received odom": 40, "fused camera": 2})
    log.log.begin()
    log.counts.update({"received odom": 20, "dropped odom: header.stamp": 1})
    assert log.says("a", "b") == []
    log.now = SUMMARY_PERIOD
    done = "in 60 s: dropped odom: header.stamp 1, received odom 20; objects held 2"
    assert log.says("a", "b") == [done]
    assert log.says("a", "b") == []
    log.now += SUMMARY_PERIOD
    assert log.says() == ["in 60 s: nothing; objects held 0"]


def test_of_an_object_of_which_a_colour_is_known_that_colour_is_told() -> None:
    log = Log()
    two = {"colour": ("red", "green"), "shape": ("box", "cylinder")}
    log.log.learnt(embedding(held={"camera": 1}), two, np.array([0.5, 0.48, 0.01, 0.01]))
    assert log.says("pillar") == ["pillar: red · ?, by camera"]
    log.now = QUIET
    log.log.learnt(embedding(held={"camera": 1}), two, np.array([0.01, 0.97, 0.01, 0.01]))
    assert log.says("pillar") == ["pillar: red cylinder, 97 %, by camera"]
