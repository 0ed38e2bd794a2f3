# SPDX-License-Identifier: Apache-2.0
"""Frames of Gazebo's transport: eight hexadecimal digits, and as many bytes as they say."""

from __future__ import annotations

import re

HEADER = 8
MAX_BYTES = 64 * 2**20
"""Of one frame: an image of 4096×4096 pixels with 4 bytes each."""

ROOM = 64 * 2**10
"""Bytes that a reader has room for at least."""

USUAL = 4 * 2**20
"""Bytes that a reader has room for at most before they come, if the last frame had as many."""


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
    """Puts together the frames that come in pieces.

    A piece is written into its `room` and told with `filled`; `take` gives the payloads that are
    whole. Memory is had for as much as has come, now or in the last frame, and not for what a
    header promises: whoever sends eight bytes takes none.
    """

    def __init__(self, limit: int = MAX_BYTES) -> None:
        """Args: limit: bytes of a payload at most."""
        self._limit = limit
        self._expected = ROOM
        self._buffer = bytearray()
        self._begin = self._end = 0  # of what came and was not taken

    def room(self) -> memoryview:
        """Where the next piece is to be put, when there is nothing left to take.

        It ends soon after a long frame that has begun: little of what follows must be moved then.
        """
        most = max(self._size() + HEADER, self._expected)
        came = self._end - self._begin
        if came == len(self._buffer):
            self._move(bytearray(min(most, max(self._expected, 2 * came))))
        elif self._begin:
            self._move(self._buffer)
        return memoryview(self._buffer)[self._end : most]

    def filled(self, count: int) -> None:
        """So many bytes were put into the room."""
        self._end += count

    def take(self) -> bytes | None:
        """The next payload, if it is whole.

        Raises:
            FrameError: what came is no frame, or is too long.
        """
        size = self._size()
        came = self._end - self._begin
        if came < size:
            return None
        payload = bytes(memoryview(self._buffer)[self._begin + HEADER : self._begin + size])
        self._begin += size
        self._expected = min(max(size + HEADER, ROOM), USUAL)
        if size > ROOM:  # what is made of the payload has best the memory that it came into
            self._move(bytearray(came - size))
        return payload

    def _move(self, buffer: bytearray) -> None:
        """Have what was not taken at the beginning of a buffer."""
        came = self._end - self._begin
        buffer[:came] = self._buffer[self._begin : self._end]
        self._buffer, self._begin, self._end = buffer, 0, came

    def _size(self) -> int:
        """Bytes of the frame that begins, as far as is known."""
        if self._end - self._begin < HEADER:
            return HEADER
        header = bytes(self._buffer[self._begin : self._begin + HEADER])
        # int() alone would take signs, spaces and underscores, too.
        if not re.fullmatch(rb"[0-9a-fA-F]{8}", header):
            raise FrameError(f"{header!r} is not a frame's length")
        length = int(header, 16)
        if length > self._limit:
            raise FrameError(f"a frame of {length} bytes, at most {self._limit} are taken")
        return HEADER + length
