# SPDX-License-Identifier: Apache-2.0
"""Whether a robot of bags has all that a sample of a suite takes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence

from m2vae_ros.bags.namespaces import below, called, robots_with
from m2vae_ros.bags.topics import FoundTopic
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.messages import ODOMETRY
from m2vae_ros.sensors.suite import STRING

Sources = Mapping[str, Mapping[str, FoundTopic]]
"""Modality -> namespace of each robot that has it -> its topic."""


def apart(suite: SensorSuite, topics: Sequence[FoundTopic]) -> Iterator[str]:
    """Sentences that name what no robot has together, and the key to change.

    Args:
        suite: what a robot has to have.
        topics: those of bags; what is of no robot at all is not told.
    """
    sources = {name: robots_with(topics, m.topic, m.type) for name, m in suite.items()}
    if not all(sources.values()):
        return
    needy = {name: set(robots) for name, robots in sources.items()}
    if suite.about.kind == "robot":  # all at one time, and not of what several of them sense
        needy = {"every sensor": set.intersection(*needy.values())}
        if not needy["every sensor"]:
            yield _sensors_apart(sources)
            return
    for key, relative, kind in _telling(suite):
        found = robots_with(topics, relative, kind)
        for what, robots in needy.items():
            if not found or relative.startswith("/") or robots & set(found):
                continue
            remedy = f"{key}: {min(found.items())[1].name}"
            if key == "about":  # odometry is nobody else's
                remedy = _below(what, sources, found)
            yield (
                f"{key}: {relative} is of {_listed(found)}, but {what} is of {_listed(robots)}; "
                f"if they are one robot's, say {remedy}"
            )


def _sensors_apart(sources: Sources) -> str:
    robots = [min(of) for of in sources.values()]
    common = posixpath.commonpath([f"{robot}/" for robot in robots]).rstrip("/")
    remedies = [_below(name, sources, [common]) for name, of in sources.items() if common not in of]
    whose = ", ".join(f"{name} is of {_listed(of)}" for name, of in sources.items())
    return (
        f"modalities: no robot has all of them: {whose}; if they are one robot's, say "
        f"{', '.join(remedies)}"
    )


def _below(modality: str, sources: Sources, robots: Iterable[str]) -> str:
    """What a modality's topic would be, were it that of one of these robots."""
    (_, topic), *_ = sorted(sources[modality].items())
    return f"modalities.{modality}.topic: {below(topic.name, robots)}"


def _telling(suite: SensorSuite) -> Iterator[tuple[str, str, str]]:
    """Key of the suite, topic and type of what tells what readings are of."""
    if suite.about.kind == "topic":
        yield "about.topic", suite.about.topic, suite.about.type
    if suite.sampling.labels not in ("", "name"):
        yield "sampling.labels", suite.sampling.labels, STRING
    elif suite.about.kind == "objects":
        yield "about", *ODOMETRY


def _listed(robots: Iterable[str]) -> str:
    return ", ".join(map(called, sorted(robots)))
