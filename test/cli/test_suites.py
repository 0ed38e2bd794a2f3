# SPDX-License-Identifier: Apache-2.0
"""`m2vae suite new`: a draft of a bag, or of what somebody answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bag_making import Made, at, header, new, text, write

from m2vae_ros.cli import main
from m2vae_ros.sensors import SensorSuite, read_suite
from m2vae_ros.sensors.views.vector import VectorView

ARRAY = "std_msgs/msg/Float32MultiArray"


def sonar(seconds: float, metres: float) -> Made:
    layout = new("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
    data = np.array([0.5, metres], np.float32)
    return at("/rover/sonar", ARRAY, seconds, new(ARRAY, layout=layout, data=data))


def drafted(folder: Path, made: list[Made]) -> SensorSuite:
    write(folder / "bag", made)
    file = folder / "mine.yaml"
    assert main(["suite", "new", str(file), "--bags", str(folder / "bag")]) == 0
    return read_suite(file)


def test_the_numbers_of_a_draft_are_scaled_as_in_the_bag(tmp_path: Path) -> None:
    view = drafted(tmp_path, [sonar(t / 10, 0.5 + t / 8) for t in range(28)])["sonar"].view
    assert (view.offset, view.scale) == (0.5, 3.4)


def test_what_a_draft_leaves_out_is_told_with_what_to_do_instead(tmp_path: Path, capsys) -> None:
    ring = new("sensor_msgs/msg/PointCloud", header=header(0.0), points=[], channels=[])
    made = [
        sonar(0.0, 1.0),
        at("/rover/ring", "sensor_msgs/msg/PointCloud", 0.0, ring),
        text(0.0, "/rover/says", "hello"),
    ]
    drafted(tmp_path, made)
    said = capsys.readouterr().out
    assert "left out: /rover/ring: no view reads a sensor_msgs/msg/PointCloud like" in said
    assert "publish it as a type that a view reads, such as PointCloud2" in said
    assert "left out: /rover/says: texts are no readings; if they say the class" in said


def answered(
    folder: Path, monkeypatch: pytest.MonkeyPatch, answers: str, about: str = "robot"
) -> SensorSuite:
    """The suite of somebody who answers these, one a line."""
    given = iter([about, "", *map(str.strip, answers.strip().split("\n")), ""])
    monkeypatch.setattr("builtins.input", lambda question: next(given))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    file = folder / "mine.yaml"
    assert main(["suite", "new", str(file)]) == 0
    assert next(given, None) is None
    return read_suite(file)


def test_who_is_asked_for_numbers_says_how_many_and_how_large(tmp_path: Path, monkeypatch) -> None:
    answers = """
        sonar
        ring/sonar
        vector
        std_msgs/msg/Float32MultiArray
        data
        16
        0.1
        4.0
    """
    suite = answered(tmp_path, monkeypatch, answers)
    assert suite["sonar"].view == VectorView(fields=("data",), size=16, offset=0.1, scale=4.0)
    assert suite["sonar"].topic == "ring/sonar"


def test_what_cannot_be_is_asked_again(tmp_path: Path, monkeypatch, capsys) -> None:
    answers = """
        my sensor
        gate
        warmth
        warmth
        vector
        std_msgs/msg/Float32
        data
        one
        1
        cold
        10
        -5
        1.0
        warmth
        warmth
        vector
        std_msgs/msg/Float32
        data
        1
        10
        5
        1.0
        warmth
        tail
        tail
        range
        sensor_msgs/msg/Range
        0.8
    """
    suite = answered(tmp_path, monkeypatch, answers, about="objects")
    assert list(suite) == ["warmth", "tail"]
    assert suite["warmth"].view == VectorView(fields=("data",), offset=10.0, scale=5.0)
    assert suite["tail"].range is not None
    assert suite["tail"].range.max_distance == 0.8
    said = capsys.readouterr().out
    for reason in (
        "'my sensor' must be a name such as front_camera",
        "'gate' is the name of a parameter of the fusion node",
        "'one' is no whole number",
        "'cold' is no number",
        "modalities.warmth.view.scale: must be positive, not -5.0; once more",
        "'warmth' is there already",
    ):
        assert reason in said
