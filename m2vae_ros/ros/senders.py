# SPDX-License-Identifier: Apache-2.0
"""Who speaks in whose name, as far as ROS shows who publishes.

With anti-entropy the writer of a message says little: whoever lacks a statement gets it from any
robot that holds it (docs/security.md). What a robot can see is which nodes publish at all. So it
can tell two kinds of speech that no team without an enemy, or a mistake in set-up, has. It tells of
them, and believes nothing less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rclpy.node import Node
from rclpy.utilities import get_rmw_implementation_identifier

from m2vae_ros.sensors.messages import NANOSECONDS

GRACE = 3 * NANOSECONDS
"""By which a robot may have sensed after it was last seen here: more than from look to look."""

MOST_KNOWN = 256
"""Robots that have published here of which it is remembered until when."""

MOST_TOLD = 10
"""Names of each kind that are told."""

_GUID_PREFIX = 12
"""Bytes of a GUID that name the participant, one for each process [DDSI-RTPS 2.5, 9.3.1]."""


@dataclass(frozen=True)
class Writer:
    """Somebody who publishes.

    Attributes:
        robot: the namespace of the node.
        participant: the DDS participant; None where the middleware is no DDS.
    """

    robot: str
    participant: bytes | None


class Senders:
    """Compares those who speak with those who publish; times are nanoseconds of any clock."""

    def __init__(self) -> None:
        self._began: int | None = None
        self._seen: dict[str, int] = {}  # robot -> when it last published here
        self._suspected: frozenset[str] = frozenset()

    def look(
        self, newest: Mapping[str, int], writers: Iterable[Writer], now: int, tolerance: int
    ) -> dict[str, str]:
        """What is to be told, once in a while: a title -> the names, none if there is nothing.

        A robot cannot speak of what was sensed after it had gone. What is seen at one look alone
        is not told: a writer's name comes a moment after it.

        Args:
            newest: sender -> the time of the newest reading in anything said in its name.
            writers: all who publish embeddings.
            now: of this robot's clock.
            tolerance: by which clocks may differ.
        """
        participants: dict[str, set[bytes | None]] = {}
        for writer in writers:
            participants.setdefault(writer.robot, set()).add(writer.participant)
        if self._began is None or now < self._began:  # time has begun anew
            self._began, self._seen = now, {}
        for robot in participants:
            self._seen.pop(robot, None)
            self._seen[robot] = now
        while len(self._seen) > MOST_KNOWN:  # the one that has been away for longest
            del self._seen[next(iter(self._seen))]
        absent = frozenset(
            sender
            for sender, stamp in newest.items()
            if sender not in participants
            and stamp > self._seen.get(sender, self._began) + GRACE + tolerance
        )
        self._suspected, before = absent, self._suspected
        found = {
            "senders without a node": absent & before,
            "robots with several nodes": [r for r, them in participants.items() if len(them) > 1],
        }
        return {title: _listed(names) for title, names in found.items() if names}


def writers_on(node: Node, topic: str) -> list[Writer]:
    """All who publish on a topic of a node."""
    is_dds = any(kind in get_rmw_implementation_identifier() for kind in ("dds", "rtps"))
    return [
        Writer(
            info.node_namespace.strip("/"),
            bytes(info.endpoint_gid[:_GUID_PREFIX]) if is_dds else None,
        )
        for info in node.get_publishers_info_by_topic(topic)
    ]


def _listed(names: Iterable[str]) -> str:
    told = sorted(names)
    more = len(told) - MOST_TOLD
    return ", ".join(told[:MOST_TOLD]) + (f" and {more} more" if more > 0 else "")
