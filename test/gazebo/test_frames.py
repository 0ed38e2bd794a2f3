# SPDX-License-Identifier: Apache-2.0
"""Frames of Gazebo's transport, whatever pieces they come in and whatever else comes."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.gazebo import frames


def put(reader: frames.Reader, piece: bytes) -> list[bytes]:
    """The payloads that are whole after a piece, whatever room there is for it."""
    payloads = []
    while piece:
        room = reader.room()
        count = min(len(room), len(piece))
        room[:count], piece = piece[:count], piece[count:]
        reader.filled(count)
        while (payload := reader.take()) is not None:
            payloads.append(payload)
    return payloads


def received(pieces: list[bytes], limit: int = frames.MAX_BYTES) -> list[bytes]:
    """What a reader makes of pieces that come one after the other."""
    reader = frames.Reader(limit)
    return [payload for piece in pieces for payload in put(reader, piece)]


@given(
    payloads=st.lists(
        st.binary(max_size=300) | st.integers(0, 4 * frames.ROOM).map(random.Random(0).randbytes),
        max_size=40,
    ),
    cuts=st.lists(st.integers(0, 5000) | st.integers(0, 9 * frames.ROOM), max_size=20),
)
def test_payloads_arrive_whole_and_in_order_however_they_are_cut(payloads, cuts) -> None:
    data = b"".join(map(frames.encode, payloads))
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in zip(places, places[1:], strict=False)]
    assert received(pieces) == payloads


@given(data=st.binary(max_size=200))
def test_whatever_comes_it_is_payloads_or_a_frame_error(data: bytes) -> None:
    try:
        payloads = received([data], limit=50)
    except frames.FrameError:
        return
    assert all(len(payload) <= 50 for payload in payloads)
    begun = b"".join(map(frames.encode, payloads))
    assert data.lower().startswith(begun.lower())


@pytest.mark.parametrize(
    "header", [b"0000000g", b"   00001", b"+0000001", b"0x000001", b"0000_001", b"\xff" * 8]
)
def test_a_header_that_is_no_number_of_eight_digits_is_named(header: bytes) -> None:
    with pytest.raises(frames.FrameError, match="not a frame's length"):
        received([header])


def test_a_frame_that_is_too_long_is_refused_before_it_comes() -> None:
    with pytest.raises(frames.FrameError, match="at most 67108864"):
        received([b"ffffffff"])
    with pytest.raises(frames.FrameError, match="at most"):
        frames.encode(bytes(frames.MAX_BYTES + 1))


def test_what_was_whole_before_a_frame_error_is_given() -> None:
    reader = frames.Reader()
    data = frames.encode(b"last") + b"nonsense"
    reader.room()[: len(data)] = data
    reader.filled(len(data))
    assert reader.take() == b"last"
    with pytest.raises(frames.FrameError):
        reader.take()


def test_memory_is_taken_for_what_has_come_not_for_what_a_header_promises() -> None:
    reader = frames.Reader()
    payload = bytes(frames.MAX_BYTES // 8)
    data = frames.encode(payload)
    tracemalloc.start()
    try:
        came = 0
        while came < len(data) - 1:
            piece = data[came : min(came + 30_000, len(data) - 1)]
            assert put(reader, piece) == []
            came += len(piece)
            assert tracemalloc.get_traced_memory()[0] < 2 * came + 2 * frames.ROOM
    finally:
        tracemalloc.stop()
    assert put(reader, data[came:]) == [payload]
