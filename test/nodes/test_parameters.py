# SPDX-License-Identifier: Apache-2.0
"""Parameters come from one dataclass, and what cannot be is refused by name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import partial

import pytest
import rclpy
import yaml
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from std_msgs.msg import String

from m2vae_ros.host.resources import resource
from m2vae_ros.nodes.amiro_sim_node import SimulatorParameters
from m2vae_ros.nodes.fusion_parameters import FusionParameters, SuiteParameters, sensor_groups
from m2vae_ros.nodes.known_objects import KnownObjects
from m2vae_ros.nodes.patrol_node import PatrolParameters
from m2vae_ros.nodes.planner_node import PlannerParameters
from m2vae_ros.ros import topics
from m2vae_ros.ros.parameters import ParameterError, declare, follow, parameter, read
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.suite import PARAMETERS
from m2vae_ros.world.suite import AMIRO

pytestmark = pytest.mark.ros


@dataclass(frozen=True)
class Inner:
    weight: float = parameter(0.5, "a number", minimum=0.0, maximum=1.0)


@dataclass(frozen=True)
class Outer:
    name: str = parameter("x", "a name")
    count: int = parameter(3, "how many", minimum=1)
    places: tuple[float, ...] = parameter((), "some places", minimum=0.0)
    words: tuple[str, ...] = parameter(("a", "b"), "some words")
    inner: Inner = Inner(weight=0.25)


@contextmanager
def node_with(**overrides) -> Iterator[Node]:
    context = Context()
    rclpy.init(context=context)
    given = [Parameter(name.replace("__", "."), value=value) for name, value in overrides.items()]
    node = Node("parameters", context=context, parameter_overrides=given)
    try:
        yield node
    finally:
        node.destroy_node()
        context.try_shutdown()


def test_without_overrides_the_defaults_come_back_typed() -> None:
    with node_with() as node:
        declare(node, Outer)
        assert read(node, Outer) == Outer()
        assert node.describe_parameter("count").description == "how many"
        assert node.describe_parameter("inner.weight").floating_point_range[0].to_value == 1.0


def test_overrides_count_also_in_groups_and_arrays() -> None:
    given = {"name": "y", "places": [1.0], "words": ["c"], "inner__weight": 1.0}
    with node_with(**given) as node:
        declare(node, Outer)
        assert read(node, Outer) == Outer("y", 3, (1.0,), ("c",), Inner(1.0))


def test_what_is_set_later_is_read_later() -> None:
    with node_with() as node:
        declare(node, Outer)
        node.set_parameters([Parameter("count", value=7)])
        assert read(node, Outer).count == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 0),
        ("count", 1.5),
        ("name", 3),
        ("inner__weight", 1.5),
        ("inner__weight", 1),
        ("words", [1.0]),
    ],
)
def test_a_wrong_type_or_range_is_refused_by_name(name: str, value) -> None:
    shown = name.replace("__", ".")
    with node_with(**{name: value}) as node, pytest.raises(ParameterError, match=shown):
        declare(node, Outer)


@pytest.mark.parametrize("value", [[-1.0], [math.nan]])
def test_ranges_of_arrays_are_checked_when_read(value: list[float]) -> None:
    with node_with(places=value) as node:
        declare(node, Outer)
        with pytest.raises(ParameterError, match="places"):
            read(node, Outer)


@pytest.mark.parametrize(
    ("made", "match"),
    [
        (lambda: robot_with("sonar"), "modalities: the weights know no 'sonar', but camera, lidar"),
        (lambda: robot_with("camera", "sonar"), "modalities: the weights know no 'sonar'"),
        (lambda: FusionParameters(global_frame=""), "global_frame"),
        (lambda: KnownObjects(names=("a",)), "1 names, 0 x"),
        (lambda: KnownObjects(names=("a", "a"), x=(0.0, 1.0), y=(0.0, 1.0)), "names"),
        (lambda: PatrolParameters(modalities=("sonar",)), "modalities: 'sonar'"),
        (lambda: PatrolParameters(order=("a",)), "order: 'a'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(made, match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        made()


def robot_with(*modalities: str, suite: SensorSuite = AMIRO) -> SuiteParameters:
    """The parameters of a robot with these sensors."""
    return SuiteParameters.of(
        FusionParameters(modalities=modalities), suite, sensor_groups(suite)()
    )


def test_a_robot_may_have_no_sensors_at_all() -> None:
    robot = robot_with("")
    assert robot.sensors == {}
    assert robot.max_distance == 0.0
    assert robot.perception.ranges == {}


def test_a_robot_has_all_the_sensors_that_the_weights_know_unless_they_are_said() -> None:
    assert list(robot_with().sensors) == list(AMIRO)
    assert list(robot_with("lidar").sensors) == ["lidar"]


def test_a_robot_senses_from_where_the_weights_were_trained_unless_it_is_said() -> None:
    assert robot_with().perception.ranges == {m: AMIRO[m].range for m in AMIRO}
    assert robot_with().perception.finders == ["lidar"]
    with node_with(camera__max_distance=1.5) as node:
        groups = sensor_groups(AMIRO)
        declare(node, groups)
        robot = SuiteParameters.of(FusionParameters(), AMIRO, read(node, groups))
    assert robot.max_distance == 1.5
    assert robot.perception.ranges["lidar"] == AMIRO["lidar"].range


def test_sensors_that_look_at_no_objects_have_no_range() -> None:
    plain = AMIRO.to_plain() | {"about": "robot"}
    for modality in plain["modalities"].values():
        del modality["range"]
    suite = SensorSuite.from_plain(plain)
    assert robot_with(suite=suite).perception.ranges == dict.fromkeys(AMIRO)
    with node_with(camera__refresh_period=3.0) as node:
        declare(node, sensor_groups(suite))
        assert read(node, sensor_groups(suite)).camera.refresh_period == 3.0
        assert not node.has_parameter("camera.max_distance")


def test_no_modality_is_called_like_a_parameter_of_the_node() -> None:
    assert {item.name for item in fields(FusionParameters)} == set(PARAMETERS)


@pytest.mark.parametrize(
    ("file", "defaults"),
    [
        ("config/fusion.yaml", [FusionParameters(), sensor_groups(AMIRO)()]),
        ("config/amiro_sim.yaml", [SimulatorParameters()]),
        ("config/patrol.yaml", [PatrolParameters()]),
        ("config/planner.yaml", [PlannerParameters()]),
    ],
)
def test_the_parameter_file_shows_every_parameter_with_its_default(
    file: str, defaults: list[object]
) -> None:
    text = resource(file).read_text()
    shown = yaml.safe_load(text)["/**"]["ros__parameters"]
    assert shown == {name: v for some in defaults for name, v in written(some).items()}
    for some in defaults:
        for item in fields(some):
            assert f"{item.name}:" in text


def written(defaults) -> dict:
    """The defaults as a parameter file can show them: an empty list has no type there."""
    shown = {}
    for item in fields(defaults):
        value = getattr(defaults, item.name)
        value = written(value) if is_dataclass(value) else value
        value = list(value) if isinstance(value, tuple) else value
        if value not in ([], {}):
            shown[item.name] = value
    return shown


class NodeOfHumble(Node):
    """Its rclpy tells nobody when parameters have been set."""

    @property
    def add_post_set_parameters_callback(self):
        raise AttributeError


@pytest.mark.parametrize("kind", [Node, NodeOfHumble])
def test_what_is_accepted_counts_with_every_rclpy_and_what_is_refused_does_not(kind) -> None:
    context = Context()
    rclpy.init(context=context)
    node, counted = kind("parameters", context=context), []
    try:
        declare(node, Outer)
        follow(node, partial(read, node, Outer), counted.append)
        assert node.set_parameters([Parameter("count", value=7)])[0].successful
        assert counted == [Outer(count=7, inner=Inner(0.25))]
        for name, value in (("count", 0), ("places", [-1.0])):
            assert not node.set_parameters([Parameter(name, value=value)])[0].successful
        assert len(counted) == 1
    finally:
        node.destroy_node()
        context.try_shutdown()


def test_joining_a_topic_changes_nothing_that_is_followed() -> None:
    with node_with() as node:
        declare(node, Outer)
        judged: list[object] = []
        follow(node, judged.append, judged.append)
        topics.publisher(node, String, "topic", QoSProfile(depth=1))
        assert node.has_parameter("qos_overrides./topic.publisher.depth")
        assert judged == []
