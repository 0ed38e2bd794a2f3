# SPDX-License-Identifier: Apache-2.0
"""Fast DDS's discovery server as a child process, and the variable that tells nodes of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from m2vae_ros.bringup.processes import WITH_FAST_DDS_2
from m2vae_ros.host.children import die_with_parent, free_port, stop

VARIABLE = "ROS_DISCOVERY_SERVER"


@contextmanager
def discovery_server(port: int = 0) -> Iterator[None]:
    """One on a port of this machine, any by default; nodes made meanwhile are its clients.

    It is what `fastdds discovery` starts, a script that needs psutil in Kilted.
    """
    port = port or free_port()
    # That of Fast DDS 3 has several commands, by number, of which 42 is this one.
    command = [] if os.environ["ROS_DISTRO"] in WITH_FAST_DDS_2 else ["42"]
    server = subprocess.Popen(
        ["fast-discovery-server", *command, "-i", "0", "-l", "127.0.0.1", "-p", f"{port}"],
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = f"127.0.0.1:{port}"
    try:
        yield
        if server.poll() is not None:
            raise RuntimeError("the discovery server ended by itself")
    finally:
        if before is None:
            del os.environ[VARIABLE]
        stop([server])
