# SPDX-License-Identifier: Apache-2.0
"""Fast DDS's discovery server, as a child process."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from m2vae_ros.host.children import die_with_parent


@contextmanager
def discovery_server(port: int) -> Iterator[None]:
    """One on this port of this machine; the command is the same for Fast DDS 2 and 3."""
    command = ["fastdds", "discovery", "-i", "0", "-l", "127.0.0.1", "-p", f"{port}"]
    # A script that starts the server: what ends one has to end both.
    server = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, start_new_session=True, preexec_fn=die_with_parent
    )
    try:
        yield
        assert server.poll() is None, "the discovery server ended by itself"
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(10)
