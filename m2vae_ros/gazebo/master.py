# SPDX-License-Identifier: Apache-2.0
"""Gazebo's master, who knows who publishes which topic."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError, Message

from m2vae_ros.gazebo import frames
from m2vae_ros.gazebo.address import Address
from m2vae_ros.gazebo.messages import message
from m2vae_ros.gazebo.peer import Peer, connection

RETRY_AFTER = 0.5
"""Seconds from a lost connection to the next try."""


@dataclass(eq=False)
class Master:
    """The connection to a master that may come, go and come back, and what it told.

    Attributes:
        address: where it is.
        port: where others reach us, which it is told.
        on_problem: is called with one sentence on each thing that went wrong.
        on_world: is called when it gave the name of its world.
        on_publisher: is called with topic and address of each publisher it tells of.
        on_lost: is called when it has gone.
        connected: whether it is there, and `on_world` has returned.
        world: the name of the world; the last one if there is no Gazebo now.
        publishers: topic and address of each, with the type of its messages.
    """

    address: Address
    port: int
    on_problem: Callable[[str], None]
    on_world: Callable[[], None]
    on_publisher: Callable[[str, Address], None]
    on_lost: Callable[[], None]
    connected: threading.Event = field(default_factory=threading.Event)
    world: str = ""
    publishers: dict[tuple[str, Address], str] = field(default_factory=dict)
    _peer: Peer | None = None

    async def follow(self) -> None:
        """Be connected whenever it is there, until cancelled."""
        while True:
            with suppress(OSError):  # nobody there yet, or any more
                async with connection(self.address) as self._peer:
                    try:
                        await self._peer.listen(self._hear)
                    except OSError as error:
                        self._lost(str(error))
            await asyncio.sleep(RETRY_AFTER)

    def full_name(self, topic: str) -> str:
        """Of a topic, which may begin with "~/", the world's own."""
        return f"/gazebo/{self.world}/{topic[2:]}" if topic.startswith("~/") else topic

    def tell(self, what: str, content: Any) -> None:
        """Tell it, if it is there, of a publisher or subscriber: this one, if it has no address."""
        if self._peer is None:
            return
        if not content.HasField("host"):
            content.host, content.port = self._peer.here[0], self.port
        self._peer.send(packet(what, content))

    def _lost(self, reason: str) -> None:
        self.connected.clear()
        self._peer = None
        self.publishers.clear()
        self.on_problem(f"the connection to Gazebo's master was lost: {reason}")
        self.on_lost()

    def _hear(self, payload: bytes) -> None:
        try:
            told = message("Packet").FromString(payload)
            content = told.serialized_data
            if told.type in ("topic_namespaces_init", "topic_namepaces_init"):
                self._add_worlds(message("GzString_V").FromString(content).data)
            elif told.type == "topic_namespace_add":
                self._add_worlds([message("GzString").FromString(content).data])
            elif told.type == "publishers_init":
                for publisher in message("Publishers").FromString(content).publisher:
                    self._add(publisher)
            elif told.type in ("publisher_add", "publisher_subscribe", "publisher_advertise"):
                self._add(message("Publish").FromString(content))
            elif told.type == "publisher_del":
                gone = message("Publish").FromString(content)
                self.publishers.pop((gone.topic, (gone.host, gone.port)), None)
        except DecodeError as error:
            self.on_problem(f"the master sent what cannot be read: {error}")

    def _add_worlds(self, names: list[str]) -> None:
        if names and not self.connected.is_set():
            self.world = names[0]
            self.on_world()
            self.connected.set()

    def _add(self, publisher: Any) -> None:
        topic, address = publisher.topic, (publisher.host, publisher.port)
        self.publishers[topic, address] = publisher.msg_type
        self.on_publisher(topic, address)


def packet(kind: str, content: Message) -> bytes:
    """The frame of what is said to a master, or at first to a publisher."""
    now = time.time_ns()
    stamp = {"sec": now // 10**9, "nsec": now % 10**9}
    data = content.SerializeToString()
    whole = message("Packet")(stamp=stamp, type=kind, serialized_data=data)
    return frames.encode(whole.SerializeToString())
