# SPDX-License-Identifier: Apache-2.0
"""Fusion nodes whose readings are of the robot itself, or of what a topic names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from geometry_msgs.msg import Point, PointStamped
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from ros_team import Team, team
from sensor_msgs.msg import Range
from std_msgs.msg import String
from suites import modality, plain
from untrained import random_weights

from m2vae_ros.host.resources import resource
from m2vae_ros.sensors import SensorSuite

pytestmark = pytest.mark.ros

POINT = "geometry_msgs/msg/PointStamped"
STRING = "std_msgs/msg/String"


def weights(folder: Path, about: Any = "robot") -> Path:
    """Weights of a rover with a range finder."""
    suite = plain(about=about, modalities={"distance": modality("range")})
    return random_weights(SensorSuite.from_plain(suite)).save(folder / "weights")


def reading(t: Team, metres: float) -> Range:
    message = Range(range=metres)
    message.header.stamp = t.tester.get_clock().now().to_msg()
    return message


def test_what_a_robot_senses_of_itself_is_told_under_its_name(tmp_path) -> None:
    with team() as t:
        t.active_robot("rover", weights(tmp_path), [])
        t.send("/rover/range", reading(t, 1.0))
        t.until(lambda: bool(t.embeddings and t.classifications))
        assert t.embeddings[0].object_id == "rover"
        assert t.embeddings[0].modalities == ["distance"]
        assert t.classifications[0].classes == ["still", "moving"]


def test_a_modality_that_cannot_read_a_message_hinders_no_other_of_its_topic(tmp_path) -> None:
    view = {"kind": "vector", "fields": ["no_such_field"]}
    others = modality("vector", topic="range", type="sensor_msgs/msg/Range", view=view)
    suite = plain(modalities={"before": others, "distance": modality("range")})
    folder = random_weights(SensorSuite.from_plain(suite)).save(tmp_path / "both")
    with team() as t:
        t.active_robot("rover", folder, [])
        t.send("/rover/range", reading(t, 1.0))
        t.until(lambda: bool(t.embeddings))
        assert t.embeddings[0].modalities == ["distance"]
        assert t.counted("rover", "dropped range: no_such_field") == 1


def test_what_a_name_says_is_what_readings_are_of(tmp_path) -> None:
    about = {"kind": "topic", "topic": "target", "type": STRING, "seconds": 100.0}
    with team() as t:
        t.active_robot("rover", weights(tmp_path, about), [], **{"distance.refresh_period": 0.0})
        t.send("/rover/range", reading(t, 1.0))
        t.until(lambda: t.counted("rover", "unused: nobody says what it is of") > 0)
        t.send("/rover/target", String(data="box"))
        t.until(lambda: t.counted("rover", "received target") > 0)
        t.send("/rover/range", reading(t, 2.0))
        t.until(lambda: bool(t.embeddings))
        assert t.embeddings[0].object_id == "box"


def test_a_point_of_a_frame_that_nothing_leads_to_is_of_no_reading(tmp_path) -> None:
    about = {"kind": "topic", "topic": "/target", "type": POINT, "seconds": 100.0}
    with team() as t:
        t.active_robot("rover", weights(tmp_path, about), [], odometry_tolerance=0.5)
        message = PointStamped(point=Point(x=1.0, y=2.0))
        message.header.stamp = t.tester.get_clock().now().to_msg()
        message.header.frame_id = "elsewhere"
        t.send("/target", message)
        t.until(lambda: t.counted("rover", "received /target") == 1)
        t.send("/rover/range", reading(t, 2.0))
        t.until(lambda: t.counted("rover", "dropped range: header.frame_id") == 1)
        message.header.stamp = t.tester.get_clock().now().to_msg()
        message.header.frame_id = "map"
        t.send("/target", message)
        t.until(lambda: t.counted("rover", "received /target") == 2)
        t.send("/rover/range", reading(t, 2.0))
        t.until(lambda: bool(t.embeddings))
        position = t.embeddings[0].position
        assert (position.x, position.y) == (1.0, 2.0)


def test_other_weights_bring_the_parameters_of_their_own_sensors(tmp_path) -> None:
    with team() as t:
        node = t.suite_robot("rover", resource("models/amiro"), [])
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert node.get_parameter("camera.max_distance").value == 0.88
        assert node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
        node.set_parameters([Parameter("weights", value=str(weights(tmp_path)))])
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert not node.has_parameter("camera.max_distance")
        assert node.get_parameter("distance.refresh_period").value == 2.0
