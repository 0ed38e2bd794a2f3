# SPDX-License-Identifier: Apache-2.0
"""Which robots there are, as far as the names of topics tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from m2vae_ros.bags.context import robot_of
from m2vae_ros.bags.topics import FoundTopic
from m2vae_ros.sensors.messages import ODOMETRY


def robots_with(topics: Iterable[FoundTopic], relative: str, kind: str) -> dict[str, FoundTopic]:
    """The namespace of each robot that has messages of a topic -> the topic.

    Args:
        topics: those of bags.
        relative: what it is called below a robot's namespace, see `bags.context.robot_of`.
        kind: type of its messages.
    """
    found = {robot_of(t.name, relative): t for t in topics if t.count and t.type == kind}
    return {robot: topic for robot, topic in found.items() if robot is not None}


def robots_among(topics: Sequence[FoundTopic], labels: FoundTopic | None) -> list[str]:
    """The namespaces of robots, in order; "" is that of one without.

    Who has odometry is a robot. Otherwise the first parts of names are robots, unless a sensor has
    no such part, or they have nothing in common or a label that is of none of them: then they are
    sensors, or drivers, of one robot without a namespace.

    Args:
        topics: of sensors and odometry, at least one.
        labels: that with the classes, if there is one.
    """
    if placed := robots_with(topics, ODOMETRY.topic, ODOMETRY.type):
        return sorted(placed)
    parts = [(topic.name.strip("/").partition("/"), topic.type) for topic in topics]
    firsts = {first for (first, _, _), _ in parts}
    below = Counter((rest, kind) for (_, _, rest), kind in parts)
    alike = max(below.values()) > 1 and (labels is None or "/" in labels.name.strip("/"))
    if not all(rest for rest, _ in below) or len(firsts) > 1 and not alike:
        return [""]
    return [f"/{first}" for first in sorted(firsts)]


def below(topic: str, robots: Iterable[str]) -> str:
    """What a topic is called below the namespace of its robot; the whole name if it has none."""
    for robot in sorted(robots, key=len, reverse=True):
        if topic.startswith(f"{robot}/"):
            return topic.removeprefix(f"{robot}/")
    return topic


def called(robot: str) -> str:
    """What people are told of a robot's namespace."""
    return robot or "a robot without a namespace"
