# SPDX-License-Identifier: Apache-2.0
"""Frames of Gazebo's transport: eight hexadecimal digits, and as many bytes as they say."""

from __future__ import annotations

import re
import socket

HEADER = 8
MAX_BYTES = 64 * 2**20
"""Of one frame: an image of 4096×4096 pixels with 4 bytes each."""


class FrameError(ValueError):
    """What came is no frame, so nobody can tell where the next one begins."""


def encode(payload: bytes) -> bytes:
    """A frame.

    Raises:
        FrameError: the payload is longer than `MAX_BYTES`.
    """
    if len(payload) > MAX_BYTES:
        raise FrameError(f"a frame of {len(payload)} bytes, at most {MAX_BYTES} are sent")
    return b"%08x" % len(payload) + payload


class Reader:
    """Puts together the frames that come in pieces over a socket."""

    def __init__(self, limit: int = MAX_BYTES) -> None:
        """Args: limit: bytes of a payload at most."""
        self._limit = limit
        self._header = True
        self._buffer = bytearray(HEADER)
        self._filled = 0

    def receive(self, source: socket.socket) -> list[bytes]:
        """The payloads that became whole with what can be read now without waiting.

        Raises:
            ConnectionError: the other side has gone.
            FrameError: what came is no frame, or is too long.
        """
        payloads: list[bytes] = []
        while True:
            room = memoryview(self._buffer)[self._filled :]
            try:
                count = source.recv_into(room) if room else 0
            except BlockingIOError:
                return payloads
            if room and not count:
                if payloads:
                    return payloads  # the next call finds the end again
                raise ConnectionError("the connection was closed")
            self._filled += count
            if self._filled == len(self._buffer):
                payloads += self._complete()
                if len(payloads) >= 16:
                    return payloads  # other sockets must have their turn

    def _complete(self) -> list[bytes]:
        """Header or payload is whole: begin with what follows."""
        self._filled = 0
        if self._header:
            self._buffer = bytearray(self._length(bytes(self._buffer)))
            self._header = False
            return []
        payload, self._buffer = bytes(self._buffer), bytearray(HEADER)
        self._header = True
        return [payload]

    def _length(self, header: bytes) -> int:
        # int() alone would take signs, spaces and underscores, too.
        if not re.fullmatch(rb"[0-9a-fA-F]{8}", header):
            raise FrameError(f"{header!r} is not a frame's length")
        length = int(header, 16)
        if length > self._limit:
            raise FrameError(f"a frame of {length} bytes, at most {self._limit} are taken")
        return length
