# SPDX-License-Identifier: Apache-2.0
"""Dataclasses from plain data of files, with errors that name the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import TypeVar

import msgspec

T = TypeVar("T")


class PlainError(ValueError):
    """Plain data that do not fit; the message names the field and the reason."""


def build(kind: type[T], values: object, where: str) -> T:
    """A dataclass of the values of its fields, whose types must be right.

    Args:
        kind: a dataclass.
        values: field -> value.
        where: what errors call the whole.

    Raises:
        PlainError: a field is unknown, is missing, or has a wrong type or value.
    """
    if not isinstance(values, Mapping):
        raise PlainError(f"{where}: not a table of fields")
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise PlainError(f"{_path(where, name)}: no such field; there are {', '.join(known)}")
    try:
        return msgspec.convert(dict(values), kind)
    except msgspec.ValidationError as error:
        raise PlainError(_said(str(error), where)) from None


def _path(where: str, name: object) -> str:
    return f"{where}.{name}" if where else str(name)


def _said(message: str, where: str) -> str:
    """An error of msgspec in our words: the path comes first."""
    reason, _, path = message.partition(" - at `$")
    path = re.sub(r"^\.|`$", "", path)
    reason = reason.replace("`", "").replace("Object missing required field", "is missing:")
    place = _path(where, path) if path else where
    if re.match(r"\w+: ", reason):  # of a dataclass itself, which names its field
        return _path(place, reason)
    return f"{place}: {reason[0].lower()}{reason[1:]}"
