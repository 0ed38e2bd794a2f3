# SPDX-License-Identifier: Apache-2.0
"""What is said of a suite and bags that do not go together, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_making import Made, at, header, new, odometry, text, write
from suites import modality, plain

from m2vae_ros.bags import suite_check
from m2vae_ros.bags.suite_check import Fit, check
from m2vae_ros.cli import main
from m2vae_ros.sensors import SensorSuite, read_suite
from m2vae_ros.sensors.messages import ODOMETRY
from m2vae_ros.sensors.suite import STRING
from m2vae_ros.sensors.suite_file import write_plain
from m2vae_ros.sensors.views import OWN

IMAGE = "sensor_msgs/msg/Image"
RANGE = "sensor_msgs/msg/Range"
TEMPERATURE = "sensor_msgs/msg/Temperature"

THERMAL = {"kind": "depth", "width": 8, "height": 8}
WARMTH = {"kind": "vector", "fields": ["temperature"]}


def thermal(seconds: float, celsius: np.ndarray, topic: str = "/rover/thermal") -> Made:
    """A picture whose pixels are degrees."""
    rows = np.broadcast_to(np.float32(celsius), (8, 8))
    data = np.frombuffer(rows.tobytes(), np.uint8)
    fields = {"height": 8, "width": 8, "encoding": "32FC1", "is_bigendian": 0, "step": 32}
    return at(topic, IMAGE, seconds, new(IMAGE, header=header(seconds), **fields, data=data))


def distance(seconds: float, metres: float, topic: str = "/rover/range") -> Made:
    limits = {"field_of_view": 0.1, "min_range": 0.1, "max_range": 4.0, "variance": 0.0}
    stamped = {"header": header(seconds), "radiation_type": 0}
    return at(topic, RANGE, seconds, new(RANGE, **stamped, **limits, range=metres))


def warmth(seconds: float, celsius: float, topic: str = "/rover/warmth") -> Made:
    fields = {"header": header(seconds), "temperature": celsius, "variance": 0.0}
    return at(topic, TEMPERATURE, seconds, new(TEMPERATURE, **fields))


def states(topic: str = "/rover/state") -> list[Made]:
    return [text(0.0, topic, "still"), text(5.0, topic, "moving")]


def over_time(made: Callable[[float, Any], Made], of: Iterable[Any]) -> list[Made]:
    """A message for each, ten a second."""
    return [made(number / 10, value) for number, value in enumerate(of)]


def suite(modalities: dict[str, Any], **fields: Any) -> SensorSuite:
    return SensorSuite.from_plain(plain(modalities=modalities, **fields))


def fit(folder: Path, made: Iterable[Made], of: SensorSuite) -> Fit:
    bag = write(folder / "bag", sorted(made, key=lambda m: m.stamp))
    return check(of, [bag])


DISTANCE = {"distance": modality("range")}
CHANGING = np.linspace(0.5, 3.5, 100)


# What views make of messages


def test_a_sensor_that_is_cut_off_all_the_time_is_no_sensor_and_the_limit_is_named(tmp_path):
    of = suite({**DISTANCE, "thermal": modality("depth", topic="thermal", view=THERMAL)})
    pictures = over_time(thermal, np.random.default_rng(0).uniform(18, 26, (100, 8, 8)))
    found = fit(tmp_path, [*states(), *pictures, *over_time(distance, CHANGING)], of)
    (problem,) = found.problems
    assert problem.startswith("modalities.thermal.view: all 100 readings")
    assert "raise max_depth (now 5)" in problem
    assert not found.hints


def test_one_that_is_wide_enough_fits(tmp_path) -> None:
    view = {**THERMAL, "max_depth": 40.0}
    of = suite({"thermal": modality("depth", topic="thermal", view=view)})
    pictures = over_time(thermal, np.random.default_rng(0).uniform(18, 26, (100, 8, 8)))
    assert fit(tmp_path, [*states(), *pictures], of) == Fit({"thermal": 100}, {"thermal": 10.0})


def test_a_reading_that_never_changes_is_a_problem_within_the_range_too(tmp_path) -> None:
    found = fit(tmp_path, [*states(), *over_time(distance, [2.0] * 50)], suite(DISTANCE))
    (problem,) = found.problems
    assert problem.startswith("modalities.distance.view: all 50 readings")
    assert "max_range" not in problem


def test_a_sensor_that_rests_while_the_recording_begins_is_none(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(suite_check, "LOOKED_AT", 10)
    metres = [2.0] * 100 + [1.0] * 100
    found = fit(tmp_path, [*states(), *over_time(distance, metres)], suite(DISTANCE))
    assert not found.problems
    assert found.readings["distance"] == 10 * suite_check.STRETCHES


def test_what_is_nearly_always_cut_off_is_told_and_fits(tmp_path) -> None:
    metres = [9.0] * 97 + [1.0, 2.0, 3.0]
    found = fit(tmp_path, [*states(), *over_time(distance, metres)], suite(DISTANCE))
    assert not found.problems
    (hint,) = found.hints
    assert hint.startswith("modalities.distance.view: 97 % of the values are 1")
    assert "max_range (now 4)" in hint


def test_a_window_that_takes_more_messages_than_are_looked_at_is_seen(tmp_path) -> None:
    window = {"kind": "window", "fields": ["temperature"], "seconds": 5.0, "rate": 200.0}
    of = suite({"warmth": modality("window", topic="warmth", type=TEMPERATURE, view=window)})
    made = [warmth(number / 200, number % 7 / 7) for number in range(2400)]
    found = fit(tmp_path, [*states(), *made], of)
    assert not found.problems
    assert found.readings["warmth"] == 15  # one after 5 s, and two a second from then on, to 12 s


@pytest.mark.parametrize("kind", sorted(OWN))
def test_every_limit_of_a_view_is_a_key_of_it(kind) -> None:
    assert {*OWN[kind].limits} <= {*OWN[kind].__dataclass_fields__}
    cut_off = ("depth", "intensities", "point_cloud", "range", "scan")
    assert bool(OWN[kind].limits) == (kind in cut_off)


def test_what_is_far_outside_is_told_with_the_offset_and_scale_that_bring_it_inside(
    tmp_path, capsys
) -> None:
    made = [*states(), *over_time(warmth, 100 + CHANGING)]
    of = suite({"warmth": modality(topic="warmth", type=TEMPERATURE, view=WARMTH)})
    found = fit(tmp_path, made, of)
    assert not found.problems
    (hint,) = found.hints
    assert hint.endswith("change offset to 100.5 and scale to 3")
    told = tmp_path / "suite.yaml"
    write_plain(told, of.to_plain(), "")
    assert main(["suite", "check", str(told), "--bags", str(tmp_path / "bag")]) == 0
    said = capsys.readouterr().out
    assert f"! {hint}\n" in said
    assert "everything fits" in said
    view = {**WARMTH, "offset": 100.5, "scale": 3.0}
    of = suite({"warmth": modality(topic="warmth", type=TEMPERATURE, view=view)})
    assert not check(of, [tmp_path / "bag"]).hints


# Whose topics they are


def two_sensors(root: str, *, label: str) -> list[Made]:
    """Of a robot: a thermal camera and a range finder."""
    pictures = np.random.default_rng(0).uniform(1.0, 4.0, (100, 8, 8))
    return [
        *states(label),
        *over_time(lambda at, value: distance(at, value, f"{root}/sonar"), CHANGING),
        *over_time(lambda at, value: thermal(at, value, f"{root}/thermal/image"), pictures),
    ]


def sonar_and(image: str, labels: str = "label", about: str = "robot") -> SensorSuite:
    modalities = {
        "sonar": modality("range", topic="sonar"),
        "image": modality("depth", topic=image, view=THERMAL),
    }
    if about == "objects":
        for each in modalities.values():
            each["range"] = {"min_distance": 0.1, "max_distance": 1.0}
    sampling = {"labels": labels, "pairing": "object" if about == "objects" else "time"}
    return suite(modalities, about=about, sampling=sampling)


def test_sensors_of_no_robot_together_are_told_with_the_topic_that_would_be(tmp_path) -> None:
    found = fit(tmp_path, two_sensors("", label="/label"), sonar_and("image"))
    (problem,) = found.problems
    assert "sonar is of a robot without a namespace, image is of /thermal" in problem
    assert problem.endswith("say modalities.image.topic: thermal/image")
    assert not check(sonar_and("thermal/image"), [tmp_path / "bag"]).problems


def test_a_label_of_another_robot_is_told_with_the_topic_that_would_be(tmp_path) -> None:
    found = fit(tmp_path, two_sensors("/rover", label="/label"), sonar_and("thermal/image"))
    (problem,) = found.problems
    assert problem.startswith("sampling.labels: label is of a robot without a namespace, but every")
    assert problem.endswith("say sampling.labels: /label")
    assert not check(sonar_and("thermal/image", "/label"), [tmp_path / "bag"]).problems


def test_odometry_has_to_be_of_each_robot_that_senses_objects(tmp_path) -> None:
    placed = over_time(
        lambda when, x: at("/odom", ODOMETRY.type, when, odometry(when, (x, 0.0, 0.0))), CHANGING
    )
    made = [*two_sensors("", label="/label"), *placed]
    (problem,) = fit(tmp_path, made, sonar_and("image", "name", "objects")).problems
    assert problem.startswith("about: odom is of a robot without a namespace, but image is of /the")
    assert problem.endswith("say modalities.image.topic: thermal/image")
    assert not check(sonar_and("thermal/image", "name", "objects"), [tmp_path / "bag"]).problems


def test_several_robots_may_have_a_sensor_of_objects_each(tmp_path) -> None:
    both = two_sensors("/a", label="/a/label") + two_sensors("/b", label="/b/label")
    made = [m for m in both if m.topic not in ("/a/sonar", "/b/thermal/image")]
    of = sonar_and("thermal/image", about="objects")
    assert not fit(tmp_path, made, of).problems


@pytest.mark.parametrize("root", ["", "/rover"])
def test_what_is_drafted_of_a_robot_fits_its_bag(root, tmp_path, capsys) -> None:
    made = sorted(two_sensors(root, label=f"{root}/label"), key=lambda m: m.stamp)
    bag, drafted = str(write(tmp_path / "bag", made)), str(tmp_path / "mine.yaml")
    assert main(["suite", "new", drafted, "--bags", bag]) == 0
    assert f"taken for robots: {root or 'a robot without a namespace'}\n" in capsys.readouterr().out
    assert main(["suite", "check", drafted, "--bags", bag]) == 0
    topics = {modality.topic for modality in read_suite(drafted).values()}
    assert topics == {"sonar", "thermal/image"}


# Who says the class


@pytest.mark.parametrize("topic", ["/rover/state", "/state"])
def test_where_no_robot_has_the_name_of_a_class_a_topic_has_to_say_it(topic, tmp_path) -> None:
    made = [*states(topic), *over_time(distance, CHANGING)]
    found = fit(tmp_path, made, suite(DISTANCE, sampling={"pairing": "time"}))
    (problem,) = found.problems
    assert problem.startswith("sampling.labels: is name, as where it is left out, but '/rover' is")
    labels = problem.rpartition("such as labels: ")[2]
    assert labels == topic.removeprefix("/rover/")
    sampling = {"pairing": "time", "labels": labels}
    assert not check(suite(DISTANCE, sampling=sampling), [tmp_path / "bag"]).problems


def test_robots_may_be_called_as_classes_are(tmp_path) -> None:
    of = suite(DISTANCE, classes=["/rover", "/other"], sampling={"pairing": "time"})
    assert not fit(tmp_path, over_time(distance, CHANGING), of).problems


@pytest.mark.parametrize(("classes", "fits"), [(["still", "moving"], True), (["a", "b"], False)])
def test_names_on_a_topic_have_to_be_those_of_classes(classes, fits, tmp_path) -> None:
    about = {"kind": "topic", "topic": "state", "type": STRING}
    of = suite(DISTANCE, classes=classes, about=about, sampling={})
    found = fit(tmp_path, [*states(), *over_time(distance, CHANGING)], of)
    assert [problem.partition(",")[0] for problem in found.problems] == (
        [] if fits else ["sampling.labels: is name"]
    )


def test_without_classes_nobody_has_to_say_them(tmp_path) -> None:
    of = suite(DISTANCE, classes=None, sampling={"pairing": "time"})
    assert not fit(tmp_path, over_time(distance, CHANGING), of).problems
