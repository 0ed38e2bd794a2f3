# SPDX-License-Identifier: Apache-2.0
"""What robots hold is judged by ids, classes and places, and by whether it is the very same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from m2vae_ros.apps.chaos.knowledge import Held, accuracy, disagreements, shortfalls
from m2vae_ros.world.objects import WorldObject

OBJECTS = [WorldObject("a", "red box", 1.0, 0.0), WorldObject("b", "green box", 0.0, 1.0)]
TRUE = {
    "a": Held("red box", 0.9, (1.0, 0.1, 0.0)),
    "b": Held("green box", 0.8, (0.0, 1.0, 0.0)),
}


def test_the_truth_lacks_nothing_whatever_is_held_besides() -> None:
    assert shortfalls(OBJECTS, TRUE) == []
    assert shortfalls(OBJECTS, {**TRUE, "junk": Held("red box", 1.0, (9.0, 9.0, 0.0))}) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (None, "a is not held"),
        (replace(TRUE["a"], class_name="green box"), "a is held to be green box"),
        (replace(TRUE["a"], position=(500.0, 0.0, 0.0)), "a is held 499.0 m off"),
    ],
)
def test_what_is_missing_wrong_or_elsewhere_is_said(wrong: Held | None, words: str) -> None:
    held = {name: known for name, known in {**TRUE, "a": wrong}.items() if known}
    assert shortfalls(OBJECTS, held) == [words]


def test_robots_agree_only_if_they_hold_the_very_same() -> None:
    assert disagreements({"r1": TRUE, "r2": dict(TRUE), "r3": TRUE}) == []
    surer = {**TRUE, "a": replace(TRUE["a"], probability=0.91)}
    assert disagreements({"r1": TRUE, "r2": surer, "r3": {}}) == [
        "r2 and r1 differ in 1 objects",
        "r3 and r1 differ in 2 objects",
    ]


def test_accuracy_is_the_share_of_objects_that_have_their_name_and_class() -> None:
    assert accuracy(OBJECTS, [TRUE, {"a": TRUE["a"]}]) == 0.75
