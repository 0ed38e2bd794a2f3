# SPDX-License-Identifier: Apache-2.0
"""Whether a sensor suite and bags fit, said before anything is trained."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from m2vae_ros.bags.context import robot_of
from m2vae_ros.bags.namespaces import below, robots_with
from m2vae_ros.bags.one_robot import apart
from m2vae_ros.bags.reader import BagTopic, Decoder, find_bags, messages_of
from m2vae_ros.bags.topics import FoundTopic, find_topics
from m2vae_ros.bags.values import Values
from m2vae_ros.sensors import ObservationError, SensorSuite
from m2vae_ros.sensors.messages import ODOMETRY, nanoseconds
from m2vae_ros.sensors.suite import STRING
from m2vae_ros.sensors.view import Stream

LOOKED_AT = 500
"""Messages of a topic that are read with the views, one after the other; more for long windows."""

WINDOWS = 4
"""Of a view that takes time, in those messages: what begins with a gap in them is lost."""

STRETCHES = 4
"""So many times at most: a sensor that rests while the recording begins need not be broken."""


@dataclass
class Fit:
    """How a bag and a suite go together.

    Attributes:
        readings: modality -> how many readings the messages that were looked at gave.
        rates: modality -> messages in a second, of all robots together.
        problems: sentences, each of which names what does not fit; none: everything does.
        hints: sentences about readings that fit, but that may not be meant so.
    """

    readings: Counter[str] = field(default_factory=Counter)
    rates: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


def check(suite: SensorSuite, paths: Sequence[Path]) -> Fit:
    """Whether the readings of bags can be those of a suite, going by some of each topic.

    Raises:
        DataError: a path is no bag, or one is damaged.
    """
    topics = find_topics(paths)
    fit = Fit(rates=rates_of(suite, topics))
    for name, modality in suite.items():
        matches = [t for t in topics if _of(t.name, modality.topic)]
        right = [t for t in matches if t.type == modality.type]
        for topic in matches:
            if topic not in right:
                fit.problems.append(
                    f"modalities.{name}.type: {topic.name} is a {topic.type}, not a {modality.type}"
                )
        if not matches:
            fit.problems.append(f"modalities.{name}.topic: no robot has {modality.topic}")
        elif right and not any(topic.count for topic in right):
            fit.problems.append(f"modalities.{name}.topic: {right[0].name} has no messages")
    fit.problems += apart(suite, topics)
    _read_some(suite, paths, {topic.name: topic for topic in topics}, fit)
    placed = suite.about.kind == "objects" and suite.sampling.labels == "name"
    if placed and not any(_of(t.name, ODOMETRY.topic) for t in topics):
        fit.problems.append(f"about: no robot has {ODOMETRY.topic}, which places it")
    if suite.about.kind == "topic":
        about = suite.about
        if not any(_of(t.name, about.topic) and t.type == about.type for t in topics):
            fit.problems.append(f"about.topic: no robot has {about.topic} of {about.type}")
    if suite.sampling.labels not in ("", "name"):
        _check_labels(suite, topics, fit)
    elif suite.classes:
        _check_names(suite, topics, fit)
    return fit


def rates_of(suite: SensorSuite, topics: Sequence[FoundTopic]) -> dict[str, float]:
    """Modality -> messages in a second, of all robots together."""
    return {
        name: sum(t.rate for t in topics if t.type == m.type and _of(t.name, m.topic))
        for name, m in suite.items()
    }


def scarce(suite: SensorSuite, rates: Mapping[str, float]) -> str:
    """Which sensor decides how many samples there will be, if one does; "" if none does.

    Where readings of one time make a sample there are no more samples than readings of the slowest.

    Args:
        suite: that pairs the readings.
        rates: modality -> messages in a second.
    """
    if suite.sampling.pairing != "time" or len(suite) < 2:
        return ""
    readings = {
        name: min(rates[name], 1.0 / view.period) if view.period else rates[name]
        for name, view in suite.views.items()
    }
    slowest, next_to_it, *_ = sorted(readings, key=readings.__getitem__)
    if readings[slowest] > 0.5 * readings[next_to_it] or not readings[next_to_it]:
        return ""
    return (
        f"modalities.{slowest}: {readings[slowest]:.3g} readings a second, {next_to_it} "
        f"{readings[next_to_it]:.3g}; with pairing: time a bag gives no more samples than its "
        "slowest sensor readings"
    )


def _check_labels(suite: SensorSuite, topics: Sequence[FoundTopic], fit: Fit) -> None:
    said = [t for t in topics if _of(t.name, suite.sampling.labels) and t.type == STRING]
    if not said:
        fit.problems.append(f"sampling.labels: no {STRING} called {suite.sampling.labels}")
        return
    texts = Counter[str]()
    for topic in said:
        texts.update(topic.texts)
    seen = {suite.class_named(text) for text in texts if text}
    for text in sorted(texts):
        if text and suite.class_named(text) is None:
            fit.problems.append(f"classes: {text!r} is said in the bag, but is no class")
    for name in suite.classes:
        if name not in seen:
            fit.problems.append(f"classes: {name!r} is never said in the bag")


def _check_names(suite: SensorSuite, topics: Sequence[FoundTopic], fit: Fit) -> None:
    """Whether names of robots, or those on a topic, say classes; those of objects the world has."""
    said = [topic for topic in topics if topic.type == STRING]
    robots = {robot for m in suite.values() for robot in robots_with(topics, m.topic, m.type)}
    names: set[str] = set()
    if suite.about.kind == "robot":
        names = {robot or "robot" for robot in robots}
    elif suite.about.type == STRING:
        names = {text for t in said if _of(t.name, suite.about.topic) for text in t.texts if text}
    if not names or any(map(suite.class_named, names)):
        return
    saying = [below(t.name, robots) for t in said if any(map(suite.class_named, t.texts))]
    fit.problems.append(
        f"sampling.labels: is name, as where it is left out, but {min(names)!r} is the name of no "
        f"class; say which {STRING} has it, such as labels: {next(iter(saying), 'label')}"
    )


def _read_some(
    suite: SensorSuite, paths: Sequence[Path], topics: Mapping[str, FoundTopic], fit: Fit
) -> None:
    """Read some messages of each topic with the views."""
    streams: dict[tuple[str, str], Stream] = {}
    seen = {name: Values(view) for name, view in suite.views.items()}
    passed: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    decode = Decoder()

    def wanted(topic: BagTopic) -> bool:
        return bool(_names(suite, topic)) and not decode.differs(topic)

    for file in find_bags(paths):
        for message in messages_of(file, wanted):
            topic, names = topics[message.topic.name], _names(suite, message.topic)
            index = passed[topic.name]
            passed[topic.name] += 1
            span = max(suite[name].view.span for name in names)
            stretch = max(LOOKED_AT, math.ceil(WINDOWS * span * topic.rate))
            if index % max(stretch, math.ceil(topic.count / STRETCHES)) >= stretch:
                continue
            decoded = decode(message)
            stamp = message.stamp
            if hasattr(decoded, "header"):
                stamp = nanoseconds(decoded.header.stamp)
            for name in names:
                key = (topic.name, name)
                tried[name] += 1
                stream = streams.setdefault(key, suite[name].view.stream())
                try:
                    reading = stream(decoded, stamp)
                except ObservationError as error:
                    reasons[name][str(error)] += 1
                    continue
                if reading is not None:
                    fit.readings[name] += 1
                    seen[name].add(reading)
    for name, found in reasons.items():
        reason = found.most_common(1)[0][0]
        fit.problems.append(
            f"modalities.{name}.view: {found.total()} of {tried[name]} messages do not fit: "
            f"{reason}"
        )
    for name in suite:
        if not fit.readings[name] and name not in reasons and fit.rates[name]:
            fit.problems.append(f"modalities.{name}.view: no reading came of the messages")
        if seen[name].problem:
            fit.problems.append(f"modalities.{name}.view: {seen[name].problem}")
        if seen[name].hint:
            fit.hints.append(f"modalities.{name}.view: {seen[name].hint}")


def _names(suite: SensorSuite, topic: BagTopic) -> list[str]:
    return [n for n, m in suite.items() if topic.type == m.type and _of(topic.name, m.topic)]


def _of(topic: str, relative: str) -> bool:
    """Whether a topic is that of some robot."""
    return robot_of(topic, relative) is not None
