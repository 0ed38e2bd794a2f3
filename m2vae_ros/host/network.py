# SPDX-License-Identifier: Apache-2.0
"""Whether datagrams to many go out and come back, by which DDS participants find each other."""

from __future__ import annotations

import os
import socket
import time

GROUP = "239.255.0.1"
"""The group in which DDS participants announce themselves by default."""


def multicast_fault(interface: str = "0.0.0.0", patience: float = 0.5) -> str:
    """Send one datagram to DDS's group and receive it again; it does not leave this machine.

    Nobody who listens on DDS's ports gets it: the port is one of our own.

    Args:
        interface: its address; by default the one the system chooses.
        patience: seconds to wait for it.

    Returns:
        Why it did not arrive; empty if it did.
    """
    token = os.urandom(16)
    kind = (socket.AF_INET, socket.SOCK_DGRAM)
    try:
        with socket.socket(*kind) as receiver, socket.socket(*kind) as sender:
            receiver.bind(("", 0))
            member = socket.inet_aton(GROUP) + socket.inet_aton(interface)
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, member[4:])
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
            sender.sendto(token, (GROUP, receiver.getsockname()[1]))
            deadline = time.monotonic() + patience
            while (left := deadline - time.monotonic()) > 0:
                receiver.settimeout(left)
                if receiver.recv(64) == token:
                    return ""
    except TimeoutError:
        pass
    except OSError as error:
        return error.strerror or str(error)
    return f"nothing arrived within {patience:g} s"
