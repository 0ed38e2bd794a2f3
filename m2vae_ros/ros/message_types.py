# SPDX-License-Identifier: Apache-2.0
"""Message types that are known by name only: their classes, and the .msg files that define them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory


class UnknownType(LookupError):
    """A type that is not installed; the message names it."""


def message_class(name: str) -> type[Any]:
    """The class of a type, such as "std_msgs/msg/String".

    Raises:
        UnknownType: it is not installed here.
    """
    package, _, rest = name.partition("/")
    kind, _, message = rest.partition("/")
    try:
        found: type[Any] = getattr(import_module(f"{package}.{kind}"), message)
    except (ImportError, AttributeError, ValueError) as error:
        raise UnknownType(f"the type {name} is not installed") from error
    return found


def type_name(message: type[Any]) -> str:
    """The name of a message class's type, such as "std_msgs/msg/String"."""
    return f"{message.__module__.partition('.')[0]}/msg/{message.__name__}"


def message_definition(name: str) -> str:
    """The text of the .msg file that defines a type.

    Raises:
        UnknownType: it is not installed here.
    """
    package, _, rest = name.partition("/")
    try:
        return Path(get_package_share_directory(package), f"{rest}.msg").read_text()
    except (LookupError, ValueError, OSError) as error:
        raise UnknownType(f"the definition of {name} is not installed") from error
