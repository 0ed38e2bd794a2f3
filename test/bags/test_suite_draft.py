# SPDX-License-Identifier: Apache-2.0
"""What a draft makes of topics, and what it leaves out."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from bag_making import odometry
from suites import modality, plain

from m2vae_ros.bags.suite_check import scarce
from m2vae_ros.bags.suite_draft import draft, fields_left_out, left_out, robots_of
from m2vae_ros.bags.topics import FoundTopic
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.messages import ODOMETRY
from m2vae_ros.sensors.suite import STRING

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


def test_how_sure_a_reading_is_is_none_and_a_scalar_has_a_code_of_one_dimension() -> None:
    warmth = topic("/rover/warmth", "sensor_msgs/msg/Temperature", temperature=20.5, variance=0.1)
    place = topic(
        "/rover/fix",
        "sensor_msgs/msg/NavSatFix",
        latitude=52.0,
        longitude=8.5,
        altitude=110.0,
        position_covariance=np.zeros(9),
        position_covariance_type=2,
    )
    bumper = topic("/rover/bumper", "sensor_msgs/msg/Range", range=0.5, max_range=2.0)
    drafted = draft("rover", [warmth, place, bumper])
    suite = SensorSuite.from_plain(drafted)
    assert suite["warmth"].view.fields == ("temperature",)
    assert suite["fix"].view.fields == ("latitude", "longitude", "altitude")
    assert suite["warmth"].beta_vae.latent_dim == 1
    assert suite["bumper"].beta_vae.latent_dim == 1
    assert suite["fix"].beta_vae.latent_dim == 3
    assert fields_left_out([warmth, place], drafted) == {
        "/rover/warmth": ["variance"],
        "/rover/fix": ["position_covariance", "position_covariance_type"],
    }


def named(name: str) -> FoundTopic:
    """A topic of the kind that its name says."""
    if name.endswith("odom"):
        return FoundTopic(name, ODOMETRY.type, 9, example=odometry(0.0, (0.0, 0.0, 0.0)))
    if name.endswith("label"):
        return FoundTopic(name, STRING, 2, texts=Counter(still=1, moving=1))
    return topic(name, data=np.zeros(3, np.float32))


@pytest.mark.parametrize(
    ("names", "robots", "drafted"),
    [
        # one robot, with a namespace and without
        ("/rover/imu /rover/front/sonar /rover/label", ["/rover"], "imu front/sonar label"),
        ("/sonar /thermal/image /label", [""], "sonar thermal/image label"),
        ("/sonar/data /thermal/image", [""], "sonar/data thermal/image"),
        ("/front/data /rear/data /label", [""], "front/data rear/data label"),
        ("/thermal/image /odom", [""], "thermal/image"),
        # whoever speaks of it
        ("/rover/imu /rover/sonar /label", ["/rover"], "imu sonar /label"),
        # robots with the same sensors, and such that are placed
        ("/a/imu /b/imu /a/label", ["/a", "/b"], "imu label"),
        ("/a/imu /a/odom /b/sonar /b/odom /map", ["/a", "/b"], "imu sonar /map"),
        ("/team/a/imu /team/a/odom", ["/team/a"], "imu"),
    ],
)
def test_topics_are_drafted_below_the_namespaces_of_robots(names, robots, drafted) -> None:
    topics = [named(each) for each in names.split()]
    assert robots_of(topics) == robots
    made = SensorSuite.from_plain(draft("mine", topics))
    labels = [made.sampling.labels] if made.classes else []
    assert [m.topic for m in made.values()] + labels == drafted.split()
    assert not left_out(topics, made.to_plain())


@pytest.mark.parametrize(
    ("pairing", "rates", "scarcest"),
    [
        ("time", {"imu": 100.0, "distance": 0.9}, "distance"),
        ("time", {"imu": 100.0, "distance": 10.0}, "imu"),  # a window every half second
        ("time", {"imu": 100.0, "distance": 1.5}, ""),
        ("time", {"imu": 0.0, "distance": 0.0}, ""),
        ("object", {"imu": 100.0, "distance": 0.1}, ""),
    ],
)
def test_the_sensor_that_decides_how_many_samples_there_are_is_named(
    pairing, rates, scarcest
) -> None:
    window = modality("window", view={"kind": "window", "fields": ["x.y"], "hop": 0.5})
    suite = SensorSuite.from_plain(
        plain(
            modalities={"imu": window, "distance": modality("range")},
            sampling={"pairing": pairing, "labels": "state"},
        )
    )
    said = scarce(suite, rates)
    assert said.startswith(f"modalities.{scarcest}: ") if scarcest else said == ""
