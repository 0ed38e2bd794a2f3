# SPDX-License-Identifier: Apache-2.0
"""A team of any size in one process: what each robot sends, and what it costs the others."""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass

from rclpy.serialization import serialize_message

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.ros.messages import embedding_message
from tools.bench.subjects import codes, node_engine

APART = 10.0
"""Metres between objects."""


@dataclass(frozen=True)
class Exchange:
    """What a team did.

    Attributes:
        sent: messages for each look of a robot.
        sent_bytes: and bytes.
        seconds: for each message that a robot received.
        agreed: whether all robots ended with the same.
    """

    sent: float
    sent_bytes: float
    seconds: float
    agreed: bool


def exchange(robots: int, rounds: int = 6, objects: int | None = None) -> Exchange:
    """Every robot looks at another object each round; then all messages reach all, in any order.

    Robot i has the sensor i mod 3 of the AMiRo's.

    Args:
        robots: how many.
        rounds: looks of each.
        objects: how many there are; by default as many as robots, and 8 at least.
    """
    objects = objects or max(8, robots)
    names = list(codes())
    team = [ObjectMemory(node_engine(), f"robot{i}", 0.3) for i in range(robots)]
    shuffled = random.Random(0)
    sent, size, seconds, received = 0, 0, 0.0, 0
    for stamp in range(1, rounds + 1):
        said: deque[Embedding] = deque()
        for i, robot in enumerate(team):
            which = (i + stamp) % objects
            name = names[i % len(names)]
            outcome = robot.observe(
                f"object{which}", (APART * which, 0.0, 0.0), {name: codes()[name]}, {name: stamp}
            )
            said.extend(outcome.said)
        while said:
            message = said.popleft()
            sent += 1
            size += len(serialize_message(embedding_message(message)))
            others = [robot for robot in team if robot.owner != message.sender]
            shuffled.shuffle(others)
            for robot in others:
                begin = time.perf_counter()
                outcome = robot.receive(message, stamp)
                seconds += time.perf_counter() - begin
                received += 1
                said.extend(outcome.said)
    looks = robots * rounds
    first = team[0].objects()
    return Exchange(
        sent / looks,
        size / looks,
        seconds / max(1, received),
        all(robot.objects() == first for robot in team),
    )
