# SPDX-License-Identifier: Apache-2.0
"""What the robots of a team say they hold, beside what is true."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from m2vae_ros.world.objects import WorldObject

GATE = 0.3
"""Metres between where an object is held to be and where it stands."""


@dataclass(frozen=True)
class Held:
    """One object, as a robot holds it.

    Attributes:
        class_name: the likeliest; "" if there is none.
        probability: of it.
        position: x, y, z in metres.
    """

    class_name: str
    probability: float
    position: tuple[float, float, float]


Knowledge = Mapping[str, Held]
"""Id -> what is held of that object."""


def shortfalls(objects: Iterable[WorldObject], held: Knowledge) -> list[str]:
    """What is not as it should be: ids that are missing, wrong classes, wrong places.

    Objects that do not exist are none: a robot cannot know that.
    """
    found = []
    for item in objects:
        known = held.get(item.name)
        if known is None:
            found.append(f"{item.name} is not held")
        elif known.class_name != item.class_name:
            found.append(f"{item.name} is held to be {known.class_name or 'nothing'}")
        elif (off := math.dist(known.position, item.position)) > GATE:
            found.append(f"{item.name} is held {off:.1f} m off")
    return found


def disagreements(of_robots: Mapping[str, Knowledge]) -> list[str]:
    """Pairs of robots that do not hold the very same, and of how many objects."""
    (first, reference), *others = of_robots.items()
    found = []
    for robot, held in others:
        differing = sum(held.get(i) != reference.get(i) for i in held.keys() | reference.keys())
        if differing:
            found.append(f"{robot} and {first} differ in {differing} objects")
    return found


def accuracy(objects: Sequence[WorldObject], of_robots: Iterable[Knowledge]) -> float:
    """Share of objects of the right name and class, over all robots."""
    right = [
        item.name in held and held[item.name].class_name == item.class_name
        for held in of_robots
        for item in objects
    ]
    return sum(right) / len(right)
