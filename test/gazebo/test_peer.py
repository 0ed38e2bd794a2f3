# SPDX-License-Identifier: Apache-2.0
"""Who is at the other end of a connection is heard in turn; who does not read or answer is left."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from gazebo_master import silent

from m2vae_ros.gazebo import frames
from m2vae_ros.gazebo import peer as module
from m2vae_ros.gazebo.peer import MAX_WAITING, TURN, Peer, connection


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Peer, socket.socket]]:
    """A peer, and the socket it speaks through."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        async with connection(server.getsockname()) as peer:
            with server.accept()[0] as theirs:
                yield peer, theirs


def test_what_came_before_the_end_of_a_connection_is_heard() -> None:
    async def main() -> None:
        async with connected() as (peer, theirs):
            theirs.sendall(frames.encode(b"last") + b"0000")
            theirs.close()
            heard: list[bytes] = []
            with pytest.raises(ConnectionError, match="was closed"):
                await peer.listen(heard.append)
            assert heard == [b"last"]

    asyncio.run(main())


def test_what_came_before_what_is_no_frame_is_heard() -> None:
    async def main() -> None:
        async with connected() as (peer, theirs):
            theirs.sendall(frames.encode(b"last") + b"nonsense")
            heard: list[bytes] = []
            with pytest.raises(ConnectionError, match="not a frame's length"):
                await peer.listen(heard.append)
            assert heard == [b"last"]

    asyncio.run(main())


def test_who_does_not_read_is_given_up() -> None:
    async def main() -> None:
        async with connected() as (peer, _):
            frame = frames.encode(bytes(MAX_WAITING // 4))
            listening = asyncio.create_task(peer.listen(lambda payload: None))
            sent = 0
            while not listening.done():
                peer.send(frame)
                sent += 1
                await asyncio.sleep(0)
            with pytest.raises(ConnectionError, match="does not read"):
                await listening
            assert sent > 4  # so much may wait, and more is on its way

    asyncio.run(main())


def test_one_who_says_much_does_not_keep_others_from_being_heard() -> None:
    async def main() -> None:
        async with connected() as (loud, theirs), connected() as (quiet, others):
            theirs.sendall(10_000 * frames.encode(b""))
            others.sendall(frames.encode(b"hello"))
            order: list[bytes] = []
            listening = [asyncio.create_task(peer.listen(order.append)) for peer in (loud, quiet)]
            while len(order) < 10_001:
                await asyncio.sleep(0)
            assert order.index(b"hello") < 4 * TURN
            for task in listening:
                task.cancel()

    asyncio.run(main())


def test_it_has_caught_up_when_all_that_waits_was_heard_or_after_a_turn(monkeypatch) -> None:
    monkeypatch.setattr(frames, "ROOM", 64)  # so that it is read in many pieces

    async def main() -> None:
        async with connected() as (peer, theirs):
            heard: list[bytes] = []
            counts: list[int] = []
            theirs.sendall((2 * TURN + 3) * frames.encode(bytes(100)))
            listening = asyncio.create_task(
                peer.listen(heard.append, lambda: counts.append(len(heard)))
            )
            while len(counts) < 3:
                await asyncio.sleep(0)
            assert counts == [TURN, 2 * TURN, 2 * TURN + 3]
            listening.cancel()

    asyncio.run(main())


def test_one_whose_machine_is_lost_is_noticed() -> None:
    async def main() -> None:
        async with connected() as (peer, _):
            sock = peer._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 10

    asyncio.run(main())


def test_who_does_not_answer_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(module, "CONNECT_PATIENCE", 0.1)

    async def main() -> None:
        with silent() as address, pytest.raises(OSError, match="timed out"):
            async with connection(address):
                pass

    asyncio.run(main())


@pytest.mark.filterwarnings("error")
def test_who_waits_for_an_answer_can_be_stopped() -> None:
    async def main() -> None:
        async def connect() -> None:
            with silent() as address:
                async with connection(address):
                    pass

        connecting = asyncio.create_task(connect())
        done, _ = await asyncio.wait([connecting], timeout=0.1)
        assert not done
        connecting.cancel()
        await asyncio.wait([connecting], timeout=module.CONNECT_PATIENCE / 2)
        assert connecting.cancelled()

    asyncio.run(main())
