# SPDX-License-Identifier: Apache-2.0
"""Refusals that take neither time nor memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 1.0
"""Of a processor."""

MEGABYTES = 40


@contextmanager
def at_once() -> Iterator[None]:
    """What happens within takes less than a second, and little more memory than there was."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that from here on
    before, begin = _kilobytes("VmRSS"), time.process_time()
    yield
    took = time.process_time() - begin
    assert took < SECONDS, f"took {took:.2f} s"
    grown = (_kilobytes("VmHWM") - before) / 1024
    assert grown < MEGABYTES, f"took {grown:.0f} MB"


def _kilobytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
