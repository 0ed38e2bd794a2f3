# SPDX-License-Identifier: Apache-2.0
"""Whether this machine's clock can be trusted to compare stamps with those of others."""

from __future__ import annotations

import ctypes
import os
import time

_UNSYNCHRONISED = 0x40
"""STA_UNSYNC of Linux's <sys/timex.h>."""


class _Timex(ctypes.Structure):
    """The beginning of Linux's `struct timex`, and more room than the rest of it takes."""

    _fields_ = (
        ("modes", ctypes.c_int),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def clock_error() -> float | None:
    """How wrong the kernel takes its clock to be at most, in seconds; None if nobody sets it.

    NTP's daemons, chrony, PTP's and systemd's tell the kernel when they set its clock.

    Raises:
        OSError: this system does not say so, as in many containers.
    """
    timex = _Timex()  # modes 0 changes nothing
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "adjtimex"):
        raise OSError("this system has no adjtimex")
    if library.adjtimex(ctypes.byref(timex)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return None if timex.status & _UNSYNCHRONISED else float(timex.maxerror) / 1e6


def clock_step(seconds: float = 0.05) -> float:
    """By how much the clock on the wall and the steady one differ over a moment, in seconds.

    Near 0 if time goes on evenly, negative if the clock was set back meanwhile.
    """
    wall, steady = time.time(), time.monotonic()
    time.sleep(seconds)
    return (time.time() - wall) - (time.monotonic() - steady)
