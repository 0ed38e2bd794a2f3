# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of its clock is read right, and a clock that jumps is seen."""

from __future__ import annotations

import ctypes
import struct
import time

import pytest

from m2vae_ros.host.clock import clock_error, clock_step


def test_the_error_is_what_the_kernel_says():
    if ctypes.sizeof(ctypes.c_long) != 8:
        pytest.skip("the places below are those of 64-bit Linux")
    raw = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None).adjtimex(raw) < 0:
        with pytest.raises(OSError, match="permitted"):
            clock_error()
        return
    (maxerror,), (status,) = struct.unpack_from("q", raw, 24), struct.unpack_from("i", raw, 40)
    error = clock_error()
    assert (error is None) == bool(status & 0x40)
    # it grows by 500 millionths, and shrinks when the clock is set
    assert error is None or error == pytest.approx(maxerror / 1e6, abs=0.5)


def test_a_clock_that_is_set_back_or_forward_is_seen(monkeypatch):
    assert abs(clock_step(0.01)) < 1.0
    real = time.time
    for jump in (-2.0, 3.0):
        calls = iter((0.0, jump))
        monkeypatch.setattr(time, "time", lambda calls=calls: real() + next(calls))
        assert clock_step(0.01) == pytest.approx(jump, abs=0.5)
