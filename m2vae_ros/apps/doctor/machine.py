# SPDX-License-Identifier: Apache-2.0
"""What the machine has: processors, memory, shared memory, a clock."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import m2vae_ros
from m2vae_ros.apps.doctor.finding import Finding, Level
from m2vae_ros.host.clock import clock_error, clock_step
from m2vae_ros.host.memory import available_memory, physical_memory
from m2vae_ros.host.shared_memory import SHARED_MEMORY, abandoned_memory

NODE_MEMORY = 200e6
"""Bytes that a fusion node takes with its libraries and weights, rounded up."""

SEGMENT = 32 * 2**20
"""Bytes of shared memory that a process takes with config/fastdds.xml."""

LARGEST_ERROR = 0.5
"""Seconds a clock may be wrong: what `stamp_tolerance` of fusion nodes forgives by default."""


def examine_machine() -> Iterator[Finding]:
    """What is found, in the order of the report."""
    yield _finding("system", Level.OK, f"{platform.system()} on {platform.machine()}")
    yield _finding("processors", Level.OK, f"{len(os.sched_getaffinity(0))} for this process")
    yield _memory()
    yield from _shared_memory()
    yield _clock()
    yield _synchronisation()


def _memory() -> Finding:
    available = available_memory()
    found = f"{available / 1e9:.1f} of {physical_memory() / 1e9:.1f} GB available"
    if available < NODE_MEMORY:
        advice = f"end other programs; a fusion node takes up to {NODE_MEMORY / 1e6:.0f} MB"
        return _finding("memory", Level.WARNING, found, advice)
    return _finding("memory", Level.OK, found)


def _shared_memory() -> Iterator[Finding]:
    subject = f"shared memory, {SHARED_MEMORY}"
    try:
        free = shutil.disk_usage(SHARED_MEMORY).free
        abandoned = abandoned_memory()
    except OSError as error:
        yield _finding(
            subject, Level.WARNING, str(error.strerror), "mount it; until then images go by UDP"
        )
        return
    found = f"{free / 1e6:.0f} MB free"
    if free < SEGMENT:
        yield _finding(
            subject,
            Level.WARNING,
            f"{found}; each process of config/fastdds.xml takes {SEGMENT / 1e6:.0f} MB",
            "in a container: --ipc=host, or --shm-size=1g",
        )
    else:
        yield _finding(subject, Level.OK, found)
    if abandoned:
        yield _finding(
            "left there by Fast DDS",
            Level.WARNING,
            f"{len(abandoned)} of processes that were killed, {abandoned[0]} for instance",
            "fastdds shm clean; demo and launch files do it as they end",
        )


def _clock() -> Finding:
    step = clock_step()
    if abs(step) > 0.01:
        return _finding(
            "clock",
            Level.WARNING,
            f"was set {abs(step):.2f} s {'forward' if step > 0 else 'back'} while being looked at",
            "let one program set it, slowly (chrony); nodes judge readings by their stamps",
        )
    written = Path(m2vae_ros.__file__).stat().st_mtime
    if time.time() < written:
        return _finding(
            "clock",
            Level.WARNING,
            f"says {time.strftime('%Y-%m-%d', time.gmtime())}, before this package was written",
            "set it; boards without a battery begin at an old date",
        )
    return _finding("clock", Level.OK, "goes forward evenly")


def _synchronisation() -> Finding:
    subject = "clock, synchronised"
    try:
        error = clock_error()
    except OSError as reason:
        return _finding(subject, Level.ABSENT, f"cannot be told here: {reason.strerror or reason}")
    advice = "chrony or systemd-timesyncd on every robot; embeddings are compared by their stamps"
    if error is None:
        return _finding(subject, Level.WARNING, "no: nobody sets it to a common time", advice)
    found = f"yes, to {error * 1e3:.1f} ms at worst"
    if error > LARGEST_ERROR:
        return _finding(subject, Level.WARNING, found, advice)
    return _finding(subject, Level.OK, found)


def _finding(subject: str, level: Level, found: str, advice: str = "") -> Finding:
    return Finding("machine", subject, level, found, advice)
