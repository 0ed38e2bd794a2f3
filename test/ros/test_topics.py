# SPDX-License-Identifier: Apache-2.0
"""Quality of service can be set from outside, as far as robots still understand each other."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from gazebo_master import needs_gazebo
from m2vae_ros.msg import LatentEmbedding
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from ros_team import image, team
from rosgraph_msgs.msg import Clock
from untrained import untrained_weights

from m2vae_ros.nodes.amiro_sim_node import AmiroSimNode
from m2vae_ros.nodes.gazebo_bridge_node import GazeboBridgeNode
from m2vae_ros.nodes.patrol_node import PatrolNode
from m2vae_ros.ros import qos
from m2vae_ros.ros.messages import stamp
from m2vae_ros.ros.parameters import ParameterError

pytestmark = pytest.mark.ros

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
IMAGES = "/amiro1/front_camera/image_raw"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return untrained_weights(tmp_path_factory.mktemp("weights"))


ELSEWHERE = [
    (PatrolNode, "/amiro1/cmd_vel", "publisher"),
    (PatrolNode, "/amiro1/patrol/progress", "publisher"),
    (PatrolNode, "/amiro1/odom", "subscription"),
    (PatrolNode, "/amiro1/classification", "subscription"),
    (AmiroSimNode, "/clock", "publisher"),
    (AmiroSimNode, "/amiro1/odom", "publisher"),
    (AmiroSimNode, "/amiro1/cmd_vel", "subscription"),
    (AmiroSimNode, IMAGES, "publisher"),
    (AmiroSimNode, "/amiro1/front_camera/camera_info", "publisher"),
    (GazeboBridgeNode, "/clock", "publisher"),
    (GazeboBridgeNode, "/diagnostics", "publisher"),
    (GazeboBridgeNode, "/amiro1/odom", "publisher"),
    (GazeboBridgeNode, "/amiro1/cmd_vel", "subscription"),
    (GazeboBridgeNode, IMAGES, "publisher"),
]

OTHERS = {
    PatrolNode: {},
    AmiroSimNode: {"robots": ["amiro1/camera"]},
    GazeboBridgeNode: {"robots": ["amiro1/camera"], "master": "http://127.0.0.1:1"},
}
KINDS = [
    pytest.param(kind, marks=needs_gazebo() if kind is GazeboBridgeNode else [], id=kind.__name__)
    for kind in OTHERS
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_topic_of_a_node_is_offered_and_asked_for_as_the_parameters_say(kind: type) -> None:
    ends = [(topic, end) for node, topic, end in ELSEWHERE if node is kind]
    # What each has by default is the other of the two.
    asked = {f"qos_overrides.{topic}.{end}.durability": "transient_local" for topic, end in ends}
    with team() as t:
        before = t.add(kind, namespace="/amiro1", **OTHERS[kind])
        assert {durability(before, *end) for end in ends} == {DurabilityPolicy.VOLATILE}
        t.drop(before)
        node = t.add(kind, namespace="/amiro1", **OTHERS[kind], **asked)
        assert {durability(node, *end) for end in ends} == {DurabilityPolicy.TRANSIENT_LOCAL}


def durability(node: Any, topic: str, end: str) -> DurabilityPolicy:
    """As the graph has it, of what the node has on a topic."""
    return endpoint(node, topic, end).durability


def endpoint(node: Any, topic: str, end: str) -> Any:
    """Quality of service, as the graph has it, of what the node has on a topic."""
    infos = node.get_publishers_info_by_topic(topic)
    if end == "subscription":
        infos = node.get_subscriptions_info_by_topic(topic)
    (info,) = [info for info in infos if info.node_name == node.get_name()]
    return info.qos_profile


def test_a_fusion_nodes_topics_are_as_the_parameters_say(weights) -> None:
    asked = {
        f"qos_overrides.{IMAGES}.subscription.reliability": "reliable",
        "qos_overrides./amiro1/odom.subscription.reliability": "reliable",
        "qos_overrides./amiro1/classification.publisher.reliability": "best_effort",
        "qos_overrides./diagnostics.publisher.reliability": "best_effort",
    }
    reliable, best_effort = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"], **asked)
        assert endpoint(node, IMAGES, "subscription").reliability == reliable
        assert endpoint(node, "/amiro1/odom", "subscription").reliability == reliable
        told = endpoint(node, "/amiro1/classification", "publisher")
        assert told.reliability == best_effort
        assert endpoint(node, "/diagnostics", "publisher").reliability == best_effort
        other = t.active_robot("amiro2", weights, ["camera"])  # the defaults are as they were
        images = endpoint(other, IMAGES.replace("amiro1", "amiro2"), "subscription")
        assert images.reliability == best_effort


@pytest.mark.parametrize("depth", [1, None])
def test_a_shallow_reader_of_a_remapped_topic_misses_what_comes_at_once(
    depth: int | None, weights, tmp_path: Path
) -> None:
    override = {"qos_overrides": {"/team": {"subscription": {"depth": depth}}}}
    file = tmp_path / "parameters.yaml"
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": override if depth else {"a": 1}}}))
    arguments = ["--ros-args", "-r", "/embeddings:=/team", "--params-file", str(file)]
    with team() as t:
        sender = t.active_robot("amiro1", weights, ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        t.drop(sender)
        node = t.robot("amiro2", weights, [""], cli_args=arguments)
        assert node.trigger_configure() == node.trigger_activate() == SUCCESS
        tell = t.tester.create_publisher(LatentEmbedding, "/team", qos.EMBEDDINGS)
        t.until(lambda: tell.get_subscription_count() == 1)
        t.executor.remove_node(node)
        for number in range(20):
            message = copy.deepcopy(t.embeddings[0])
            message.object_id, message.position.x = f"post{number}", float(number)
            tell.publish(message)
        t.settle()  # while it does not look
        t.executor.add_node(node)
        t.until(lambda: node._memory.get("post19") is not None)
        assert t.counted("amiro2", "received /embeddings") == (depth or 20)


REFUSED = {
    "/embeddings.publisher.durability": ("volatile", "must be transient_local and reliable"),
    "/embeddings.publisher.reliability": ("best_effort", "must be transient_local and reliable"),
    "/embeddings.subscription.durability": ("volatile", "must be transient_local and reliable"),
    "/embeddings.subscription.depth": (0, "depth: 0 is below 1"),
    "/embeddings.subscription.history": ("keep_some", "keep_some"),
    "/amiro1/odom.subscription.reliability": (3, "reliability"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_break_the_exchange_or_makes_no_sense_keeps_a_node_from_activation(
    name: str, weights
) -> None:
    value, reason = REFUSED[name]
    with team() as t:
        node = t.robot("amiro1", weights, ["camera"], **{f"qos_overrides.{name}": value})
        assert node.trigger_configure() == SUCCESS
        assert node.trigger_activate() == FAILURE
        topic = name.rsplit(".", 2)[0]
        assert f"parameter qos_overrides.{topic}" in node._drops.last_error
        assert reason in node._drops.last_error


def test_a_node_that_cannot_subscribe_once_the_time_is_known_is_inactive_again(weights) -> None:
    asked = {"qos_overrides./embeddings.subscription.durability": "volatile"}
    with team() as t:
        node = t.robot("amiro1", weights, ["camera"], use_sim_time=True, **asked)
        assert node.trigger_configure() == node.trigger_activate() == SUCCESS
        t.send("/clock", Clock(clock=stamp(10**9)))
        t.until(lambda: node._phase == "inactive")
        assert "transient_local" in node._drops.last_error
        assert node.trigger_cleanup() == SUCCESS


def test_other_nodes_do_not_start_with_what_makes_no_sense() -> None:
    given = {"qos_overrides./amiro1/cmd_vel.publisher.reliability": "perhaps"}
    with (
        team() as t,
        pytest.raises(ParameterError, match=r"qos_overrides./amiro1/cmd_vel.*perhaps"),
    ):
        t.add(PatrolNode, namespace="/amiro1", **given)
