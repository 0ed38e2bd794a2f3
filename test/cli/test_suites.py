# SPDX-License-Identifier: Apache-2.0
"""`m2vae suite new`: a draft of a bag, or of what somebody answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from bag_making import Made, at, header, new, text, write

from m2vae_ros.cli import main
from m2vae_ros.sensors import SensorSuite, read_suite

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
