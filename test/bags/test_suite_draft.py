# SPDX-License-Identifier: Apache-2.0
"""What a draft makes of topics, and what it leaves out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from m2vae_ros.bags.suite_draft import draft, left_out
from m2vae_ros.bags.topics import FoundTopic
from m2vae_ros.sensors import SensorSuite

ARRAY = "std_msgs/msg/Float32MultiArray"


def topic(name: str, kind: str = ARRAY, **fields) -> FoundTopic:
    layout = SimpleNamespace(dim=[], data_offset=0)
    return FoundTopic(name, kind, 9, example=SimpleNamespace(layout=layout, **fields))


def test_an_array_is_a_sensor_of_as_many_numbers() -> None:
    sonar = topic("/rover/sonar", data=np.zeros(16, np.float32))
    joints = topic("/rover/joints", "a/msg/Joints", position=np.zeros(3), effort=np.zeros(2))
    suite = SensorSuite.from_plain(draft("rover", [sonar, joints]))
    shapes = {name: modality.view.shape for name, modality in suite.items()}
    assert shapes == {"sonar": (16,), "joints_position": (3,), "joints_effort": (2,)}


def test_what_a_draft_has_nothing_of_is_told() -> None:
    sonar = topic("/rover/sonar", data=np.zeros(16, np.float32))
    empty = topic("/rover/names", "a/msg/Names", data=["a", "b"])
    clock = topic("/clock", "rosgraph_msgs/msg/Clock", clock=SimpleNamespace(sec=0, nanosec=0))
    topics = [sonar, empty, clock]
    assert left_out(topics, draft("rover", topics)) == [empty]
