# SPDX-License-Identifier: Apache-2.0
"""A topic of which nothing comes is told, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from running import until
from std_msgs.msg import Bool, String

from m2vae_ros.ros import qos
from m2vae_ros.ros.listening import PATIENCE, Listening

pytestmark = pytest.mark.ros


@contextmanager
def made(name: str, **options: Any) -> Iterator[Node]:
    """A node of its own context: within one, DDS refuses a topic with two types."""
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node(name, context=context, **options)
    try:
        yield node
    finally:
        node.destroy_node()
        context.try_shutdown()


@pytest.fixture
def robot() -> Iterator[Node]:
    """A robot whose topic "text" was remapped to a name with a mistake in it."""
    remapped = ["--ros-args", "-r", "text:=/txet"]
    with made("node", namespace="/robot", cli_args=remapped) as node:
        yield node


@pytest.fixture
def other() -> Iterator[Node]:
    with made("other") as node:
        yield node


def nobody(node: Node) -> None:
    pass


def elsewhere(node: Node) -> None:
    node.create_publisher(String, "/scribbled", 1)
    node.create_subscription(String, "/read_only", print, 1)


def other_type(node: Node) -> None:
    node.create_publisher(Bool, "/txet", 1)


def best_effort(node: Node) -> None:
    node.create_publisher(String, "/txet", qos.NEWEST_READING)


def silent(node: Node) -> None:
    node.create_publisher(String, "/txet", qos.EVERY_ONE)


REASONS = {
    nobody: "nobody publishes there",
    elsewhere: "nobody publishes there; std_msgs/msg/String is on /scribbled",
    other_type: "what is published there is std_msgs/msg/Bool, expected std_msgs/msg/String",
    best_effort: "the quality of service does not fit: Best effort publisher and reliable",
    silent: "somebody publishes there, but has sent nothing",
}


@pytest.mark.parametrize("publish", REASONS, ids=lambda publish: publish.__name__)
def test_a_silent_topic_is_told_once_and_why(
    publish: Callable[[Node], None], robot: Node, other: Node, capfd: pytest.CaptureFixture[str]
) -> None:
    publish(other)
    now = [0.0]
    listening = Listening(robot, Counter(), lambda: now[0])
    robot.create_publisher(String, "own", 1)  # is no place to look for what others say
    subscription = robot.create_subscription(String, "text", print, qos.EVERY_ONE)
    listening.expect("text", subscription)
    listening.expect("extra", robot.create_subscription(String, "extra", print, 1), needed=False)
    assert listening.names == ["/txet", "/robot/extra"]
    assert listening.counts == {"received text": 0, "received extra": 0}
    assert listening.look() == []
    until(lambda: known_publishers(robot) == (publish is not nobody))
    now[0] = PATIENCE
    assert listening.look() == listening.look() == ["/txet"]
    said = capfd.readouterr().err
    assert said.count("nothing has come") == 1
    assert f"nothing has come on /txet: {REASONS[publish]}" in said


def known_publishers(node: Node) -> int:
    return sum(node.count_publishers(name) for name in ("/scribbled", "/txet"))


def test_the_first_message_is_told_also_after_a_silence() -> None:
    said: list[str] = []
    logger = SimpleNamespace(info=said.append, warning=said.append)
    node = SimpleNamespace(
        get_logger=lambda: logger,
        get_publishers_info_by_topic=lambda topic: [],
        get_topic_names_and_types=list,
    )
    subscription = SimpleNamespace(topic_name="/a", msg_type=String)
    counts, now = Counter({"received a": 5}), [0.0]
    listening = Listening(node, counts, lambda: now[0])
    for _ in range(2):  # what came before it was deactivated does not count
        listening.expect("a", subscription)
        now[0] += 2 * PATIENCE
        assert listening.look() == ["/a"]
        counts["received a"] += 1
        assert listening.look() == listening.look() == []
        listening.end()
        assert listening.names == listening.look() == []
    silence = "nothing has come on /a: nobody publishes there"
    assert said == [silence, "first message of /a"] * 2
