# SPDX-License-Identifier: Apache-2.0
"""Refusals that take neither time nor memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from m2vae_ros.host.memory import begin_peak, peak, resident

SECONDS = 1.0
"""Of a processor."""

MEGABYTES = 40


@contextmanager
def at_once() -> Iterator[None]:
    """What happens within takes less than a second, and little more memory than there was."""
    begin_peak()
    before, begin = resident(), time.process_time()
    yield
    took = time.process_time() - begin
    assert took < SECONDS, f"took {took:.2f} s"
    grown = (peak() - before) / 1e6
    assert grown < MEGABYTES, f"took {grown:.0f} MB"
