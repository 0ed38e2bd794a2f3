# SPDX-License-Identifier: Apache-2.0
"""Carries the embeddings of robots that do not hear each other, as channels decide.

Each robot has a topic of its own instead of /embeddings. On it every other robot has a stand-in: a
DDS participant with a reader and a writer, which come and go with the robot they stand for. So a
robot meets as many participants as in a team without a relay. What travels is never deserialised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import rclpy
from rclpy.context import Context
from rclpy.node import Node

from m2vae_ros.apps.chaos.channel import Channel
from m2vae_ros.msg import LatentEmbedding
from m2vae_ros.ros import qos

EMBEDDINGS = "/embeddings"


def topic_of(robot: str) -> str:
    """What a robot has instead of /embeddings."""
    return f"/{robot}{EMBEDDINGS}"


class StandIn:
    """A DDS participant that takes part on the topics of some robots."""

    def __init__(self, name: str, robots: Iterable[str]) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node(f"{name}_stand_in", context=self._context)
        self._writers = {
            robot: self._node.create_publisher(LatentEmbedding, topic_of(robot), qos.EMBEDDINGS)
            for robot in robots
        }
        for robot in self._writers:  # which is there to be seen: nothing is ever taken from it
            self._node.create_subscription(
                LatentEmbedding, topic_of(robot), _ignore, qos.LATEST_OF_ONE_OBJECT, raw=True
            )

    def say(self, robot: str, data: bytes) -> None:
        """Publish bytes, whatever they are, on a robot's topic."""
        self._writers[robot].publish(data)

    def leave(self) -> None:
        """Be gone, at once for all."""
        self._node.destroy_node()
        self._context.try_shutdown()


class Relay:
    """All channels between the robots of a team, and what an enemy says.

    Attributes:
        channels: (from, to) -> the channel.
    """

    def __init__(
        self,
        node: Node,
        robots: Iterable[str],
        channel: Callable[[str, str], Channel],
        overhear: Callable[[str, bytes], None],
    ) -> None:
        """Listen to all robots; nobody has joined yet.

        Args:
            node: hears the robots; whoever spins it calls `deliver`, too.
            robots: all that may ever join.
            channel: makes that from one to another.
            overhear: called with the robot and each message that it published.
        """
        self._robots = tuple(robots)
        self.channels: Mapping[tuple[str, str], Channel] = {
            (a, b): channel(a, b) for a in self._robots for b in self._robots if a != b
        }
        self._overhear = overhear
        self._stand_ins: dict[str, StandIn] = {}
        self._echoes: dict[str, Counter[bytes]] = {robot: Counter() for robot in self._robots}
        self._now = 0.0
        for robot in self._robots:
            hear = partial(self._hear, robot)
            node.create_subscription(
                LatentEmbedding, topic_of(robot), hear, qos.EMBEDDINGS, raw=True
            )

    def join(self, robot: str) -> None:
        """A robot, or an enemy, is there from now on."""
        self._stand_ins[robot] = StandIn(robot, [r for r in self._robots if r != robot])

    def leave(self, robot: str) -> None:
        """It is gone; what is under way from it still arrives in no network."""
        self._stand_ins.pop(robot).leave()

    def say(self, enemy: str, robot: str, data: bytes) -> None:
        """Let somebody who has joined say something to a robot, whatever its channel does."""
        self._echoes[robot][data] += 1
        self._stand_ins[enemy].say(robot, data)

    def deliver(self, now: float) -> None:
        """Deliver what arrives until now (seconds); what comes in next was sent at this time."""
        self._now = now
        for (source, robot), channel in self.channels.items():
            for data in channel.due(now):
                if source in self._stand_ins:
                    self.say(source, robot, data)

    @property
    def idle(self) -> bool:
        """Whether no message is under way."""
        return all(channel.empty for channel in self.channels.values())

    @property
    def counts(self) -> Counter[str]:
        """What became of messages, over all channels."""
        return sum((channel.counts for channel in self.channels.values()), Counter())

    def close(self) -> None:
        """Let everybody leave."""
        for robot in list(self._stand_ins):
            self.leave(robot)

    def _hear(self, source: str, data: bytes) -> None:
        """Pass on what a robot published; what was put in here comes back once, byte for byte."""
        echoes = self._echoes[source]
        if data in echoes:
            echoes[data] -= 1
            if not echoes[data]:
                del echoes[data]
            return
        self._overhear(source, data)
        for robot in self._robots:
            if robot != source:
                self.channels[source, robot].send(data, self._now)


def _ignore(data: bytes) -> None:
    """Never called: nobody spins a stand-in."""
