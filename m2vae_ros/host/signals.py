# SPDX-License-Identifier: Apache-2.0
"""SIGINT and SIGTERM, which must not interrupt what starts processes or cleans up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def postponed() -> Iterator[None]:
    """Have SIGINT and SIGTERM wait until the end of the block, each counting once.

    Blocking them would not do: the kernel hands them to another thread, and Python interrupts the
    main one all the same. Only the main thread can postpone them; in others nothing happens, and
    nothing interrupts those. Handlers that are not Python's are left alone. Programs that are
    started meanwhile know nothing of it.
    """
    noted: set[int] = set()
    before = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if (handler := signal.getsignal(number)) is not None:
                    before[number] = handler
                    signal.signal(number, lambda number, _: noted.add(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for interrupt in noted:
            signal.raise_signal(interrupt)
