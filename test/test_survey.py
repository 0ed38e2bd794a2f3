# SPDX-License-Identifier: Apache-2.0
"""A survey: every object is looked at by every sensor, in Gazebo, and what is recorded trains."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from gazebo_master import needs_gazebo
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros import survey as module
from m2vae_ros.bringup import TEAM, world_objects
from m2vae_ros.data import bag_writer
from m2vae_ros.data.amiro import CLASSES
from m2vae_ros.resources import resource
from m2vae_ros.sensors.gaze import GAZES
from m2vae_ros.sim.bags import read_bags
from m2vae_ros.survey import SurveyError, survey, tour

OBJECTS = world_objects()
ROBOT_WIDTH = 0.1


@given(seed=st.integers(0, 2**32), views=st.integers(1, 4))
def test_every_sensor_looks_at_every_object_as_often_as_asked(seed, views):
    looks = Counter()
    for poses in tour(OBJECTS, views, np.random.default_rng(seed)):
        for robot, pose in poses.items():
            (sensor,) = TEAM[robot]
            looks[robot, GAZES[sensor].looked_at(pose, OBJECTS).name] += 1
    assert looks == {(robot, item.name): views for robot in TEAM for item in OBJECTS}


@given(seed=st.integers(0, 2**32))
def test_no_two_robots_are_put_into_one_place(seed):
    for poses in tour(OBJECTS, 2, np.random.default_rng(seed)):
        for one, other in combinations(poses.values(), 2):
            assert math.dist(one[:2], other[:2]) > ROBOT_WIDTH


def test_what_a_killed_survey_left_is_in_nobodys_way(tmp_path, monkeypatch):
    unfinished = tmp_path / "world_000.recording"
    unfinished.mkdir()
    told = []

    def record(world, bag, *_):
        assert not unfinished.exists()
        unfinished.mkdir()
        if not told:
            raise SurveyError("disk full")
        unfinished.rename(bag)
        return {"/amiro1/odom": 3}

    monkeypatch.setattr(module, "_record", record)
    with pytest.raises(SurveyError, match="disk full"):
        survey(tmp_path, 1, 1, 3, warn=told.append)
    assert list(tmp_path.iterdir()) == []
    told.append("once more")
    survey(tmp_path, 1, 1, 3, warn=told.append)
    assert list(tmp_path.iterdir()) == [tmp_path / "world_000"]
    assert told[1:] == [f"{tmp_path}/world_000: messages were lost: 3 of /amiro1/odom"]


@pytest.mark.ros
def test_a_full_disk_ends_a_survey_with_its_name(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    def record():
        world = resource("worlds/amiro.world")
        with module._recording(tmp_path / "bag", ["/clock"], world) as recorder:
            while recorder.error is None:
                time.sleep(0.01)

    monkeypatch.setattr(bag_writer.Writer, "open", full)
    with pytest.raises(SurveyError, match=r"bag: could not be recorded: .*No space left"):
        record()


@pytest.mark.ros
@pytest.mark.slow
@needs_gazebo()
def test_what_a_survey_records_can_be_trained_on_and_is_not_recorded_twice(tmp_path):
    looks = []
    survey(tmp_path, worlds=1, views=1, seed=3, progress=lambda: looks.append(1))
    assert len(looks) == len(OBJECTS)
    samples, report = read_bags([tmp_path], enough=1)
    assert set(samples.labels) == set(range(len(CLASSES)))
    for readings in report.readings.values():
        assert min(readings.values()) >= 1

    recorded = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    survey(tmp_path, worlds=1, views=1, seed=3)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == recorded


@pytest.mark.ros
@pytest.mark.slow
@needs_gazebo()
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_survey_leaves_no_half_a_bag(tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, "-m", "m2vae_ros.cli", "survey", str(tmp_path / "bags"), "--worlds", "1"],
        stderr=subprocess.DEVNULL,
    )
    try:
        recording = tmp_path / "bags" / "world_000.recording"
        deadline = time.monotonic() + 120
        while not any(file.stat().st_size > 1_000_000 for file in _files(recording)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
    assert _files(tmp_path / "bags") == []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
