# SPDX-License-Identifier: Apache-2.0
"""Carries the embeddings of robots that do not hear each other, as channels decide.

Each robot has topics of its own instead of those of the team. On them every other robot has a
stand-in: a DDS participant with readers and writers, which come and go with the robot they stand
for. So a robot meets as many participants as in a team without a relay. What travels is never
deserialised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile

from m2vae_ros.apps.chaos.channel import Channel
from m2vae_ros.msg import EmbeddingDigest, LatentEmbedding
from m2vae_ros.ros import qos
from m2vae_ros.ros.beside import AMID_WORK
from m2vae_ros.ros.process import letting_go

EMBEDDINGS = "/embeddings"
DIGESTS = "/embeddings/digests"


class Wire(NamedTuple):
    """What a team shares: the type of the messages, and how robots listen and say."""

    kind: type
    profile: QoSProfile
    seen: QoSProfile
    """Of readers that are there to be seen."""


WIRES = {
    EMBEDDINGS: Wire(LatentEmbedding, qos.EMBEDDINGS, qos.LATEST_OF_ONE_OBJECT),
    DIGESTS: Wire(EmbeddingDigest, qos.DIGESTS, qos.DIGESTS),
}


def topic_of(robot: str, topic: str = EMBEDDINGS) -> str:
    """What a robot has instead of a topic of the team."""
    return f"/{robot}{topic}"


class StandIn:
    """A DDS participant that takes part on the topics of some robots."""

    def __init__(self, name: str, robots: Iterable[str]) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node(f"{name}_stand_in", context=self._context)
        self._writers = {
            (robot, topic): self._node.create_publisher(
                wire.kind, topic_of(robot, topic), wire.profile
            )
            for robot in robots
            for topic, wire in WIRES.items()
        }
        for robot, topic in self._writers:  # which are there to be seen: nothing is taken from them
            wire = WIRES[topic]
            self._node.create_subscription(
                wire.kind, topic_of(robot, topic), _ignore, wire.seen, raw=True
            )

    def say(self, robot: str, data: bytes, topic: str = EMBEDDINGS) -> None:
        """Publish bytes, whatever they are, on a robot's topic."""
        self._writers[robot, topic].publish(data)

    def leave(self) -> None:
        """Be gone, at once for all."""
        with letting_go(AMID_WORK):
            self._node.destroy_node()
            self._context.try_shutdown()


class Relay:
    """All channels between the robots of a team, and what an enemy says."""

    def __init__(
        self,
        node: Node,
        robots: Iterable[str],
        channel: Callable[[str, str, str], Channel],
        overhear: Callable[[str, bytes], None],
    ) -> None:
        """Listen to all robots; nobody has joined yet.

        Args:
            node: hears the robots; whoever spins it calls `deliver`, too.
            robots: all that may ever join.
            channel: makes that from one to another for a topic of the team.
            overhear: called with the robot and each embedding that it published.
        """
        self._robots = tuple(robots)
        self._channels: Mapping[tuple[str, str, str], Channel] = {
            (a, b, topic): channel(a, b, topic)
            for a in self._robots
            for b in self._robots
            if a != b
            for topic in WIRES
        }
        self._overhear = overhear
        self._stand_ins: dict[str, StandIn] = {}
        self._echoes: dict[str, Counter[bytes]] = {robot: Counter() for robot in self._robots}
        self._now = 0.0
        for robot in self._robots:
            for topic, wire in WIRES.items():
                hear = partial(self._hear, robot, topic)
                node.create_subscription(
                    wire.kind, topic_of(robot, topic), hear, wire.profile, raw=True
                )

    def join(self, robot: str) -> None:
        """A robot, or an enemy, is there from now on, if it is not yet."""
        if robot not in self._stand_ins:
            self._stand_ins[robot] = StandIn(robot, [r for r in self._robots if r != robot])

    def leave(self, robot: str) -> None:
        """It is gone; what is under way from it still arrives in no network."""
        self._stand_ins.pop(robot).leave()

    def say(self, enemy: str, robot: str, data: bytes, topic: str = EMBEDDINGS) -> None:
        """Let somebody who has joined say something to a robot, whatever its channel does."""
        self._echoes[robot][data] += 1
        self._stand_ins[enemy].say(robot, data, topic)

    def deliver(self, now: float) -> None:
        """Deliver what arrives until now (seconds); what comes in next was sent at this time."""
        self._now = now
        for (source, robot, topic), channel in self._channels.items():
            for data in channel.due(now):
                if source in self._stand_ins:
                    self.say(source, robot, data, topic)

    @property
    def idle(self) -> bool:
        """Whether no embedding is under way; of digests there always is one."""
        return all(channel.empty for channel in self._of_embeddings)

    @property
    def counts(self) -> Counter[str]:
        """What became of embeddings, over all channels."""
        return sum((channel.counts for channel in self._of_embeddings), Counter())

    @property
    def _of_embeddings(self) -> list[Channel]:
        return [one for (_, _, topic), one in self._channels.items() if topic == EMBEDDINGS]

    def close(self) -> None:
        """Let everybody leave."""
        for robot in list(self._stand_ins):
            self.leave(robot)

    def _hear(self, source: str, topic: str, data: bytes) -> None:
        """Pass on what a robot published; what was put in here comes back once, byte for byte."""
        echoes = self._echoes[source]
        if data in echoes:
            echoes[data] -= 1
            if not echoes[data]:
                del echoes[data]
            return
        if topic == EMBEDDINGS:
            self._overhear(source, data)
        for robot in self._robots:
            if robot != source:
                self._channels[source, robot, topic].send(data, self._now)


def _ignore(data: bytes) -> None:
    """Never called: nobody spins a stand-in."""
