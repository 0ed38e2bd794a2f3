# SPDX-License-Identifier: Apache-2.0
"""Fast DDS's discovery server, as a child process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from m2vae_ros.bringup.processes import WITH_FAST_DDS_2
from m2vae_ros.host.children import die_with_parent, stop


@contextmanager
def discovery_server(port: int) -> Iterator[None]:
    """One on this port of this machine: what `fastdds discovery` starts, which is a script."""
    # That of Fast DDS 3 has several commands, by number, of which 42 is this one.
    command = [] if os.environ["ROS_DISTRO"] in WITH_FAST_DDS_2 else ["42"]
    server = subprocess.Popen(
        ["fast-discovery-server", *command, "-i", "0", "-l", "127.0.0.1", "-p", f"{port}"],
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )
    try:
        yield
        assert server.poll() is None, "the discovery server ended by itself"
    finally:
        stop([server])
