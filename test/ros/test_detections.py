# SPDX-License-Identifier: Apache-2.0
"""Objects as detections, and detections as what readings are of."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_team import embedding

from m2vae_ros.fusion.belief import Belief
from m2vae_ros.robot.perception import Target
from m2vae_ros.robot.pointing import targets
from m2vae_ros.ros.detections import MOST_HYPOTHESES, detection_array

pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")


def test_what_one_robot_detects_another_can_look_at() -> None:
    beliefs = [
        Belief(embedding(object_id="a", position=(1.0, 2.0, 0.5), held={"camera": 7}), np.empty(0)),
        Belief(embedding(object_id="b", position=(3.0, 4.0, 0.0), held={"lidar": 9}), np.empty(0)),
    ]
    array = detection_array("map", beliefs, [], 0.2, now=100)
    named = [Target("a", (1.0, 2.0, 0.5)), Target("b", (3.0, 4.0, 0.0))]
    assert targets(array, 100) == (named, 9, "map")
    assert targets(detection_array("map", [], [], 0.2, now=100), 200) == ([], 100, "map")


def test_of_very_many_classes_only_the_likeliest_are_told() -> None:
    count = 1000
    probabilities = np.random.default_rng(0).dirichlet(np.full(count, 0.02))
    held = Belief(embedding(), probabilities)
    (found,) = detection_array("map", [held], [f"c{i}" for i in range(count)], 0.2, 0).detections
    told = {result.hypothesis.class_id: result.hypothesis.score for result in found.results}
    assert len(told) == MOST_HYPOTHESES
    assert min(told.values()) >= np.sort(probabilities)[-MOST_HYPOTHESES]
    assert all(told[name] == probabilities[int(name[1:])] for name in told)
