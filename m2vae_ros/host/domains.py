# SPDX-License-Identifier: Apache-2.0
"""ROS domains, so that two systems on one machine do not hear each other."""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

VARIABLE = "ROS_DOMAIN_ID"

HIGHEST = 232
"""The last domain whose ports exist."""


@contextmanager
def own_domain() -> Iterator[int]:
    """A ROS domain that no other holder of one uses, set in the environment; the user's, if set.

    Raises:
        RuntimeError: all of them are taken, or the user's is none.
    """
    if (chosen := chosen_domain()) is not None:
        yield chosen
        return
    # Domains above 100 would use ports that Linux hands out to outgoing connections.
    for domain in random.sample(range(1, 101), 100):
        # A name that only the kernel knows, as long as the socket is open. All users who could hear
        # each other by DDS see it: unlike a file it is bound to the network, not to a folder.
        with socket.socket(socket.AF_UNIX) as lock:
            try:
                lock.bind(f"\0m2vae_ros/domain/{domain}")
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            os.environ[VARIABLE] = str(domain)
            try:
                yield domain
            finally:
                del os.environ[VARIABLE]
            return
    raise RuntimeError("all ROS domains from 1 to 100 are in use; set ROS_DOMAIN_ID")


def chosen_domain() -> int | None:
    """The user's ROS domain; None if it is left to ROS.

    Raises:
        RuntimeError: it is none.
    """
    chosen = os.environ.get(VARIABLE)
    if not chosen:  # for ROS, too, an empty one is none
        return None
    with suppress(ValueError):
        if 0 <= int(chosen) <= HIGHEST:
            return int(chosen)
    raise RuntimeError(f"{VARIABLE}={chosen} is no ROS domain, a number from 0 to {HIGHEST}")
