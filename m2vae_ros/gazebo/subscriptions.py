# SPDX-License-Identifier: Apache-2.0
"""Topics of Gazebo that are listened to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from m2vae_ros.gazebo.address import Address
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.master import RETRY_AFTER, Master, packet
from m2vae_ros.gazebo.messages import PACKAGE, message
from m2vae_ros.gazebo.peer import Peer, connection


@dataclass(eq=False)
class Subscription:
    """A topic that is listened to, with a connection to each of its publishers.

    Attributes:
        topic, kind, callback, caught_up: see `Client.subscribe`.
        master: tells of the publishers.
        on_problem: is called with one sentence on each thing that went wrong.

    Raises:
        GazeboError: Gazebo has no such message.
    """

    topic: str
    kind: str
    callback: Callable[[Any], None]
    caught_up: Callable[[], None]
    master: Master
    on_problem: Callable[[str], None]
    _links: dict[Address, asyncio.Task[None]] = field(default_factory=dict)
    _peers: dict[Address, Peer] = field(default_factory=dict)
    _left: bool = False

    def __post_init__(self) -> None:
        self._parse = message(self.kind).FromString

    def ask(self) -> None:
        """Tell a master that is there, and connect to the publishers it has told of."""
        self.master.tell("subscribe", self._subscriber())
        for topic, address in self.master.publishers:
            self.join(topic, address)

    def join(self, topic: str, address: Address) -> None:
        """Connect to a publisher of this topic, unless that was done or it is gone."""
        if (
            not self._left
            and topic == self.master.full_name(self.topic)
            and (topic, address) in self.master.publishers
            and address not in self._links
        ):
            link = asyncio.get_running_loop().create_task(self._follow(topic, address))
            link.add_done_callback(lambda _: self._end(address))
            self._links[address] = link

    def drop(self) -> None:
        """Hear no more of the publishers there were: Gazebo has gone."""
        for link in self._links.values():
            link.cancel()
        for peer in self._peers.values():
            peer.close()

    def leave(self) -> list[asyncio.Task[None]]:
        """Hear no more, and have the publishers end their connections.

        A publisher of Gazebo whose subscriber just closes while it sends waits for ever, and never
        publishes again.

        Returns:
            What ends when they have, or after `RETRY_AFTER`.
        """
        self._left = True
        self.master.tell("unsubscribe", self._subscriber())
        for address, link in self._links.items():
            if peer := self._peers.get(address):
                self.master.tell("unsubscribe", self._subscriber(*peer.here))
                asyncio.get_running_loop().call_later(RETRY_AFTER, peer.close)
            else:  # it does not know of us yet
                link.cancel()
        return list(self._links.values())

    def _subscriber(self, host: str | None = None, port: int | None = None) -> Any:
        """Who we are: to the master, or with the address of this end of a connection."""
        return message("Subscribe")(
            topic=self.master.full_name(self.topic),
            msg_type=f"{PACKAGE}.{self.kind}",
            host=host,
            port=port,
            latching=False,
        )

    async def _follow(self, topic: str, address: Address) -> None:
        try:
            async with connection(address) as peer:
                self._peers[address] = peer
                peer.send(packet("sub", self._subscriber(*peer.here)))
                await peer.listen(
                    lambda payload: self._call(self._hear, payload),
                    lambda: self._call(self.caught_up),
                )
        except OSError as error:
            if not self._left:
                self.on_problem(f"{self.topic}: {error}")
                asyncio.get_running_loop().call_later(RETRY_AFTER, self.join, topic, address)

    def _end(self, address: Address) -> None:
        del self._links[address]
        self._peers.pop(address, None)

    def _hear(self, payload: bytes) -> None:
        try:
            content = self._parse(payload)
        except DecodeError:
            raise GazeboError(f"a message is no {self.kind}") from None
        self.callback(content)

    def _call(self, callback: Callable[..., None], *arguments: Any) -> None:
        if self._left:
            return
        try:
            callback(*arguments)
        except GazeboError as error:
            self.on_problem(f"{self.topic}: {error}")
        except Exception as error:  # all other topics go on
            self.on_problem(f"{self.topic}: unexpected: {error!r}")
