# SPDX-License-Identifier: Apache-2.0
"""Child processes: they end when they are asked to, and with their parent at the latest."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import time
from collections.abc import Collection

STEPS_OF_STOPPING = ((signal.SIGINT, 8.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))
"""The signals a child gets, and how many seconds it has after each."""

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In the child, as its `preexec_fn`: SIGTERM when the parent dies, however it does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(children: Collection[subprocess.Popen[bytes]]) -> None:
    """Stop children, all at the same time and at first politely; returns when they have ended."""
    for step, patience in STEPS_OF_STOPPING:
        running = [child for child in children if child.poll() is None]
        for child in running:
            child.send_signal(step)
        deadline = time.monotonic() + patience
        for child in running:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                break


def last_lines(log: bytes, count: int = 12) -> str:
    """The end of a child's log, indented, on lines of its own; empty if it logged nothing."""
    lines = log.decode(errors="replace").splitlines()[-count:]
    return "".join(f"\n    {line}" for line in lines)


def free_port(wanted: int = 0, host: str = "127.0.0.1") -> int:
    """The TCP port of this machine, if nobody has it; any that nobody has if it is 0.

    Raises:
        OSError: somebody has it.
    """
    with socket.create_server((host, wanted)) as server:
        port: int = server.getsockname()[1]
        return port
