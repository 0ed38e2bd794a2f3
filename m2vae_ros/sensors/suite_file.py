# SPDX-License-Identifier: Apache-2.0
"""Suites as YAML files, of which nothing is believed before it was checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from m2vae_ros.host.files import read_bounded, replacing
from m2vae_ros.host.resources import resource
from m2vae_ros.sensors.plain import PlainError
from m2vae_ros.sensors.suite import SensorSuite

DEEPEST = 30
"""Tables and lists within each other; a suite has five. The deeper, the longer YAML takes."""

LARGEST = 2**16
"""Bytes of a file: thirty times the AMiRo's. One of nothing but numbers is read in a second."""


class SuiteError(ValueError):
    """A suite that cannot be used; the message names the file, the field and the reason."""


def suite_path(name: str | Path) -> Path:
    """The file that a user means: a path, or a bare name in the package's config/suites.

    Raises:
        SuiteError: there is none.
    """
    path = Path(name).expanduser()
    if str(path) != path.name or path.suffix:
        return path
    try:
        return resource(f"config/suites/{path}.yaml")
    except FileNotFoundError as error:
        raise SuiteError(str(error)) from error


def read_suite(name: str | Path) -> SensorSuite:
    """Read a suite: a file, or a bare name in the package's config/suites.

    Raises:
        SuiteError: names the file, and the field or line that does not fit.
    """
    path = suite_path(name)
    try:
        content = read_bounded(path, LARGEST)
    except OSError as error:
        raise SuiteError(f"{path}: {error.strerror}") from error
    try:
        return SensorSuite.from_plain(load(content.decode("utf-8")))
    except PlainError as error:
        raise SuiteError(f"{path}: {error}") from error
    # ValueError and OverflowError: of numbers and dates that cannot be
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise SuiteError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error


def load(text: str) -> Any:
    """Plain data from YAML without tags, anchors and aliases, whose keys are there once.

    Raises:
        yaml.YAMLError: names the line.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def write_suite(path: Path, suite: SensorSuite, head: str = "") -> None:
    """Write a suite, with comments before it; a file of that name is replaced."""
    write_plain(path, suite.to_plain(), head)


def write_plain(path: Path, plain: Any, head: str = "") -> None:
    """Write the plain data of a suite, with comments before them."""
    text = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    with replacing(path) as temporary:
        temporary.write_text(head + text, encoding="utf-8")


class _Loader(yaml.SafeLoader):
    """What names itself again could grow without end; what is said twice was meant once."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if self._depth > DEEPEST:
            raise yaml.composer.ComposerError(
                None, None, f"nested more than {DEEPEST} times", event.start_mark
            )
        if getattr(event, "anchor", None) is not None:
            raise yaml.composer.ComposerError(
                None, None, "anchors and aliases (& and *) are not used here", event.start_mark
            )
        if getattr(event, "tag", None) is not None:
            raise yaml.composer.ComposerError(
                None, None, f"tags ({event.tag}) are not used here", event.start_mark
            )
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else repr(key)
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name!r} stands there twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Short lists in one line, and nothing by reference: suites are read without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> Any:
        return super().represent_sequence(tag, sequence, flow_style=True)

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> Any:
        plain = all(not isinstance(value, dict) for value in mapping.values())
        short = plain and not {"topic", "name"} & set(mapping)
        return super().represent_mapping(tag, mapping, flow_style=short)
