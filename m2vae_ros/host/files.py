# SPDX-License-Identifier: Apache-2.0
"""Files that are either whole or not there, and no larger than who reads them expects."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def read_bounded(path: str | os.PathLike[str], largest: int) -> bytes:
    """The content of a file, of which no more is read than it may have.

    Args:
        path: of the file.
        largest: bytes of it at most.

    Raises:
        OSError: it cannot be read, or is larger; `strerror` says so.
    """
    with open(path, "rb") as file:
        content = file.read(largest + 1)  # what never ends says nothing of its size
    if len(content) > largest:
        raise OSError(errno.EFBIG, f"larger than {largest} bytes", str(path))
    return content


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary neighbour to write to; it takes the path's place if nothing went wrong.

    Whoever reads the path meanwhile, or after a crash, finds the old file and no half-written one.
    The folder is made if need be.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # No two writers share it; it keeps the suffix, at which some writers look.
    temporary = path.with_name(f".{os.getpid()}-{threading.get_ident()}.{path.name}")
    try:
        yield temporary
        # some writers make files that only their owner can read
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write a JSON file, for people, too; see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    umask = os.umask(0)
    os.umask(umask)
    return umask
