# SPDX-License-Identifier: Apache-2.0
"""Who is at the other end of a connection of Gazebo's transport."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from m2vae_ros.gazebo import frames
from m2vae_ros.gazebo.address import Address

CONNECT_PATIENCE = 2.0
"""Seconds that a peer has to accept a connection."""

MAX_WAITING = 4 * 2**20
"""Bytes that a peer may leave unread before it is given up."""

TURN = 16
"""Payloads of one peer that are heard before the others have their turn."""

KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3}
"""A peer that is gone without a word, as when its machine loses power, is noticed after 11 s: asked
after 5 s of silence, every 2 s, three times. Some systems have other names for these."""


class Peer(asyncio.BufferedProtocol):
    """Sends payloads to somebody, and hears theirs.

    It is no `asyncio.StreamReader`: a long frame costs that one twice the time.

    Args:
        made: is called with the peer when it is connected.
    """

    def __init__(self, made: Callable[[Peer], None] = lambda peer: None) -> None:
        self._made = made
        self._reader = frames.Reader()
        self._room = 0
        self._hear: Callable[[bytes], None] | None = None
        self._caught_up: Callable[[], None] = lambda: None
        self._left = TURN  # payloads to be heard before it has caught up
        self._rounds = 0  # of the loop, until what had come by now was read if no more comes
        self._due = False  # to be served
        self._ended = asyncio.Event()
        self._end = ""

    @property
    def here(self) -> Address:
        """This end of the connection."""
        return cast(Address, self._transport.get_extra_info("sockname")[:2])

    @property
    def there(self) -> Address:
        """The other end."""
        return cast(Address, self._transport.get_extra_info("peername")[:2])

    def send(self, frame: bytes) -> None:
        """Send a frame, now or as soon as the peer takes it; one that does not read is given up."""
        if self._end:
            return
        self._transport.write(frame)
        if self._transport.get_write_buffer_size() > MAX_WAITING:
            self.close("the peer does not read")

    async def listen(
        self, hear: Callable[[bytes], None], caught_up: Callable[[], None] = lambda: None
    ) -> None:
        """Hear the peer until the connection ends.

        Args:
            hear: is called with every payload.
            caught_up: is called after those payloads that had come by then, or a `TURN` of them.

        Raises:
            ConnectionError: it ended; the message says why.
        """
        self._hear, self._caught_up = hear, caught_up
        self._rounds = 2
        self._soon()
        await self._ended.wait()
        raise ConnectionError(self._end)

    def close(self, reason: str = "") -> None:
        """End the connection, whatever is still to be sent."""
        self._end = self._end or reason or "the connection was closed"
        self._ended.set()
        self._transport.abort()

    # --- what asyncio calls -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is connected."""
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE.items():
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        self._made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes are to be put."""
        room = self._reader.room()
        self._room = len(room)
        return room

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes came."""
        self._reader.filled(nbytes)
        if self._hear is None:
            self._transport.pause_reading()
        else:
            self._rounds = int(nbytes == self._room)  # otherwise there was no more
            self._soon()

    def eof_received(self) -> None:
        """The peer says no more, so it is not spoken to either."""
        self._catch_up()
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is broken, or was ended here."""
        self.close(str(exc) if exc else "")

    # --- hearing ------------------------------------------------------------------------------

    def _soon(self) -> None:
        """Serve before more is read: the loop calls in the order in which it was asked to."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        """Have heard what is whole; then the others have their turn."""
        self._due = False
        if self._end or self._hear is None:
            return
        try:
            while self._left and (payload := self._reader.take()) is not None:
                self._left -= 1
                self._hear(payload)
        except frames.FrameError as error:
            self.close(str(error))
        if not self._left:
            self._transport.pause_reading()  # until the rest is taken
            self._catch_up()
            self._rounds = 2
            self._soon()
            return
        self._transport.resume_reading()
        if self._left < TURN and self._rounds:
            self._rounds -= 1
            self._soon()
        else:
            self._catch_up()

    def _catch_up(self) -> None:
        if self._left < TURN:
            self._left = TURN
            self._caught_up()


@asynccontextmanager
async def connection(address: Address) -> AsyncIterator[Peer]:
    """A connection to somebody, which is ended at the end.

    Raises:
        OSError: nobody accepts the connection, or there can be no such host.
    """
    peer = await _connect(address)
    try:
        yield peer
    finally:
        peer.close()


async def _connect(address: Address) -> Peer:
    loop = asyncio.get_running_loop()
    try:
        places = await loop.getaddrinfo(*address, type=socket.SOCK_STREAM)
    except ValueError as error:  # what no host's name can be: two dots together, say
        raise OSError(f"{address[0]}:{address[1]}: {error}") from error
    failure = OSError(f"{address[0]} has no address")
    for *_, place in places:
        attempt = loop.create_task(loop.create_connection(Peer, *place[:2]))
        try:
            # wait_for, before Python 3.12, may lose that it was cancelled.
            await asyncio.wait([attempt], timeout=CONNECT_PATIENCE)
            if attempt.done():
                return attempt.result()[1]
            failure = TimeoutError("timed out")
        except OSError as error:
            failure = error
        except asyncio.CancelledError:
            if attempt.done() and not attempt.exception():
                attempt.result()[0].abort()
            raise
        finally:
            attempt.cancel()
    raise failure
