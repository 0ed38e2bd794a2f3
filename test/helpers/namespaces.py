# SPDX-License-Identifier: Apache-2.0
"""Network namespaces, where they can be made."""

from __future__ import annotations

import os
import subprocess

import pytest

from m2vae_ros.host.network_namespaces import BridgedHosts, NetworkError


def skip_without_namespaces() -> None:
    """Skip the test that asks, with the reason."""
    try:
        with BridgedHosts():
            pass
    except NetworkError as error:
        pytest.skip(str(error))


def the_network() -> tuple[str, bytes]:
    """The namespace of this thread, and the links in it."""
    here = os.readlink("/proc/thread-self/ns/net")
    return here, subprocess.check_output(["ip", "-br", "link"])
