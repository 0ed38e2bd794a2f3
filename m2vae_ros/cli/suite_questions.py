# SPDX-License-Identifier: Apache-2.0
"""A sensor suite of what somebody answers at a terminal; what cannot be is asked again."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, TypeVar

from m2vae_ros.sensors import PlainError, SensorSuite, view_kinds, view_of
from m2vae_ros.sensors.suite import check_modality_name

_Number = TypeVar("_Number", int, float)


def asked(name: str) -> dict[str, Any]:
    """The plain data of a suite of that name, asked for one sensor after the other."""
    print("Ctrl-C ends it without a file; Enter takes what is in brackets.")
    about = _choice("What is an observation about?", ("objects", "robot"), "robot")
    classes = [each.strip() for each in _answer("Classes, with commas (none)", "").split(",")]
    plain: dict[str, Any] = {"name": name, "about": about}
    if any(classes):
        plain["classes"] = [each for each in classes if each]
    modalities: dict[str, Any] = {}
    while modality := _name(modalities):
        try:
            fields = _sensor(modality, about)
            SensorSuite.from_plain({"name": name, "about": about, "modalities": {modality: fields}})
        except PlainError as error:
            print(f"  {error}; once more")
        else:
            modalities[modality] = fields
    placed = about == "objects"
    sampling = {
        "pairing": "object" if placed else "time",
        "labels": "name" if placed and any(classes) else "label" if any(classes) else "",
        "split": "bag" if placed else "episode",
    }
    return {**plain, "modalities": modalities, "sampling": sampling}


def _name(taken: Collection[str]) -> str:
    """Of a further sensor; nothing if there is none."""
    while name := _answer("Name of a sensor, such as front_camera (no more)", ""):
        try:
            check_modality_name(name)
        except PlainError as error:
            print(f"  {error}")
        else:
            if name not in taken:
                break
            print(f"  {name!r} is there already")
    return name


def _sensor(modality: str, about: str) -> dict[str, Any]:
    """Raises PlainError: what was answered makes no view."""
    topic = _answer("  its topic below the robot's namespace", modality)
    kind = _choice("  its view", tuple(view_kinds()), "vector")
    types = view_kinds()[kind].types
    of = _answer("  type of its messages", types[0] if types else "std_msgs/msg/Float32")
    view: dict[str, Any] = {"kind": kind}
    if kind in ("vector", "window"):
        paths = view["fields"] = _answer("  fields, with spaces", "data").split()
        if kind == "vector":
            size = _number("  how many numbers these are, arrays counted in full", len(paths))
            view |= {"size": size} if size != len(paths) else {}
        view["offset"] = _number("  the reading that becomes 0", 0.0)
        view["scale"] = _number("  how much above it becomes 1", 1.0)
    fields: dict[str, Any] = {"topic": topic, "type": of, "view": view}
    if about == "objects":
        far = _number("  metres from which it looks at an object, at most", 1.0)
        fields["range"] = {"min_distance": 0.0, "max_distance": far}
    size = math.prod(view_of(view, f"modalities.{modality}.view").shape)
    fields["beta_vae"] = {"latent_dim": min(size, 10), "hidden": [128, 64], "normalised": True}
    return fields


def _answer(question: str, default: str) -> str:
    return input(f"{question} [{default}]: ").strip() or default


def _choice(question: str, choices: tuple[str, ...], default: str) -> str:
    while True:
        answer = _answer(f"{question} {', '.join(choices)}", default)
        if answer in choices:
            return answer
        print(f"  {answer!r} is none of them")


def _number(question: str, default: _Number) -> _Number:
    """A number of the same kind as the default."""
    while True:
        answer = _answer(question, f"{default}")
        try:
            return type(default)(answer)
        except ValueError:
            print(f"  {answer!r} is no {'whole ' if isinstance(default, int) else ''}number")
