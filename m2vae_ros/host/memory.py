# SPDX-License-Identifier: Apache-2.0
"""How much memory this machine has, and how much a process takes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def physical_memory() -> int:
    """Bytes of memory, whoever uses them now."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available_memory() -> int:
    """Bytes that programs started now can have without swapping, as the kernel estimates them."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def resident(pid: int | None = None) -> int:
    """Bytes of memory that a process has for itself or shares; this one by default.

    Raises:
        OSError: there is no such process.
    """
    pages = Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def begin_peak() -> None:
    """Let `peak` be of what this process takes from now on; only Linux can."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Bytes of memory that this process had at most, since `begin_peak` if that was called."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
