# SPDX-License-Identifier: Apache-2.0
"""What Fast DDS shares between processes in memory, and what a killed process leaves there."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
_PORT = re.compile(r"fast(dds|rtps)_port\d+")
"""Of Fast DDS 3 and, before it, 2."""


def remove_abandoned_memory() -> None:
    """Remove the shared memory of Fast DDS whose owner was killed and could not do so itself.

    The tool `fastdds shm clean` does the same, but is not everywhere where Fast DDS is.
    """
    for name in _abandoned():
        with suppress(OSError):  # somebody else's
            _remove_memory(name)


def abandoned_memory() -> list[str]:
    """The names of what `remove_abandoned_memory` would remove."""
    return list(_abandoned())


def memory_of(pids: Iterable[int]) -> set[str]:
    """The names of what these processes share by Fast DDS: they hold the locks beside it."""
    names = set()
    for pid in pids:
        with suppress(OSError):  # it has ended
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):  # closed meanwhile
                    opened = descriptor.readlink()
                    if opened.parent == SHARED_MEMORY and opened.name.endswith("_el"):
                        names.add(opened.name.removesuffix("_el"))
    return names


def _abandoned() -> Iterator[str]:
    """Segments and ports without an owner; nobody can take one while it is dealt with.

    The owner of a segment or port holds a lock on a file beside it as long as it lives. A port of
    which there is none is left by somebody who wrote to it: it counts if nobody else has it open.
    """
    for lock in SHARED_MEMORY.glob("fast*_el"):
        with suppress(OSError), lock.open("rb") as file:  # in use, or somebody else's
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield lock.name.removesuffix("_el")
    ports = [path for path in SHARED_MEMORY.iterdir() if _PORT.fullmatch(path.name)]
    if ports := [path for path in ports if not any(path.parent.glob(f"{path.name}_?l"))]:
        in_use = _mapped_by_others()
        yield from (port.name for port in ports if str(port) not in in_use)


def _remove_memory(name: str) -> None:
    for leftover in (name, f"sem.{name}_mutex", f"{name}_el"):
        (SHARED_MEMORY / leftover).unlink(missing_ok=True)


def _mapped_by_others() -> set[str]:
    """The files that processes other than this one have in their memory, as far as can be seen."""
    mapped: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        if process.name != str(os.getpid()):
            with suppress(OSError):  # it ended meanwhile, or is somebody else's
                lines = (process / "maps").read_text(errors="replace").splitlines()
                mapped.update(line[line.index("/") :] for line in lines if "/" in line)
    return mapped
