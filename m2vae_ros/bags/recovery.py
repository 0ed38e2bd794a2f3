# SPDX-License-Identifier: Apache-2.0
"""Storage files that nobody finished, because a recorder was killed or a disk was full.

An mcap file then lacks its end, which readers ask for; an sqlite3 file has a journal beside it, of
which readers that change nothing know nothing.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import struct
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import BinaryIO

from m2vae_ros.host.scratch import Scratch

_MAGIC = b"\x89MCAP0\r\n"
_DATA_END = struct.pack("<BQI", 0x0F, 4, 0)
_FOOTER = struct.pack("<BQQQI", 0x02, 20, 0, 0, 0)
"""Without a summary: readers go through the file instead. https://mcap.dev/spec"""

_JOURNALS = ("-wal", "-journal")


def is_unfinished(path: Path) -> bool:
    """Whether a storage file, *.mcap or *.db3, was not finished.

    Raises:
        OSError: it cannot be read.
    """
    if path.suffix == ".db3":
        return any(_size(journal) for journal in _journals(path))
    if path.suffix != ".mcap" or _size(path) < len(_MAGIC):
        return False
    with path.open("rb") as file:
        begins_as_one = file.read(len(_MAGIC)) == _MAGIC
        file.seek(max(len(_MAGIC), _size(path) - len(_MAGIC)))
        return begins_as_one and file.read() != _MAGIC


def recovered(path: Path) -> Path:
    """A temporary copy of an unfinished storage file: whatever of it is whole.

    It is made once, for the file as it is now, and stays until this process ends.

    Raises:
        OSError, sqlite3.Error: it cannot be copied, or is damaged.
        ValueError: nothing in it is whole.
    """
    states = (file.stat() for file in (path, *_journals(path)) if file.exists())
    return _recovered(path.absolute(), tuple((s.st_size, s.st_mtime_ns) for s in states))


@cache
def _recovered(path: Path, state: tuple[tuple[int, int], ...]) -> Path:
    """The copy; `state` is that of the file and its journals."""
    scratch = Scratch("m2vae-recovered-")
    try:
        copy = _copy(path, scratch.path)
    except BaseException:
        scratch.remove()
        raise
    atexit.register(scratch.remove)
    return copy


def _copy(path: Path, folder: Path) -> Path:
    copy = folder / f"recovered{path.suffix}"
    shutil.copyfile(path, copy)
    if path.suffix == ".mcap":
        with copy.open("r+b") as file:
            end = _end_of_records(file)
            if end == len(_MAGIC):
                raise ValueError("nothing in it is whole")
            file.truncate(end)
            file.seek(end)
            file.write(_DATA_END + _FOOTER + _MAGIC)
        return copy
    for journal in _journals(path):
        if journal.exists():
            shutil.copyfile(journal, Path(str(copy) + journal.name.removeprefix(path.name)))
    with closing(sqlite3.connect(copy)) as database:  # which does what the journal says
        database.execute("PRAGMA journal_mode=DELETE")
    return copy


def _end_of_records(file: BinaryIO) -> int:
    """Where the last record ends that is whole, bytes."""
    size = file.seek(0, os.SEEK_END)
    end = len(_MAGIC)
    while end + 9 <= size:
        file.seek(end)
        kind, length = struct.unpack("<BQ", file.read(9))
        if not kind or end + 9 + length > size:  # zeros are what a loss of power may leave
            break
        end += 9 + length
    return end


def _journals(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in _JOURNALS]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
