# SPDX-License-Identifier: Apache-2.0
"""Network namespaces of Linux, joined by bridges: machines of their own, as far as a network shows.

They have no name, but belong to those who are in them: whatever happens, nothing of them stays.
Needs root and `ip` (iproute2).
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_CLONE_NEWNET = 0x40000000

_LARGEST_PACKET = "65535"
"""Bytes, of a pair of virtual links: no datagram of UDP is cut up."""


class NetworkError(RuntimeError):
    """No network can be made here; the message says why."""


class BridgedHosts:
    """Two bridges with a link between them, and hosts on either; a context manager.

    Inside, the calling thread, and what it starts, is on a host of its own, which both bridges
    reach whether their link is up or not. No other network is to be seen from there.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._hosts: dict[str, int] = {}

    def __enter__(self) -> BridgedHosts:
        try:
            self._stack.enter_context(_returning())
            _unshare()
            _ip("link set lo up")
            for bridge in (0, 1):
                _ip(
                    f"link add name bridge{bridge} mtu {_LARGEST_PACKET} "
                    "type bridge mcast_snooping 0"
                )
                _ip(f"addr add 10.77.{bridge}.254/24 dev bridge{bridge}")
                _ip(f"link set bridge{bridge} up")
            _ip(f"link add name trunk0 mtu {_LARGEST_PACKET} type veth peer name trunk1")
            for bridge in (0, 1):
                _ip(f"link set trunk{bridge} master bridge{bridge} up mtu {_LARGEST_PACKET}")
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def add(self, host: str, bridge: int) -> None:
        """Let there be another host, at bridge 0 or 1.

        Raises:
            NetworkError: it cannot be made.
        """
        number = len(self._hosts) + 1
        with _returning():
            _unshare()
            there = _here()
        self._stack.callback(os.close, there)
        self._hosts[host] = there
        _ip(f"link add name port{number} mtu {_LARGEST_PACKET} type veth peer name host{number}")
        _ip(f"link set port{number} master bridge{bridge} up")
        _ip(f"link set host{number} netns /proc/{os.getpid()}/fd/{there}")
        with self.on(host):
            _ip("link set lo up")
            _ip(f"addr add 10.77.{bridge}.{number}/16 dev host{number}")
            _ip(f"link set host{number} mtu {_LARGEST_PACKET} up")
            _ip(f"route add default dev host{number}")  # of multicast

    @contextmanager
    def on(self, host: str) -> Iterator[None]:
        """What the calling thread starts inside runs on that host."""
        with _returning():
            _enter(self._hosts[host])
            yield

    def link(self, up: bool) -> None:
        """Join the bridges, or part them."""
        _ip(f"link set trunk0 {'up' if up else 'down'}")


def _here() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def _returning() -> Iterator[None]:
    before = _here()
    try:
        yield
    finally:
        _enter(before)
        os.close(before)


def _unshare() -> None:
    _checked("unshare", ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET))


def _enter(namespace: int) -> None:
    _checked("setns", ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET))


def _checked(call: str, status: int) -> None:
    if status != 0:
        reason = os.strerror(ctypes.get_errno())
        raise NetworkError(f"network namespaces: {call}: {reason}; they need Linux and root")


def _ip(arguments: str) -> None:
    try:
        ended = subprocess.run(["ip", *arguments.split()], capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NetworkError("network namespaces: need ip, of the package iproute2") from error
    if ended.returncode != 0:
        raise NetworkError(f"network namespaces: ip {arguments}: {ended.stderr.strip()}")
