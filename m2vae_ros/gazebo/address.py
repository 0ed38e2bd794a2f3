# SPDX-License-Identifier: Apache-2.0
"""Where a Gazebo's master is."""

from __future__ import annotations

from urllib.parse import urlsplit

from m2vae_ros.gazebo.errors import GazeboError

Address = tuple[str, int]
"""Host and port."""


def address_of(uri: str) -> Address:
    """Host and port of a master's URI.

    Raises:
        GazeboError: it has none.
    """
    try:
        parts = urlsplit(uri)
        if parts.scheme == "http" and parts.hostname and parts.port:
            parts.hostname.encode("idna")
            return parts.hostname, parts.port
    except ValueError:  # a host or port that is none
        pass
    raise GazeboError(f"{uri!r} is not of the form http://HOST:PORT")
