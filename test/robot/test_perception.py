# SPDX-License-Identifier: Apache-2.0
"""Which readings count, of which object, and what a robot then knows; no ROS."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from fusion_team import ENGINE, LinearGaussianEngine, code, embedding
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.fusion.validation import UnfitEmbedding
from m2vae_ros.robot.odometry import Standing
from m2vae_ros.robot.perception import Dropped, Learnt, Perception, Settings, Target, Unused
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.messages import Motion
from m2vae_ros.sensors.sensing_range import SensingRange

MS = 1_000_000
SECOND = 1000 * MS
PILLAR = Target("pillar", (1.0, 0.0, 0.0))
RANGES = dict.fromkeys(("camera", "lidar"), SensingRange(0.0, 2.0, 0.5))


def perception(engine=ENGINE, name: str = "amiro1", **how) -> Perception:
    return Perception(engine, name, Settings(**{"ranges": RANGES, "places": [PILLAR], **how}))


def stand(robot: Perception, stamp: int, x: float = 0.0, yaw: float = 0.0, **how) -> None:
    robot.move(Motion(x, 0.0, yaw, how.get("speed", 0.0), how.get("turn", 0.0), stamp), stamp)


def look(robot: Perception, stamp: int, modality: str = "camera", seed: int = 0, **how) -> list:
    """A reading between two odometries, and what comes of it."""
    stand(robot, stamp - 10 * MS, **how)
    robot.sense(modality, code(seed), stamp, stamp)
    stand(robot, stamp + 10 * MS, **how)
    return list(robot.update(stamp + 10 * MS))


def test_a_look_is_fused_classified_and_has_to_be_told() -> None:
    robot = perception()
    (event,) = look(robot, SECOND)
    assert (event.kind, event.looks) == ("fused", {"camera": SECOND})
    assert event.to_publish
    assert event.embedding == robot.memory.get("pillar")
    assert event.probabilities == pytest.approx(ENGINE.classify(event.embedding.mean))


def test_readings_of_one_object_are_encoded_together() -> None:
    robot = perception()
    robot.sense("lidar", code(1), SECOND, SECOND)
    stand(robot, SECOND - MS)
    (event,) = look(robot, SECOND + MS)
    assert event.looks == {"lidar": SECOND, "camera": SECOND + MS}
    together = ENGINE.encode({"camera": code(0), "lidar": code(1)})
    np.testing.assert_allclose(event.embedding.mean, together.mean, atol=1e-5)


def test_a_reading_waits_for_the_odometry_after_it() -> None:
    robot = perception()
    stand(robot, SECOND - MS)
    robot.sense("camera", code(0), SECOND, SECOND)
    for now in (SECOND, SECOND + 50 * MS):
        assert list(robot.update(now)) == []
    stand(robot, SECOND + 60 * MS)
    (event,) = robot.update(SECOND + 70 * MS)
    assert event.kind == "fused"


def test_readings_that_find_no_room_while_odometry_fails_are_counted() -> None:
    robot = perception()
    stand(robot, SECOND)
    counted = 0
    for ms in range(1000, 21_000, 10):
        robot.sense("camera", code(0), ms * MS, ms * MS)
        counted += sum(isinstance(event, Unused) for event in robot.update(ms * MS))
    assert counted > 200


def test_odometry_is_remembered_until_late_images_come() -> None:
    robot = perception(standing=Standing(tolerance=0.02))
    for ms in range(0, 1000, 10):
        stand(robot, SECOND + ms * MS)
    robot.sense("camera", code(0), SECOND + 305 * MS, 2 * SECOND)
    (event,) = robot.update(2 * SECOND)
    assert event.kind == "fused"


def test_it_does_not_wait_for_ever() -> None:
    robot = perception()
    stand(robot, SECOND - MS)
    robot.sense("camera", code(0), SECOND, SECOND)
    assert list(robot.update(10 * SECOND)) == [Unused("camera", "no odometry of that time")]
    assert list(robot.update(10 * SECOND)) == []


@given(
    sensor_ms=st.integers(1, 100),
    odometry_ms=st.integers(5, 150),
    delay_ms=st.integers(0, 900),
    period_ms=st.integers(10, 300),
)
def test_no_rate_of_sensor_odometry_or_node_starves_a_standing_robot(
    sensor_ms: int, odometry_ms: int, delay_ms: int, period_ms: int
) -> None:
    robot = perception(min_gain=0.0)
    seen = 0
    for ms in range(1, 3000):
        if ms % sensor_ms == 0:
            robot.sense("camera", code(ms), ms * MS, ms * MS)
        if ms > delay_ms and (ms - delay_ms) % odometry_ms == 0:
            stand(robot, (ms - delay_ms) * MS)
        if ms % period_ms == 0:
            seen += sum(isinstance(event, Learnt) for event in robot.update(ms * MS))
    assert seen > 0


@pytest.mark.parametrize("motion", [{"speed": 0.2}, {"turn": 0.2}])
def test_a_moving_robot_does_not_sense(motion) -> None:
    assert look(perception(), SECOND, **motion) == [Unused("camera", "moving")]


def test_what_was_read_before_the_robot_set_off_counts() -> None:
    robot = perception()
    stand(robot, SECOND - 10 * MS)
    robot.sense("camera", code(0), SECOND, SECOND)
    stand(robot, SECOND + 10 * MS)
    robot.sense("camera", code(1), SECOND + 90 * MS, SECOND + 90 * MS)
    stand(robot, SECOND + 95 * MS, x=0.1, speed=1.0)
    events = list(robot.update(SECOND + 100 * MS))
    assert events[0] == Unused("camera", "moving")
    assert events[1].looks == {"camera": SECOND}


def test_what_is_out_of_view_is_not_looked_at() -> None:
    assert look(perception(), SECOND, yaw=2.0) == [Unused("camera", "nothing to look at")]


def test_an_object_is_not_sensed_again_within_the_refresh_period_whatever_its_names() -> None:
    robot = perception(refresh_periods={"camera": 2.0})
    look(robot, SECOND)
    told = embedding(object_id="a_pillar", position=PILLAR.position, held={"lidar": SECOND})
    assert robot.receive(told, 2 * SECOND).embedding.names == {"pillar", "a_pillar"}
    look(robot, 4 * SECOND)
    assert look(robot, 5 * SECOND) == [Unused("camera", "sensed a moment ago")]
    (event,) = look(robot, 7 * SECOND, seed=2)
    assert event.kind == "fused"


def test_a_robot_without_a_map_senses_what_a_reading_shows_ahead() -> None:
    robot = perception(places=(), finders=["lidar"])
    stand(robot, SECOND - MS, x=3.0)
    robot.sense("lidar", code(1), SECOND, SECOND, ahead=(1.0, 0.5, 0.0))
    (event,) = look(robot, SECOND + MS, x=3.0)
    assert event.looks == {"lidar": SECOND, "camera": SECOND + MS}
    assert event.embedding.position == pytest.approx((4.0, 0.5, 0.0))


def test_what_a_scan_no_longer_shows_is_not_sensed() -> None:
    robot = perception(places=(), finders=["lidar"])
    stand(robot, SECOND - MS)
    robot.sense("lidar", code(1), SECOND, SECOND, ahead=(1.0, 0.0, 0.0))
    look(robot, SECOND + MS)
    (met,) = robot.memory.objects()
    robot.reset(met.object_id, 2 * SECOND)
    robot.sense("lidar", code(1), 3 * SECOND, 3 * SECOND)
    stand(robot, 3 * SECOND - MS)
    events = look(robot, 3 * SECOND + MS)
    assert [event.reason for event in events] == ["nothing to look at"] * 2
    assert robot.memory.objects() == []


def test_a_robot_without_map_and_lidar_senses_what_others_told_of() -> None:
    robot = perception(places=())
    assert look(robot, SECOND) == [Unused("camera", "nothing to look at")]
    robot.receive(embedding(position=(1.0, 0.0, 0.0), held={"lidar": SECOND}), SECOND)
    (event,) = look(robot, 2 * SECOND)
    assert set(event.embedding.held) == {"camera", "lidar"}


def test_a_surprising_reading_is_dropped_and_those_beside_it_are_used() -> None:
    robot = perception(max_surprise=2.0)
    robot.sense("lidar", np.array([100.0, 0.0], np.float32), SECOND, SECOND)
    stand(robot, SECOND - MS)
    dropped, learnt = look(robot, SECOND + MS)
    assert dropped.modalities == ("lidar",)
    assert "surprise: " in str(dropped.error)
    assert learnt.looks == {"camera": SECOND + MS}


class KnowingEngine(LinearGaussianEngine):
    """What lies more than 10 from the origin is none of what it knows."""

    tells_unknown = True


def at(distance: float) -> np.ndarray:
    return np.array([distance, 0.0], np.float32)


def sensed(robot: Perception, stamp: int, **readings: np.ndarray) -> list:
    for modality, reading in readings.items():
        robot.sense(modality, reading, stamp, stamp)
    stand(robot, stamp - MS)
    stand(robot, stamp + MS)
    return list(robot.update(stamp + MS))


@pytest.mark.parametrize("distance", [11.0, 100.0])
def test_a_strange_thing_is_told_as_such_by_the_sensor_that_can_tell(distance: float) -> None:
    robot = perception(KnowingEngine())
    (event,) = sensed(robot, SECOND, camera=at(distance), lidar=at(9.0))
    assert event.embedding.strange == {"camera"}
    assert event.to_publish[0].strange == {"camera"}


def test_a_very_strange_reading_does_not_replace_what_is_known_but_what_is_strange() -> None:
    robot = perception(KnowingEngine(), max_surprise=2.0)
    sensed(robot, SECOND, camera=at(1.0))
    (dropped,) = sensed(robot, 2 * SECOND, camera=at(100.0))
    assert "(10, at most 2)" in str(dropped.error)
    (fused,) = sensed(robot, 3 * SECOND, camera=at(15.0))
    assert fused.embedding.strange == {"camera"}
    (fused,) = sensed(robot, 4 * SECOND, camera=at(100.0))
    assert fused.embedding.held == {"camera": 4 * SECOND}
    (known,) = sensed(robot, 5 * SECOND, camera=at(1.0))
    assert not known.embedding.strange


def test_a_reading_of_no_surprise_that_is_a_number_is_dropped() -> None:
    (event,) = sensed(perception(KnowingEngine()), SECOND, camera=at(np.nan))
    assert isinstance(event, Dropped)


def test_a_model_that_fails_costs_its_reading_and_nothing_else() -> None:
    class Failing(LinearGaussianEngine):
        def encode(self, codes):
            raise RuntimeError("out of order")

    robot = perception(Failing())
    (event,) = look(robot, SECOND)
    assert isinstance(event, Dropped)
    assert "out of order" in str(event.error)
    assert robot.memory.objects() == []


def test_what_cannot_be_classified_is_published_all_the_same() -> None:
    class Failing(LinearGaussianEngine):
        def classify(self, mean):
            raise RuntimeError("out of order")

    (event,) = look(perception(Failing()), SECOND)
    assert event.to_publish
    assert event.probabilities is None
    assert "out of order" in str(event.error)


@pytest.mark.parametrize("stamp", [-1, 2 * SECOND])
def test_a_stamp_that_is_no_time_of_now_is_refused(stamp: int) -> None:
    with pytest.raises(ObservationError, match="header.stamp"):
        perception().sense("camera", code(0), stamp, SECOND)


def test_when_time_begins_anew_a_robot_senses_on() -> None:
    robot = perception()
    look(robot, 1000 * SECOND)
    for ms in (30, 20):
        stand(robot, SECOND - ms * MS)
    (event,) = look(robot, SECOND, "lidar")
    assert event.kind == "fused"


def test_a_stray_stamp_of_odometry_changes_nothing() -> None:
    robot = perception()
    stand(robot, 10 * SECOND)
    robot.sense("camera", code(0), 10 * SECOND + MS, 10 * SECOND + MS)
    for _ in range(10):  # of a second driver that does not stamp what it sends
        stand(robot, 0)
        stand(robot, 10 * SECOND)
    with pytest.raises(ObservationError, match="header.stamp: 89 s ahead"):
        robot.move(Motion(0.0, 0.0, 0.0, 0.0, 0.0, 99 * SECOND), 10 * SECOND)
    stand(robot, 10 * SECOND + 2 * MS)
    (event,) = robot.update(10 * SECOND + 3 * MS)
    assert event.kind == "fused"


def test_what_this_robot_published_is_known_when_it_comes_back() -> None:
    robot = perception()
    (event,) = look(robot, SECOND)
    assert robot.receive(event.embedding, SECOND).kind == "known"


def test_a_reset_object_can_be_sensed_at_once() -> None:
    robot = perception(refresh_periods={"camera": 1e6})
    look(robot, SECOND)
    assert robot.reset("pillar", 2 * SECOND).object_id == "pillar"
    assert robot.memory.objects() == []
    assert robot.reset("pillar", 2 * SECOND) is None
    (event,) = look(robot, 3 * SECOND)
    assert event.kind == "fused"


def test_beginning_anew_forgets_where_the_robot_was_and_not_what_it_knows() -> None:
    robot = perception(standing=Standing(tolerance=100.0))
    look(robot, SECOND)
    robot.begin()
    assert robot.memory.get("pillar") is not None
    robot.sense("camera", code(0), 2 * SECOND, 2 * SECOND)
    stand(robot, 3 * SECOND)
    assert list(robot.update(3 * SECOND)) == [Unused("camera", "no odometry of that time")]


def test_many_robots_agree_without_ros() -> None:
    objects = [Target(f"object{i}", (3.0 * i, 0.0, 0.0)) for i in range(4)]
    names = [f"robot{i}" for i in range(6)]
    sensors = ["camera", "lidar", "reflectance"] * 2
    team = [
        perception(
            LinearGaussianEngine(rounding=1e-4 * i),
            name,
            ranges={sensor: SensingRange(0.0, 2.0, 0.5)},
            places=objects,
        )
        for i, (name, sensor) in enumerate(zip(names, sensors, strict=True))
    ]
    for turn in range(8):
        told = []
        for i, robot in enumerate(team):
            x = objects[(turn + i) % len(objects)].position[0] - 1.0
            stamp = (turn * len(team) + i + 1) * SECOND
            told += [
                said for e in look(robot, stamp, sensors[i], seed=i, x=x) for said in e.to_publish
            ]
        while told:
            message = told.pop()
            events = [robot.receive(message, 100 * SECOND) for robot in team]
            told += [said for event in events for said in event.to_publish]
    first, *others = (robot.memory.objects() for robot in team)
    assert [set(e.held) for e in first] == [{"camera", "lidar", "reflectance"}] * 4
    assert all(other == first for other in others)


class Unread:
    """A reading that notes that it was read."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.read = 0

    def __call__(self) -> np.ndarray:
        self.read += 1
        return code(self.seed)


def test_only_a_reading_that_counts_is_read_and_once() -> None:
    robot = perception(refresh_periods={"camera": 2.0})
    driving, first, again = Unread(), Unread(), Unread()
    for ms, reading, speed in ((1000, driving, 0.3), (2000, first, 0.0), (2500, again, 0.0)):
        for between in (-150, -50):
            stand(robot, (ms + between) * MS, speed=speed)
        robot.sense("camera", reading, ms * MS, ms * MS)
        stand(robot, (ms + 50) * MS, speed=speed)
        list(robot.update((ms + 60) * MS))
    assert (driving.read, first.read, again.read) == (0, 1, 0)


def test_a_scan_is_not_searched_for_what_a_map_says() -> None:
    def search() -> None:
        raise AssertionError("searched")

    robot = perception(finders=["lidar"])
    stand(robot, SECOND - 10 * MS)
    robot.sense("lidar", code(1), SECOND, SECOND, search)
    stand(robot, SECOND + 10 * MS)
    (event,) = robot.update(SECOND + 10 * MS)
    assert event.kind == "fused"


@pytest.mark.parametrize("part", ["observation", "ahead"])
def test_what_cannot_be_read_is_an_event_and_the_others_count(part: str) -> None:
    def broken() -> np.ndarray:
        raise ObservationError("data: too short")

    robot = perception(finders=["lidar"], places=[])
    robot.memory.observe("it", (1.0, 0.0, 0.0), {"camera": code(3)}, {"camera": 1})
    parts = {"observation": code(1), "ahead": None, part: broken}
    stand(robot, SECOND - 10 * MS)
    robot.sense("lidar", parts["observation"], SECOND, SECOND, parts["ahead"])
    robot.sense("camera", code(0), SECOND, SECOND)
    stand(robot, SECOND + 10 * MS)
    dropped, learnt = robot.update(SECOND + 10 * MS)
    assert isinstance(dropped, Dropped)
    assert dropped.modalities == ("lidar",)
    assert str(dropped.error) == "data: too short"
    assert set(learnt.looks) == {"camera"}


def test_of_readings_that_wait_only_a_few_are_kept_as_they_came() -> None:
    robot = perception()
    stand(robot, SECOND)
    waiting = [Unread(seed) for seed in range(20)]
    for i, reading in enumerate(waiting):
        robot.sense("camera", reading, SECOND + i * 100 * MS, SECOND + i * 100 * MS)
    assert [reading.read for reading in waiting] == [1] * 16 + [0] * 4


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["stand", "drive", "camera", "lidar", "told", "reset"]),
            st.integers(1, 700),
        ),
        max_size=60,
    ),
    on_the_map=st.booleans(),
)
def test_a_reading_that_is_not_wanted_would_not_have_counted(steps, on_the_map: bool) -> None:
    """Leaving it unread loses nothing: of a robot that just stops it is read when that is known."""
    how = {"refresh_periods": {"camera": 1.0, "lidar": 0.5}, "finders": ["lidar"], "min_gain": 0.0}
    robot = perception(**how) if on_the_map else perception(**how, places=[])
    stamp, x, drove = SECOND, 0.0, [False]
    for step, ms in steps:
        stamp += ms * MS
        if step == "told":
            told = replace(embedding(held={"camera": stamp}), position=(x + 1.0, 0.0, 0.0))
            with suppress(UnfitEmbedding):
                robot.receive(told, stamp)
        elif step == "reset":
            for held in robot.memory.objects():
                robot.reset(held.object_id, stamp)
        elif step in RANGES:
            list(robot.update(stamp))  # as now and then
            wanted = robot.wants(step)
            robot.sense(step, code(ms), stamp, stamp, (1.0, 0.0, 0.0))
            stand(robot, stamp + MS, x)
            drove.append(False)
            events = list(robot.update(stamp + 2 * MS))
            looked = any(isinstance(event, Learnt) and step in event.looks for event in events)
            assert wanted or not looked or any(drove[-3:-1])
        else:
            drove.append(step == "drive")
            x += 0.1 * drove[-1]
            stand(robot, stamp, x, speed=0.3 * drove[-1])
            list(robot.update(stamp))
    for later in (1900, 2000):
        stand(robot, stamp + later * MS, x)
    list(robot.update(stamp + 2000 * MS))
    assert all(map(robot.wants, RANGES))


def scan_look(robot: Perception, stamp: int, clear: bool, ahead=None) -> list:
    """A reading of a sensor that shows where something stands, and where nothing does."""
    stand(robot, stamp - 10 * MS)
    robot.sense("lidar", code(1), stamp, stamp, ahead=ahead, clear=lambda place: clear)
    stand(robot, stamp + 10 * MS)
    return list(robot.update(stamp + 10 * MS))


@pytest.mark.parametrize("places", [[], [PILLAR]])
def test_what_three_scans_show_no_more_is_retired_and_that_is_told(places) -> None:
    robot = perception(places=places, finders=["lidar"])
    scan_look(robot, SECOND, clear=False, ahead=(1.0, 0.0, 0.0))
    events = [e for n in (2, 3, 4, 5) for e in scan_look(robot, n * SECOND, clear=True)]
    (told,) = [event for event in events if isinstance(event, Learnt)]
    assert (told.kind, told.looks) == ("retired", {"lidar": 4 * SECOND})
    assert robot.memory.objects() == []
    other = perception(name="amiro2")
    scan_look(other, SECOND, clear=False)
    other.receive(*told.to_publish, now=5 * SECOND)
    assert not other.memory.retired()  # its word against the other's
    assert other.memory.is_gone(None, PILLAR.position)


def test_one_scan_that_misses_an_object_retires_nothing() -> None:
    robot = perception(places=(), finders=["lidar"])
    scan_look(robot, SECOND, clear=False, ahead=(1.0, 0.0, 0.0))
    for second in range(2, 20):
        scan_look(robot, second * SECOND, clear=second % 3 > 0)
    assert len(robot.memory.objects()) == 1


def test_a_sensor_retires_nothing_that_it_never_sensed() -> None:
    robot = perception(places=[PILLAR], finders=["lidar"])
    look(robot, SECOND)
    for second in range(2, 9):
        events = scan_look(robot, second * SECOND, clear=True)
        assert events == [Unused("lidar", "nothing stands there any more")]
    assert len(robot.memory.objects()) == 1


class TellsUnknown(LinearGaussianEngine):
    tells_unknown = True


def test_a_strange_look_bears_out_that_an_object_is_gone() -> None:
    lidar = perception(places=(), finders=["lidar"])
    camera = perception(TellsUnknown(), name="amiro2", max_surprise=2.0)
    scan_look(lidar, SECOND, clear=False, ahead=(1.0, 0.0, 0.0))
    for event in look(camera, SECOND):
        lidar.receive(*event.to_publish, now=SECOND)
    for n in (2, 3, 4):
        said = [e.to_publish for e in scan_look(lidar, n * SECOND, True) if isinstance(e, Learnt)]
    for one in lidar.memory.statements():
        camera.receive(one, now=5 * SECOND)
    assert said
    assert len(camera.memory.objects()) == len(lidar.memory.objects()) == 1

    def strange_look(stamp: int) -> list:
        stand(camera, stamp - 10 * MS)
        camera.sense("camera", np.array([40.0, 0.0], np.float32), stamp, stamp)
        stand(camera, stamp + 10 * MS)
        return list(camera.update(stamp + 10 * MS))

    events = [event for n in (6, 7, 8, 9) for event in strange_look(n * SECOND)]
    (told,) = [event for event in events if isinstance(event, Learnt)]
    assert told.kind == "retired"
    lidar.receive(*told.to_publish, now=9 * SECOND)
    assert lidar.memory.objects() == camera.memory.objects() == []


@pytest.mark.parametrize(("deviation", "objects"), [(0.0, 1), (0.01, 2)])
def test_two_near_objects_are_two_where_odometry_says_how_sure_it_is(deviation, objects) -> None:
    robot = perception(places=(), finders=["lidar"])
    for second, y in ((1, 0.0), (2, 0.25)):
        stamp = second * SECOND
        for at in (stamp - 10 * MS, stamp + 10 * MS):
            robot.move(Motion(0.0, y, 0.0, 0.0, 0.0, at, deviation=deviation), at)
            if at < stamp:
                robot.sense("lidar", code(1), stamp, stamp, ahead=(1.0, 0.0, 0.0))
        list(robot.update(stamp + 10 * MS))
    assert len(robot.memory.objects()) == objects
    for one in robot.memory.objects():
        assert one.deviation == pytest.approx(np.hypot(0.03, deviation) if deviation else 0.0)
