# SPDX-License-Identifier: Apache-2.0
"""The sensors that are played are those of the world: the shipped weights know objects by them."""

from __future__ import annotations

import numpy as np
import pytest

from m2vae_ros.apps.chaos.glimpses import glimpses
from m2vae_ros.bringup.specs import world_objects
from m2vae_ros.fusion.engine import FAMILIAR
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.host.resources import weights_folder
from m2vae_ros.world.suite import AMIRO


@pytest.fixture(scope="module")
def found():
    return glimpses(0)


@pytest.mark.parametrize("seed", [0, 17, 39])  # with 17 and 39 the first drawn are unknown
def test_every_object_is_known_and_told_right_by_all_three_sensors(seed) -> None:
    found = glimpses(seed)
    engine = OnnxEngine.load(weights_folder("amiro"))
    for item in world_objects():
        codes = {}
        for name, modality in AMIRO.items():
            encoding = engine.encode_modality(
                name, modality.view.stream()(found[item.name, name].reading, 0)
            )
            assert encoding.surprise <= FAMILIAR
            codes[name] = encoding.code
        probabilities = engine.classify(engine.encode(codes).mean)
        assert AMIRO.classes[int(np.argmax(probabilities))] == item.class_name


def test_the_robot_stands_where_the_sensor_sees_the_object(found) -> None:
    for item in world_objects():
        place = found[item.name, "lidar"].odometry.pose.pose.position
        assert 0.43 < np.hypot(place.x - item.x, place.y - item.y) < 0.57


def test_the_same_seed_gives_the_same_readings(found) -> None:
    again = glimpses(0)
    assert again.keys() == found.keys()
    assert all(again[key].reading == found[key].reading for key in found)
