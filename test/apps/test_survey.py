# SPDX-License-Identifier: Apache-2.0
"""A survey: every object is looked at by every sensor, in Gazebo, and what is recorded trains."""

from __future__ import annotations

import fcntl
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from bag_making import tour as scene
from bag_making import write
from gazebo_master import needs_gazebo
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.apps import survey as module
from m2vae_ros.apps.survey import LOCK, SurveyError, survey, tour
from m2vae_ros.bags import writer as bag_writer
from m2vae_ros.bags.reader import find_bags
from m2vae_ros.bags.worlds import read_bags
from m2vae_ros.bringup.specs import TEAM, world_objects
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.host.resources import resource
from m2vae_ros.world.suite import AMIRO

OBJECTS = world_objects()
ROBOT_WIDTH = 0.1


@given(seed=st.integers(0, 2**32), views=st.integers(1, 4))
def test_every_sensor_looks_at_every_object_as_often_as_asked(seed, views):
    looks = Counter()
    for poses in tour(OBJECTS, views, np.random.default_rng(seed)):
        for robot, pose in poses.items():
            (sensor,) = TEAM[robot]
            looks[robot, AMIRO[sensor].range.looked_at(pose, OBJECTS).name] += 1
    assert looks == {(robot, item.name): views for robot in TEAM for item in OBJECTS}


@given(seed=st.integers(0, 2**32))
def test_no_two_robots_are_put_into_one_place(seed):
    for poses in tour(OBJECTS, 2, np.random.default_rng(seed)):
        for one, other in combinations(poses.values(), 2):
            assert math.dist(one[:2], other[:2]) > ROBOT_WIDTH


def test_what_a_killed_survey_left_is_in_nobodys_way(tmp_path, monkeypatch):
    (tmp_path / "world_000.recording").mkdir()
    (tmp_path / LOCK).touch()
    told = []

    def record(world, bag, *_):
        assert [path.name for path in tmp_path.iterdir()] == [LOCK]
        bag.mkdir()
        return {"/amiro1/odom": 3}

    monkeypatch.setattr(module, "_record", record)
    survey(tmp_path, 1, 1, 3, warn=told.append)
    assert list(tmp_path.iterdir()) == [tmp_path / "world_000"]
    assert told == [f"{tmp_path}/world_000: messages were lost: 3 of /amiro1/odom"]


def test_a_second_survey_in_the_same_folder_is_refused_and_harms_nothing(tmp_path, monkeypatch):
    def record(world, bag, *_):
        file = tmp_path / "world_000.recording" / "world_000_0.mcap"
        file.parent.mkdir()
        file.write_text("is being written")
        for worlds in (1, 2):
            with pytest.raises(SurveyError, match=f"{tmp_path}: another survey is writing into it"):
                survey(tmp_path, worlds, 1, 4)
        assert file.read_text() == "is being written"
        file.parent.rename(bag)
        return {}

    monkeypatch.setattr(module, "_record", record)
    survey(tmp_path, 1, 1, 3)
    assert list(tmp_path.iterdir()) == [tmp_path / "world_000"]


def test_whoever_waits_for_a_lock_that_is_removed_takes_a_new_one(tmp_path, monkeypatch):
    really = fcntl.flock

    def released(file, how):
        monkeypatch.setattr(fcntl, "flock", really)
        (tmp_path / LOCK).unlink()  # as another survey does that ends just now
        really(file, how)

    def record(world, bag, *_):
        with pytest.raises(SurveyError, match="another survey"):
            survey(tmp_path, 1, 1, 4)
        bag.mkdir()
        return {}

    monkeypatch.setattr(fcntl, "flock", released)
    monkeypatch.setattr(module, "_record", record)
    survey(tmp_path, 1, 1, 3)
    assert list(tmp_path.iterdir()) == [tmp_path / "world_000"]


def test_bags_can_be_read_while_others_are_surveyed(tmp_path, monkeypatch):
    write(tmp_path / "world_000", scene(readings=1))

    def record(world, bag, *_):
        problems = []
        (file,) = find_bags([tmp_path], lambda *problem: problems.append(problem))
        assert file.bag == tmp_path / "world_000"
        assert not problems
        bag.mkdir()
        return {}

    monkeypatch.setattr(module, "_record", record)
    survey(tmp_path, 2, 1, 3)
    assert (tmp_path / "world_001").exists()


class NoGazebo:
    """Stands for Gazebo, the bridge and the robots in it: at each step it does as it is told.

    Args:
        steps: "start", "record" or "end" -> what happens then.
    """

    master_uri = ""
    time = math.inf

    def __init__(self, **steps):
        self.steps = steps

    def __call__(self, *_):
        return self

    def __enter__(self):
        self.steps.pop("start", lambda: None)()
        return self

    def __exit__(self, *_):
        self.steps.pop("end", lambda: None)()

    def wait(self):
        self.steps.pop("record", lambda: None)()

    def place_all(self, poses):
        return 0.0

    def replace(self, monkeypatch):
        for name in ("GazeboServer", "Processes", "GazeboWorld", "gazebo_bridge"):
            monkeypatch.setattr(module, name, self)


@pytest.mark.ros
@pytest.mark.parametrize("error", [KeyboardInterrupt, SurveyError])
def test_of_a_survey_that_fails_nothing_stays(error, tmp_path, monkeypatch):
    def fail():
        assert (tmp_path / "world_000.recording").exists()
        raise error

    NoGazebo(record=fail).replace(monkeypatch)
    with pytest.raises(error):
        survey(tmp_path, 1, 1, 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.ros
def test_of_a_survey_whose_bridge_ends_badly_nothing_stays_either(tmp_path, monkeypatch):
    def fail():
        assert (tmp_path / "world_000" / "metadata.yaml").exists()
        raise KeyboardInterrupt

    NoGazebo().replace(monkeypatch)
    monkeypatch.setattr(module, "Processes", NoGazebo(end=fail))
    monkeypatch.setattr(module, "TEAM", {})  # of whom nothing is to be heard
    with pytest.raises(KeyboardInterrupt):
        survey(tmp_path, 1, 1, 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.ros
@pytest.mark.parametrize("step", ["start", "record"])
def test_a_bag_that_appears_meanwhile_is_left_alone(step, tmp_path, monkeypatch):
    theirs = tmp_path / "world_000" / "world_000_0.mcap"

    def appears():
        theirs.parent.mkdir()
        theirs.write_text("somebody else's")
        if step == "record":
            raise SurveyError

    NoGazebo(**{step: appears}).replace(monkeypatch)
    with pytest.raises((SurveyError, DataError), match="world_000: .*is not touched"):
        survey(tmp_path, 1, 1, 3)
    assert theirs.read_text() == "somebody else's"
    assert list(tmp_path.iterdir()) == [theirs.parent]


@pytest.mark.ros
def test_a_recording_that_somebody_else_began_is_left_alone(tmp_path, monkeypatch):
    theirs = tmp_path / "world_000.recording" / "world_000_0.mcap"

    def appears():
        theirs.parent.mkdir()
        theirs.write_text("somebody else's")

    NoGazebo(start=appears).replace(monkeypatch)
    with pytest.raises(DataError, match=r"world_000\.recording: exists already"):
        survey(tmp_path, 1, 1, 3)
    assert theirs.read_text() == "somebody else's"


@pytest.mark.ros
def test_a_full_disk_ends_a_survey_with_its_name(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    def record():
        world = resource("worlds/amiro.world")
        with module._recording(tmp_path / "bag", ["/clock"], world) as recorder:
            while recorder.error is None:
                time.sleep(0.01)

    monkeypatch.setattr(bag_writer.Writer, "start", full)
    with pytest.raises(SurveyError, match=r"bag: could not be recorded: .*No space left") as told:
        record()
    assert told.value.__cause__  # holds whatever was left open
    still_open = [str(Path(f"/proc/self/fd/{fd}").resolve()) for fd in os.listdir("/proc/self/fd")]
    assert not [name for name in still_open if str(tmp_path) in name]


@pytest.mark.ros
@pytest.mark.slow
@needs_gazebo()
def test_what_a_survey_records_can_be_trained_on_and_is_not_recorded_twice(tmp_path):
    looks = []
    survey(tmp_path, worlds=1, views=1, seed=3, progress=lambda: looks.append(1))
    assert len(looks) == len(OBJECTS)
    samples, report = read_bags([tmp_path], enough=1)
    assert set(samples.labels) == set(range(len(AMIRO.classes)))
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
