# SPDX-License-Identifier: Apache-2.0
"""What a node hears of its topics, and why it hears nothing of one: a mistyped name is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible
from rclpy.subscription import Subscription

from m2vae_ros.ros.message_types import type_name

PATIENCE = 10.0
"""Seconds of silence after which something is wrong with a topic that the node needs."""

MOST_NAMED = 3
"""Topics that are proposed instead of a silent one."""


@dataclass
class _Topic:
    subscription: Subscription[Any]
    needed: bool
    before: int
    since: float
    heard: bool = False
    told: bool = False

    @property
    def name(self) -> str:
        """With its namespace, as it was remapped."""
        return self.subscription.topic_name


class Listening:
    """Tells once of each topic of a node that its first message came, or that none comes, and why.

    Args:
        node: that subscribes.
        counts: "received TOPIC" -> messages, as `DropLog` counts them.
        clock: seconds.
    """

    def __init__(
        self,
        node: Node,
        counts: Mapping[str, int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._counts = counts
        self._clock = clock
        self._topics: dict[str, _Topic] = {}

    def expect(self, topic: str, subscription: Subscription[Any], needed: bool = True) -> None:
        """Messages of a topic may come from now on.

        Args:
            topic: as it is counted.
            subscription: to it.
            needed: whether it is to be told if none comes.
        """
        count = self._counts[_received(topic)]
        self._topics[topic] = _Topic(subscription, needed, count, self._clock())

    def end(self) -> None:
        """Nothing is expected any more; the subscriptions may be destroyed."""
        self._topics.clear()

    @property
    def names(self) -> list[str]:
        """Of all topics, with their namespaces, as they were remapped."""
        return [topic.name for topic in self._topics.values()]

    @property
    def counts(self) -> Mapping[str, int]:
        """Of each topic what was received, also if it is nothing."""
        return {_received(topic): self._counts[_received(topic)] for topic in self._topics}

    def look(self) -> list[str]:
        """Say what is new; returns the names of the topics of which nothing comes."""
        silent, now = [], self._clock()
        for key, topic in self._topics.items():
            if not topic.heard and self._counts[_received(key)] > topic.before:
                topic.heard = True
                self._node.get_logger().info(f"first message of {topic.name}")
            if topic.heard or not topic.needed or now - topic.since < PATIENCE:
                continue
            silent.append(topic.name)
            if not topic.told:
                topic.told = True
                why = why_silent(self._node, key, topic.subscription)
                self._node.get_logger().warning(f"nothing has come on {topic.name}: {why}")
        return silent


def why_silent(node: Node, topic: str, subscription: Subscription[Any]) -> str:
    """Why nothing comes of a topic.

    Args:
        node: that subscribes.
        topic: as it was called when the subscription was made, before it was remapped.
        subscription: to it.
    """
    wanted = type_name(subscription.msg_type)
    publishers = node.get_publishers_info_by_topic(topic)
    if not publishers:
        others = [
            name
            for name, types in node.get_topic_names_and_types()
            if wanted in types and _others_publish(node, name)
        ]
        where = f"; {wanted} is on {', '.join(others[:MOST_NAMED])}" if others else ""
        return f"nobody publishes there{where}"
    right = [publisher for publisher in publishers if publisher.topic_type == wanted]
    if not right:
        types = sorted({publisher.topic_type for publisher in publishers})
        return f"what is published there is {', '.join(types)}, expected {wanted}"
    for publisher in right:
        found, reason = qos_check_compatible(publisher.qos_profile, subscription.qos_profile)
        if found != QoSCompatibility.ERROR:
            return "somebody publishes there, but has sent nothing"
    return f"the quality of service does not fit: {reason.removeprefix('ERROR: ').rstrip(';')}"


def _others_publish(node: Node, topic: str) -> bool:
    """Whether somebody does besides the node itself."""
    own = (node.get_name(), node.get_namespace())
    publishers = node.get_publishers_info_by_topic(topic)
    return any((one.node_name, one.node_namespace) != own for one in publishers)


def _received(topic: str) -> str:
    return f"received {topic}"
