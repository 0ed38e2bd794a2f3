# SPDX-License-Identifier: Apache-2.0
"""The table of topics in docs/ros.md is what the nodes publish and subscribe to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import rclpy
from gazebo_master import needs_gazebo
from rclpy.context import Context
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from untrained import untrained_weights

from m2vae_ros.bringup.specs import NodeSpec, fusion, gazebo_bridge, patrol, planner, simulator
from m2vae_ros.nodes.amiro_sim_node import AmiroSimNode
from m2vae_ros.nodes.fusion_node import FusionNode
from m2vae_ros.nodes.gazebo_bridge_node import GazeboBridgeNode
from m2vae_ros.nodes.patrol_node import PatrolNode
from m2vae_ros.nodes.planner_node import PlannerNode
from m2vae_ros.ros.message_types import type_name
from m2vae_ros.world.suite import AMIRO

pytestmark = pytest.mark.ros

ROBOT = "robot"
OF_EVERY_NODE = re.compile(r"/rosout|/parameter_events|.*/transition_event")


class Topic(NamedTuple):
    name: str
    type: str


Ends = dict[Topic, tuple[set[str], set[str]]]
"""Topic -> the executables that write it, and those that read it."""


def documented() -> Ends:
    text = (Path(__file__).parents[2] / "docs/ros.md").read_text()
    rows = re.findall(r"^\| `([\w/]+)` \| (\w+/\w+) \| (.*?) \| ?(.*?) \| ", text, re.MULTILINE)
    return {
        Topic(name, kind): (set(re.findall(r"`(\w+)`", to)), set(re.findall(r"`(\w+)`", of)))
        for name, kind, to, of in rows
    }


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[tuple[str, Node]]]:
    """Each executable and its node; the fusion node listens."""
    robots = {ROBOT: tuple(AMIRO)}
    unreachable = gazebo_bridge(robots, master="http://127.0.0.1:1")
    weights = untrained_weights(tmp_path / "weights")
    fused = fusion(ROBOT, weights=str(weights), use_sim_time=True)
    kinds = (
        (AmiroSimNode, simulator({"amiro1": tuple(AMIRO)})),
        (GazeboBridgeNode, unreachable),
        (FusionNode, fused),
        (PatrolNode, patrol(ROBOT, tuple(AMIRO), ())),
        (PlannerNode, planner(robots, (), str(weights))),
    )
    context = Context()
    rclpy.init(context=context)
    made = [(spec.executable, start(kind, spec, context)) for kind, spec in kinds]
    yield made
    for _, node in made:
        node.destroy_node()
    context.try_shutdown()


def start(kind: Any, spec: NodeSpec, context: Context) -> Node:
    given = [Parameter(name, value=value) for name, value in spec.parameters.items()]
    node = kind(namespace=spec.namespace, context=context, parameter_overrides=given)
    if spec.lifecycle:
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        node._listen()  # it waits for no time
    return node


@needs_gazebo()
def test_the_table_of_topics_is_what_nodes_write_and_read(nodes) -> None:
    found: Ends = defaultdict(lambda: (set(), set()))

    def note(executable: str, ends: Iterable[Any], side: int) -> None:
        for end in ends:
            if not OF_EVERY_NODE.fullmatch(end.topic_name):
                name = re.sub(rf"^/({ROBOT}|amiro1)/", "", end.topic_name)
                kind = type_name(end.msg_type).replace("/msg/", "/")
                found[Topic(name, kind)][side].add(executable)

    for executable, node in nodes:
        if executable in ("fusion_node", "planner"):  # a writer is made with the first embedding
            found[Topic("/embeddings", "m2vae_ros/LatentEmbedding")][0].add(executable)
        note(executable, node.publishers, 0)
        note(executable, node.subscriptions, 1)
    assert documented() == found
