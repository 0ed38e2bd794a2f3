# SPDX-License-Identifier: Apache-2.0
"""What glibc does with the memory of one image after another."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

IMAGES = """
import resource, sys
from m2vae_ros.host.allocator import keep_freed_buffers

def images():
    for _ in range(100):
        together = [bytes(921_600) for _ in range(3)]
        del together

if sys.argv[1] == "keep":
    keep_freed_buffers()
images()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
images()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    command = [sys.executable, "-c", IMAGES, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_the_memory_of_an_image_is_used_for_the_next():
    assert page_faults("default") > 1000
    assert page_faults("keep") < 100
