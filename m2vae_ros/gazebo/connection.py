# SPDX-License-Identifier: Apache-2.0
"""One connection of Gazebo's transport, read and written by one thread without waiting."""

from __future__ import annotations

import socket
from collections.abc import Callable

from m2vae_ros.gazebo import frames

MAX_WAITING = 4 * 2**20
"""Bytes that a peer may leave unread before it is given up."""

KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3}
"""A peer that is gone without a word, as when its machine loses power, is noticed after 11 s: asked
after 5 s of silence, every 2 s, three times. Some systems have other names for these."""


class Connection:
    """A socket, the frames that come in by it, and those that wait to go out.

    Attributes:
        socket: non-blocking.
        name: what is said of it when it breaks.
        received: is called with every payload.
        closed: is called with the reason when it breaks, once; not after `close`.
        caught_up: is called after payloads when no more of them wait.
    """

    def __init__(
        self,
        sock: socket.socket,
        name: str,
        received: Callable[[Connection, bytes], None],
        closed: Callable[[Connection, str], None],
    ) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE.items():
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        self.socket = sock
        self.name = name
        self.received = received
        self.closed = closed
        self.caught_up: Callable[[], None] = lambda: None
        self._reader = frames.Reader()
        self._waiting = bytearray()

    @property
    def has_waiting(self) -> bool:
        """Whether something waits to go out."""
        return bool(self._waiting)

    def read(self) -> None:
        """Take what is there.

        Raises:
            OSError, FrameError: it is broken.
        """
        payloads = self._reader.receive(self.socket)
        for payload in payloads:
            self.received(self, payload)
        if payloads:
            self.caught_up()

    def write(self, payload: bytes) -> None:
        """Send a payload, now or as soon as the peer takes it.

        Raises:
            OSError: it is broken, or the peer has not read for long.
        """
        self._waiting += frames.encode(payload)
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the peer takes it.

        Raises:
            OSError: as `write`.
        """
        try:
            sent = self.socket.send(self._waiting)
        except BlockingIOError:
            sent = 0
        del self._waiting[:sent]
        if len(self._waiting) > MAX_WAITING:
            raise ConnectionError("the peer does not read")
