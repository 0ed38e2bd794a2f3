# SPDX-License-Identifier: Apache-2.0
"""Topics that are published to Gazebo, and who has subscribed to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from google.protobuf.message import DecodeError

from m2vae_ros.gazebo.master import Master
from m2vae_ros.gazebo.messages import PACKAGE, message
from m2vae_ros.gazebo.peer import Peer


class Publications:
    """The topics that are offered.

    Args:
        master: is told of them.
        on_problem: is called with one sentence on each thing that went wrong.
    """

    def __init__(self, master: Master, on_problem: Callable[[str], None]) -> None:
        self._master = master
        self._on_problem = on_problem
        self._kinds: dict[str, str] = {}
        self._subscribers: dict[str, list[Peer]] = {}
        self._served: set[asyncio.Task[None]] = set()

    def add(self, topic: str, kind: str) -> None:
        """Offer a topic, unless that was done: now, or as soon as there is a Gazebo."""
        if topic not in self._kinds:
            self._kinds[topic], self._subscribers[topic] = kind, []
            if self._master.connected.is_set():
                self._offer(topic)

    def offer(self) -> None:
        """Tell a master that is there of all topics."""
        for topic in self._kinds:
            self._offer(topic)

    def send(self, topic: str, frame: bytes) -> None:
        """Send a frame to all that have subscribed to a topic that is offered."""
        for peer in self._subscribers[topic]:
            peer.send(frame)

    def count(self, topic: str) -> int:
        """How many have subscribed to a topic; any thread may ask."""
        return len(self._subscribers.get(topic, ()))

    def drop(self) -> None:
        """Leave the subscribers there were: Gazebo has gone."""
        for peers in self._subscribers.values():
            for peer in peers:
                peer.close()
            peers.clear()

    def accept(self, peer: Peer) -> None:
        """Hear what topic somebody wants who has connected."""
        served = asyncio.get_running_loop().create_task(self._serve(peer))
        self._served.add(served)
        served.add_done_callback(lambda _: self._forget(peer, served))

    async def _serve(self, peer: Peer) -> None:
        with suppress(OSError):  # it has unsubscribed
            await peer.listen(lambda payload: self._hear(peer, payload))

    def _forget(self, peer: Peer, served: asyncio.Task[None]) -> None:
        peer.close()
        self._served.remove(served)
        for peers in self._subscribers.values():
            if peer in peers:
                peers.remove(peer)

    def _hear(self, peer: Peer, payload: bytes) -> None:
        """The first thing a subscriber says; it says nothing else."""
        try:
            packet = message("Packet").FromString(payload)
            if packet.type != "sub":
                return
            wanted = message("Subscribe").FromString(packet.serialized_data).topic
        except DecodeError as error:
            host, port = peer.there
            self._on_problem(f"{host}:{port} sent what cannot be read: {error}")
            return
        for topic, peers in self._subscribers.items():
            if self._master.full_name(topic) == wanted and peer not in peers:
                peers.append(peer)

    def _offer(self, topic: str) -> None:
        content = message("Publish")(
            topic=self._master.full_name(topic), msg_type=f"{PACKAGE}.{self._kinds[topic]}"
        )
        self._master.tell("advertise", content)
