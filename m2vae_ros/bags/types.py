# SPDX-License-Identifier: Apache-2.0
"""Message types by their definitions, so that a bag explains itself to whoever reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from m2vae_ros.datasets.errors import DataError

if TYPE_CHECKING:
    from rosbags.interfaces.typing import Typesdict


class MessageTypes:
    """Types, learnt from their definitions when they are needed.

    Attributes:
        store: what has been learnt, for rosbags.
    """

    def __init__(self, definition: Callable[[str], str]) -> None:
        """Know nothing yet.

        Args:
            definition: name of a type, such as "std_msgs/msg/String", -> the text of its .msg file;
                raises LookupError if it has none.
        """
        self.store: Typestore = get_typestore(Stores.EMPTY)
        self._definition = definition

    def learn(self, name: str) -> None:
        """Learn a type and all that it is made of.

        Raises:
            DataError: one of them has no definition, or one that cannot be read.
        """
        found: Typesdict = {}
        pending = [name]
        while pending:
            part = pending.pop()
            if part in found or part in self.store.fielddefs:
                continue
            try:
                found |= get_types_from_msg(self._definition(part), part)
            except LookupError as error:
                raise DataError(f"{name}: no definition of {part}: {error}") from error
            except Exception as error:  # the parser's own, which are of many kinds
                raise DataError(f"{name}: the definition of {part}: {error}") from error
            pending += [kind for _, field in found[part][1] for kind in _named(field)]
        if found:
            self.store.register(found)


def _named(field: tuple[Nodetype, Any]) -> Iterator[str]:
    """The types that a field names: its own, or that of its elements."""
    kind, content = field
    if kind == Nodetype.NAME:
        yield content
    elif kind in (Nodetype.ARRAY, Nodetype.SEQUENCE):
        yield from _named(content[0])
