# SPDX-License-Identifier: Apache-2.0
"""Frames of Gazebo's transport, whatever pieces they come in and whatever else comes."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.gazebo import frames


def received(pieces: list[bytes], limit: int = frames.MAX_BYTES) -> list[bytes]:
    """What a reader makes of pieces that come one after the other."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        reader = frames.Reader(limit)
        payloads = []
        for piece in pieces:
            theirs.sendall(piece)
            while got := reader.receive(ours):
                payloads += got
        return payloads


@given(
    payloads=st.lists(st.binary(max_size=300), max_size=40),
    cuts=st.lists(st.integers(0, 5000), max_size=20),
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


def test_the_end_of_a_connection_is_told_after_what_came_before() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        theirs.sendall(frames.encode(b"last"))
        theirs.close()
        reader = frames.Reader()
        assert reader.receive(ours) == [b"last"]
        with pytest.raises(ConnectionError):
            reader.receive(ours)
