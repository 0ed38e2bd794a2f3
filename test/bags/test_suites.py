# SPDX-License-Identifier: Apache-2.0
"""Bags of suites whose readings are of the robot itself, or of what a topic names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_making import RECORDED, STORE, Made, at, header, new, odometry, reasons, text, write
from suites import modality, plain

from m2vae_ros.bags.report import BagReport, NotEnough
from m2vae_ros.bags.samples import read_bags
from m2vae_ros.datasets.samples import Samples
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.messages import ODOMETRY

RANGE = "sensor_msgs/msg/Range"
WRENCH = "geometry_msgs/msg/WrenchStamped"
STRING = "std_msgs/msg/String"
POINT = "geometry_msgs/msg/PointStamped"

FORCE = {"kind": "window", "fields": ["wrench.force.x"], "seconds": 0.5, "rate": 10, "hop": 0.5}


def suite(**fields: Any) -> SensorSuite:
    """A robot with a range finder and a sensor of forces over half a second."""
    modalities = {
        "distance": modality("range"),
        "force": modality("window", topic="force", view=FORCE),
    }
    sampling = {"labels": "state", "pairing": "time", "split": "episode", "tolerance": 0.06}
    return SensorSuite.from_plain(
        plain(**{"modalities": modalities, "sampling": sampling, **fields})
    )


def distance(seconds: float, metres: float, robot: str = "/rover") -> Made:
    message = new(
        RANGE,
        header=header(seconds),
        radiation_type=0,
        field_of_view=0.1,
        min_range=0.1,
        max_range=4.0,
        range=metres,
        variance=0.0,
    )
    return at(f"{robot}/range", RANGE, seconds, message)


def force(seconds: float, newton: float, robot: str = "/rover") -> Made:
    vectors = [new("geometry_msgs/msg/Vector3", x=x, y=0.0, z=0.0) for x in (newton, 0.0)]
    inner = new("geometry_msgs/msg/Wrench", force=vectors[0], torque=vectors[1])
    message = new(WRENCH, header=header(seconds), wrench=inner)
    return at(f"{robot}/force", WRENCH, seconds, message)


def run(
    begin: float, end: float, of: Callable[[float], float], robot: str = "/rover"
) -> list[Made]:
    """Both sensors, 20 times a second; what they read is a number of the time."""
    times = np.arange(round(20 * begin), round(20 * end)) / 20
    made = [distance(t, of(t), robot) for t in times] + [force(t, of(t), robot) for t in times]
    return sorted(made, key=lambda m: m.stamp)


def said(seconds: float, what: str, topic: str = "/rover/state") -> Made:
    return text(seconds, topic, what)


def read(
    folder: Path, made: Iterable[Made], of: SensorSuite, **options: Any
) -> tuple[Samples, BagReport]:
    ordered = sorted(made, key=lambda m: m.stamp)
    write(folder / "bag", ordered)

    def no_world(bag: Path) -> list:
        raise AssertionError("nobody asked for a world")

    return read_bags(of, [folder / "bag"], no_world, **{"enough": 1, **options})


def level(seconds: float) -> float:
    """1 in the first four seconds, then 3."""
    return 1.0 if seconds < 5.0 else 3.0


def test_what_a_robot_does_is_what_the_label_says(tmp_path) -> None:
    made = [said(1.0, "still"), said(5.0, "moving"), *run(1.0, 9.0, level)]
    samples, report = read(tmp_path, made, suite())
    for label, value in (("still", 1.0), ("moving", 3.0)):
        of = samples.labels == samples.suite.classes.index(label)
        assert of.sum() >= 5
        np.testing.assert_allclose(samples.packed["distance"][of], value / 4.0)
        np.testing.assert_allclose(samples.packed["force"][of], value)
    assert samples.labelled
    told = reasons(report)
    assert told["/rover/range: no reading of every other sensor at that time"] > 50


def test_a_label_that_changes_and_changes_back_is_seen(tmp_path) -> None:
    made = [said(1.0, "still"), said(2.7, "moving"), said(2.72, "still"), said(7.0, "moving")]
    _, report = read(tmp_path, [*made, *run(1.0, 9.0, level)], suite())
    assert reasons(report)["/rover/force: the label changes while it is taken"] >= 1


def test_what_nobody_labels_is_not_used(tmp_path) -> None:
    made = [said(2.0, "still"), said(3.0, ""), said(5.0, "moving"), said(7.0, "flying")]
    samples, report = read(tmp_path, [*made, *run(1.0, 9.0, level)], suite())
    told = reasons(report)
    assert told["/rover/range: no label"] >= 20 + 40 + 40
    assert told["/rover/state: label 'flying': is neither a class nor the name of an object"] == 1
    assert set(samples.labels) == {0, 1}


def test_an_episode_ends_where_nothing_came_for_a_while_and_stays_together(tmp_path) -> None:
    made = [said(1.0, "still"), *run(1.0, 4.0, level), *run(5.5, 9.0, level)]
    made += [said(5.5, "moving"), *run(1.0, 9.0, level, "/other")]
    made += [said(1.0, "still", "/other/state")]
    samples, _ = read(tmp_path, made, suite())
    assert set(samples.groups) == {"0 /rover 0", "0 /rover 1", "0 /other 0"}
    one = suite(sampling={"labels": "state", "pairing": "time", "tolerance": 0.06})
    samples, _ = read(tmp_path / "again", made, one)
    assert set(samples.groups) == {"0"}


def test_the_same_bag_elsewhere_is_the_same_samples(tmp_path) -> None:
    made = [said(1.0, "still"), said(5.0, "moving"), *run(1.0, 9.0, level)]
    one, other = (read(tmp_path / name, made, suite())[0] for name in ("here", "elsewhere"))
    assert one.digest() == other.digest()


def test_without_classes_there_are_samples_without_labels(tmp_path) -> None:
    fields = suite().to_plain()
    del fields["classes"]
    fields["sampling"]["labels"] = ""
    samples, report = read(tmp_path, run(1.0, 9.0, level), SensorSuite.from_plain(fields))
    assert not samples.labelled
    assert set(samples.labels) == {-1}
    assert report.readings[""]["force"] == len(samples) > 10


def test_labels_may_be_names_of_things_where_there_are_no_classes(tmp_path) -> None:
    fields = suite().to_plain()
    del fields["classes"]
    fields["sampling"] |= {"labels": "state", "split": "bag"}
    made = [said(1.0, "anything"), *run(1.0, 9.0, level)]
    samples, report = read(tmp_path, made, SensorSuite.from_plain(fields))
    assert len(samples) > 10
    assert not [told for told in reasons(report) if "label" in told and "changes" not in told]


def test_a_class_that_was_never_there_is_named(tmp_path) -> None:
    with pytest.raises(NotEnough, match="moving: 0 by distance; moving: 0 by force"):
        read(tmp_path, [said(1.0, "still"), *run(1.0, 9.0, level)], suite())


@pytest.mark.parametrize("missing", ["/rover/force", "/rover/range", "/rover/state"])
def test_a_topic_that_is_not_there_is_named(missing, tmp_path) -> None:
    made = [said(1.0, "still"), said(5.0, "moving"), *run(1.0, 9.0, level)]
    with pytest.raises(NotEnough) as error:
        read(tmp_path, [m for m in made if m.topic != missing], suite())
    expected = {
        "/rover/force": "force: no robot has this topic",
        "/rover/range": "range: no robot has this topic",
        "/rover/state": f"state: no {STRING} by this name",
    }
    assert expected[missing] in reasons(error.value.report)


def test_labels_of_another_type_are_named(tmp_path) -> None:
    other = at("/rover/state", "std_msgs/msg/Int32", 1.0, new("std_msgs/msg/Int32", data=1))
    with pytest.raises(NotEnough) as error:
        read(tmp_path, [other, *run(1.0, 3.0, level)], suite())
    expected = f"/rover/state: is a std_msgs/msg/Int32, expected {STRING}"
    assert expected in reasons(error.value.report)


def test_a_topic_that_several_modalities_take_of_is_read_by_each(tmp_path) -> None:
    near = {"min_distance": 0.0, "max_distance": 1.0}
    modalities = {
        "blind": modality("range", range=near),  # looks at nothing, and hinders nobody
        "distance": modality("range"),
        "force": modality("window", topic="force", view=FORCE),
        "impulse": modality("window", topic="force", view={**FORCE, "spectrum": True}),
    }
    about = {"kind": "topic", "topic": "target", "type": POINT}
    fields = {"modalities": modalities, "about": about, "sampling": {"labels": "state"}}
    made = [said(1.0, "still"), said(5.0, "moving"), *run(1.0, 9.0, level)]
    made += [pointed(t, 5.0) for t in np.arange(1.0, 9.0, 0.5)]
    with pytest.raises(NotEnough) as error:
        read(tmp_path, made, suite(**fields))
    told = reasons(error.value.report)
    assert any("no odometry of /rover" in reason for reason in told)
    (left,) = {reason for reason in told if "left out, not sensed by" in reason}
    assert left.endswith("not sensed by blind")


def pointed(seconds: float, x: float) -> Made:
    point = new("geometry_msgs/msg/Point", x=x, y=0.0, z=0.0)
    return at("/rover/target", POINT, seconds, new(POINT, header=header(seconds), point=point))


def named(**fields: Any) -> SensorSuite:
    """A suite whose readings are of what a topic names."""
    about = {"kind": "topic", "topic": "target", "type": STRING, "seconds": 100.0}
    sampling = {"pairing": "time", "tolerance": 0.06, "labels": "name", "split": "object"}
    return suite(**{"about": about, "sampling": sampling, **fields})


def test_what_a_topic_names_is_what_readings_are_of_by_the_time_of_recording(tmp_path) -> None:
    # the stamps of the readings begin at 0, as simulated time does, when they are recorded later
    assert RECORDED > 10**17
    names = [said(1.0, "still_1", "/rover/target"), said(5.0, "moving_7", "/rover/target")]
    samples, _ = read(tmp_path, [*names, *run(1.0, 9.0, level)], named())
    for label, value in ((0, 1.0), (1, 3.0)):
        of = samples.labels == label
        assert of.sum() >= 5
        np.testing.assert_allclose(samples.packed["distance"][of], value / 4.0)
    assert set(samples.groups) == {"0 still_1", "0 moving_7"}


def test_a_name_of_no_class_is_told_and_not_used(tmp_path) -> None:
    names = [said(1.0, "still", "/rover/target"), said(5.0, "teapot", "/rover/target")]
    with pytest.raises(NotEnough) as error:
        read(tmp_path, [*names, *run(1.0, 9.0, level)], named())
    assert reasons(error.value.report)["/rover/range: 'teapot' is the name of no class"] == 80


def test_what_is_said_holds_no_longer_than_it_should(tmp_path) -> None:
    about = {"kind": "topic", "topic": "target", "type": STRING, "seconds": 1.0}
    names = [said(1.0, "still", "/rover/target"), said(5.0, "moving", "/rover/target")]
    _, report = read(tmp_path, [*names, *run(1.0, 9.0, level)], named(about=about))
    assert reasons(report)["/rover/range: nobody says what it is of"] > 50


def test_what_a_point_shows_is_in_range_by_odometry(tmp_path) -> None:
    near = {"min_distance": 0.0, "max_distance": 1.0}
    modalities = {"distance": modality("range", range=near)}
    about = {"kind": "topic", "topic": "target", "type": POINT, "seconds": 1.0}
    fields = {"modalities": modalities, "about": about}
    sampling = {"labels": "state", "split": "object"}
    made = [said(1.0, "still"), said(5.0, "moving"), *run(1.0, 9.0, level)]
    made += [pointed(t, 0.5 if t < 3.0 or t > 6.0 else 5.0) for t in np.arange(1.0, 9.0, 0.5)]
    for t in np.arange(0.9, 9.1, 0.1):
        made.append(at("/rover/odom", ODOMETRY.type, t, odometry(t, (0.0, 0.0, 0.0))))
    samples, report = read(tmp_path, made, suite(**fields, sampling=sampling))
    assert set(samples.labels) == {0, 1}
    assert set(samples.groups) == {"0 at 0.5 0.0 0.0"}
    assert reasons(report)["/rover/range: nothing to look at"] >= 50


def test_a_bad_message_within_a_window_does_not_end_it(tmp_path) -> None:
    made = [said(1.0, "still"), said(5.0, "moving"), *run(1.0, 9.0, level)]
    broken = [force(2.01, float("nan")), force(6.01, float("inf"))]
    samples, report = read(tmp_path, [*made, *broken], suite())
    assert len(samples) > 10
    told = reasons(report)
    assert told["/rover/force: wrench.force.x: holds NaN or infinite values"] == 2


def test_the_types_of_all_views_are_known_to_rosbags() -> None:
    for kind in (RANGE, WRENCH, STRING, POINT):
        assert kind in STORE.types
