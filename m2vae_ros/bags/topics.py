# SPDX-License-Identifier: Apache-2.0
"""What is in bags, topic by topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from m2vae_ros.bags.reader import Decoder, find_bags, messages_of, topics_of
from m2vae_ros.sensors.messages import NANOSECONDS
from m2vae_ros.sensors.suite import STRING

MOST_LABELS = 64
"""Different texts on a topic, above which they are no classes."""

SOME = 1000
"""Intervals between two messages by which a rate is told."""


@dataclass
class FoundTopic:
    """A topic as it was found in bags.

    Attributes:
        name: of the topic.
        type: of its messages.
        count: of messages.
        first, last: when it was recorded, nanoseconds.
        example: the first message, decoded; None if there is none, or it cannot be.
        texts: of std_msgs/String, how often each.
        size: bytes of a message, on average.
        intervals: between the first messages, nanoseconds.
    """

    name: str
    type: str
    count: int = 0
    first: int = 0
    last: int = 0
    example: Any = None
    texts: Counter[str] = field(default_factory=Counter)
    size: float = 0.0
    intervals: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Messages in a second while they come; pauses do not count."""
        usual = float(np.median(self.intervals)) if self.intervals else 0.0
        return NANOSECONDS / usual if usual > 0 else 0.0


def find_topics(
    paths: Iterable[Path], progress: Callable[[float], object] = lambda share: None
) -> list[FoundTopic]:
    """What is in bags, topic by topic.

    Args:
        paths: bags, folders of bags, or storage files.
        progress: called with the share that lies behind.

    Raises:
        DataError: a path is no bag, or one is damaged.
    """
    found: dict[str, FoundTopic] = {}
    decode = Decoder()
    files = find_bags(paths)
    for index, file in enumerate(files):

        def passed(share: float, index: int = index) -> None:
            progress((index + share) / len(files))

        for topic in topics_of(file):
            found.setdefault(topic.name, FoundTopic(topic.name, topic.type))
        for message in messages_of(file, lambda topic: True, passed):
            one = found[message.topic.name]
            if one.count and len(one.intervals) < SOME:
                one.intervals.append(message.stamp - one.last)
            one.first = min(one.first or message.stamp, message.stamp)
            one.last = max(one.last, message.stamp)
            one.size += (len(message.data) - one.size) / (one.count + 1)
            one.count += 1
            if one.example is None and not decode.differs(message.topic):
                one.example = decode(message)
            if one.type == STRING and len(one.texts) <= MOST_LABELS:
                one.texts[decode(message).data.strip()] += 1
    return sorted(found.values(), key=lambda topic: topic.name)
