# SPDX-License-Identifier: Apache-2.0
"""Prints the tables of all keys of a suite's file for docs/own-sensors.md, from the code."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

from m2vae_ros.sensors import About, BetaVAESpec, FusionSpec, Modality, Sampling
from m2vae_ros.sensors.sensing_range import SensingRange
from m2vae_ros.sensors.viewpoint import Viewpoint
from m2vae_ros.sensors.views import OWN

PARTS: dict[str, type[Any]] = {
    "about": About,
    "modalities": Modality,
    "range": SensingRange,
    "viewpoint": Viewpoint,
    "beta_vae": BetaVAESpec,
    "fusion": FusionSpec,
    "sampling": Sampling,
}
"""Part of the file -> what holds its keys."""


def tables() -> str:
    """Markdown: a table of the kinds of views, and one of the other parts of a file."""
    return "\n".join([*_table("`kind`", OWN), "", *_table("part of the file", PARTS)])


def _table(head: str, parts: dict[str, Any]) -> Iterator[str]:
    yield f"| {head} | key | if left out | |"
    yield "|---|---|---|---|"
    for part, of in parts.items():
        meanings = _meanings(of)
        shown = f"`{part}`"
        for field in dataclasses.fields(of):
            if of is Modality and field.name in ("name", "view", *PARTS):
                continue
            yield f"| {shown} | `{field.name}` | {_default(field)} | {meanings[field.name]} |"
            shown = ""


def _meanings(of: type[Any]) -> dict[str, str]:
    """Key -> what its docstring says."""
    attributes = inspect.cleandoc(str(of.__doc__)).partition("Attributes:\n")[2]
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    return {name: " ".join(text.split()).replace("|", "\\|") for name, text in found}


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING or field.name == "fields":  # which must not be empty
        return "must be said"
    if isinstance(field.default, float):
        return f"`{field.default:.4g}`"
    return "none" if field.default in (None, (), "") else f"`{json.dumps(field.default)}`"


if __name__ == "__main__":
    print(tables())
