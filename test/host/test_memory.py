# SPDX-License-Identifier: Apache-2.0
"""The memory of processes, as the kernel counts it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from m2vae_ros.host.memory import available_memory, physical_memory, resident

GROWING = """
import os
from m2vae_ros.host.memory import resident
before = resident()
taken = bytearray(os.urandom(1)) * 50_000_000
print(resident() - before, abs(resident(os.getpid()) - resident()))
"""


def test_a_process_that_takes_memory_grows_by_it() -> None:
    # A new one: of an old and large one the kernel may take back meanwhile what is long unused.
    said = subprocess.run([sys.executable, "-c", GROWING], capture_output=True, check=True)
    grown, differ = map(int, said.stdout.split())
    assert 40e6 < grown < 80e6
    assert differ < 10e6
    assert 0 < available_memory() < physical_memory()


def test_of_a_process_that_does_not_exist_nothing_is_known() -> None:
    with pytest.raises(OSError, match="1073741824"):
        resident(2**30)
