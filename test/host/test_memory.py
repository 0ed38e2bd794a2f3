# SPDX-License-Identifier: Apache-2.0
"""The memory of processes, as the kernel counts it."""

from __future__ import annotations

import os

import pytest

from m2vae_ros.host.memory import available_memory, physical_memory, resident


def test_a_process_that_takes_memory_grows_by_it() -> None:
    before = resident()
    taken = bytearray(os.urandom(1)) * 50_000_000
    assert 40e6 < resident() - before < 80e6
    assert abs(resident(os.getpid()) - resident()) < 10e6
    assert len(taken) < available_memory() + 50e6 < physical_memory() + 50e6


def test_of_a_process_that_does_not_exist_nothing_is_known() -> None:
    with pytest.raises(OSError, match="1073741824"):
        resident(2**30)
