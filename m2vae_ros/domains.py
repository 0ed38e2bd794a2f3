# SPDX-License-Identifier: Apache-2.0
"""ROS domains, so that two systems on one machine do not hear each other."""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "ROS_DOMAIN_ID"


@contextmanager
def own_domain() -> Iterator[int]:
    """A ROS domain that no other holder of one uses, set in the environment; the user's, if set.

    Raises:
        RuntimeError: all of them are taken.
    """
    if VARIABLE in os.environ:
        yield int(os.environ[VARIABLE])
        return
    folder = Path(tempfile.gettempdir()) / f"m2vae-ros-domains-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    # Domains above 100 would use ports that Linux hands out to outgoing connections.
    for domain in random.sample(range(1, 101), 100):
        with (folder / str(domain)).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            os.environ[VARIABLE] = str(domain)
            try:
                yield domain
            finally:
                del os.environ[VARIABLE]
            return
    raise RuntimeError("all ROS domains from 1 to 100 are in use; set ROS_DOMAIN_ID")
