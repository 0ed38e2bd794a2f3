# SPDX-License-Identifier: Apache-2.0
"""Plays a rosbag2 back: the recorded bytes, at the recorded intervals, as they were offered."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from m2vae_ros.bags.reader import BagFile, BagMessage, BagTopic, messages_of, start_of, topics_of
from m2vae_ros.bags.types import MessageTypes
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.ros import bag_qos, messages
from m2vae_ros.ros.beside import AMID_WORK, node_beside
from m2vae_ros.ros.message_types import UnknownType, message_class, message_definition
from m2vae_ros.ros.process import install_shutdown_handlers

CLOCK = "/clock"

_LAST_WORDS = 2.0
"""Seconds that readers have to confirm the last messages."""


class Player:
    """Publishes a bag.

    Attributes:
        played: topic -> messages published.
        refused: topic or file -> why it is not played, in part or at all.
    """

    def __init__(
        self,
        node: Node,
        files: Sequence[BagFile],
        topics: Sequence[str] = ("*",),
        *,
        rate: float = 1.0,
        offset: float = 0.0,
        clock: float | None = None,
    ) -> None:
        """Offer the topics; nothing is published yet.

        Args:
            node: that publishes.
            files: of one bag.
            topics: names, or patterns with * and ?.
            rate: seconds of the bag for each second.
            offset: seconds of the bag to leave out at its beginning.
            clock: how often a second to publish the time of recording on /clock, in place of a
                /clock in the bag; by default that is played like any other topic.

        Raises:
            DataError: nothing in the bag can be played; the message says why.
        """
        self.played: Counter[str] = Counter()
        self.refused: dict[str, str] = {}
        self._node = node
        self._patterns = [name if name[:1] in "/*" else f"/{name}" for name in topics]
        self._rate, self._offset = rate, round(offset * messages.NANOSECONDS)
        self._types = MessageTypes(message_definition)
        self._publishers: dict[BagTopic, Publisher[Any]] = {}
        self._period = 0.0 if clock is None else 1.0 / clock
        self._clock = clock and node.create_publisher(Clock, CLOCK, QoSProfile(depth=1))
        starts = []
        for file in files:
            with self._damage():
                if (start := start_of(file)) is not None:
                    starts.append((start, file))
                for topic in topics_of(file):
                    self._offer(topic)
        starts.sort(key=itemgetter(0))
        self._files = [file for _, file in starts]
        if not self._files or not self._publishers:
            reasons = self._reasons() or ["no messages, or none of these topics"]
            raise DataError(f"nothing to play: {'; '.join(reasons)}")
        self._start = starts[0][0]

    def run(self, stop: threading.Event, note: Callable[[float], None] = lambda at: None) -> None:
        """Publish the bag once.

        Args:
            stop: ends it before its end.
            note: called with the seconds of the bag that lie behind, now and then.

        Raises:
            DataError: there is no message of these topics after the offset.
        """
        since = self._start + self._offset
        begin = self._tick = time.monotonic()
        found = False
        for message in self._messages(since):
            found = True
            due = begin + (message.stamp - since) / messages.NANOSECONDS / self._rate
            if not self._wait(due, begin, since, stop):
                return
            self._publishers[message.topic].publish(message.data)
            self.played[message.topic.name] += 1
            note((message.stamp - self._start) / messages.NANOSECONDS)
        if not found:
            late = f"no message of these topics after {self._offset / messages.NANOSECONDS:g} s"
            raise DataError(f"nothing to play: {'; '.join([late, *self._reasons()])}")

    def close(self) -> None:
        """Give reliable readers the time to get the last messages, and withdraw."""
        deadline = time.monotonic() + _LAST_WORDS
        for publisher in self._publishers.values():
            left = max(0.0, deadline - time.monotonic())
            if publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE:
                publisher.wait_for_all_acked(Duration(seconds=left))
            self._node.destroy_publisher(publisher)

    def _reasons(self) -> list[str]:
        return [f"{name}: {reason}" for name, reason in self.refused.items()]

    def _offer(self, topic: BagTopic) -> None:
        if (
            topic in self._publishers
            or not any(fnmatchcase(topic.name, pattern) for pattern in self._patterns)
            or (topic.name == CLOCK and self._clock)
        ):
            return
        try:
            kind = message_class(topic.type)
            self._types.learn(topic.type)
        except (UnknownType, DataError) as error:
            self.refused[topic.name] = str(error)
            return
        if topic.digest and topic.digest != self._types.store.hash_rihs01(topic.type):
            self.refused[topic.name] = f"the installed {topic.type} is another than the recorded"
            return
        self._publishers[topic] = self._node.create_publisher(
            kind, topic.name, bag_qos.from_bag(topic.qos)
        )

    def _messages(self, since: int) -> Iterator[BagMessage]:
        for file in self._files:
            with self._damage():
                yield from messages_of(file, self._publishers.__contains__, since=since)

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """What makes a file unreadable from some point on is reported; the next file goes on."""
        try:
            yield
        except DataError as error:
            path, _, reason = str(error).partition(": ")
            self.refused[path] = reason

    def _wait(self, due: float, begin: float, since: int, stop: threading.Event) -> bool:
        """Let the time pass, and tell it; False if it is to end."""
        while not stop.is_set():
            now = time.monotonic()
            if self._clock and now >= self._tick:
                passed = round((now - begin) * self._rate * messages.NANOSECONDS)
                self._clock.publish(Clock(clock=messages.stamp(since + passed)))
                self._tick = max(self._tick + self._period, now)
            if now >= due:
                return True
            stop.wait(min(due, self._tick if self._clock else due) - now)
        return False


def play(
    files: Sequence[BagFile],
    *,
    loop: bool = False,
    delay: float = 1.0,
    note: Callable[[Player, float], None] = lambda player, at: None,
    **playing: Any,
) -> Player:
    """Play a bag until its end, SIGINT or SIGTERM.

    Args:
        files: of the bag.
        loop: begin again at the end.
        delay: seconds between offering the topics and the first message, for readers to find them.
        note: called, with each message, the player and the seconds of the bag that lie behind.
        playing: see `Player`.

    Returns:
        The player, which says what it played.

    Raises:
        DataError: nothing in the bag can be played.
    """
    stop = install_shutdown_handlers()
    # nothing spins it, so it offers no services that would not be answered
    silent = {"start_parameter_services": False, "enable_rosout": False}
    name = f"player_{os.getpid()}"
    made = node_beside(lambda context: Node(name, context=context, **silent), AMID_WORK)
    with made as (node, _):
        player = Player(node, files, **playing)
        stop.wait(delay)
        again = True
        while again and not stop.is_set():
            player.run(stop, lambda at: note(player, at))
            again = loop
        player.close()
        return player
