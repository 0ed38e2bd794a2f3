# SPDX-License-Identifier: Apache-2.0
"""What a launch file was given, read: every argument is text, and may be wrong."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from m2vae_ros.resources import resource

T = TypeVar("T")

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class Given:
    """The arguments of a launch file by name; an error names the argument and what it was.

    Args:
        texts: name -> text, for instance the launch context's configurations.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def text(self, name: str) -> str:
        """As it is, without the blanks around it."""
        return self._texts[name].strip()

    def words(self, name: str, among: Sequence[str] = ()) -> list[str]:
        """What stands between commas; nothing if there is nothing.

        Raises:
            ValueError: a word is not `among` those that may be, if they are given.
        """
        words = [word.strip() for word in self.text(name).split(",") if word.strip()]
        for word in words:
            if among and word not in among:
                raise ValueError(f"{name}: {word!r} is not one of {', '.join(among)}")
        return words

    def path(self, name: str, there: bool = True) -> str:
        """A file or folder, or nothing; ~ is the user's home.

        Raises:
            ValueError: it is not there, but should be.
        """
        path = os.path.expanduser(self.text(name))
        if there and path and not os.path.exists(path):
            raise ValueError(f"{name}: {path!r} is not there")
        return path

    def paths(self, name: str) -> list[str]:
        """Files or folders between commas, as `path`."""
        return [Given({name: word}).path(name) for word in self.words(name)]

    def packaged(self, name: str) -> str:
        """A file; a relative path is one within the package.

        Raises:
            ValueError: it is not there.
        """
        try:
            return str(resource(self.text(name)))
        except FileNotFoundError as error:
            raise ValueError(f"{name}: {error}") from None

    def flag(self, name: str) -> bool:
        """Whether it is true.

        Raises:
            ValueError: it is neither true nor false.
        """
        return self._read(name, lambda text: _TRUTH[text.lower()], "true or false")

    def whole(self, name: str, minimum: int) -> int:
        """A whole number, `minimum` or above.

        Raises:
            ValueError: it is none.
        """

        def read(text: str) -> int:
            number = int(text)
            if number < minimum:
                raise ValueError
            return number

        return self._read(name, read, f"a whole number from {minimum} up")

    def positive(self, name: str) -> float:
        """A finite number above zero.

        Raises:
            ValueError: it is none.
        """
        return self._read(name, _positive, "a positive number")

    def _read(self, name: str, reader: Callable[[str], T], expected: str) -> T:
        text = self.text(name)
        try:
            return reader(text)
        except (ValueError, KeyError):
            raise ValueError(f"{name}: {text!r} is not {expected}") from None


def _positive(text: str) -> float:
    number = float(text)
    if not 0.0 < number < math.inf:
        raise ValueError
    return number
