# SPDX-License-Identifier: Apache-2.0
"""A client of Gazebo's transport: topics in and out, over TCP.

Gazebo's master knows who publishes which topic. A subscriber asks it, connects to each publisher
itself, says what it wants, and from then on gets bare messages. A publisher tells the master where
it listens, and waits for the subscribers to connect.

One thread with an event loop does all input and output and calls back; the methods may be called
from any other.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from google.protobuf.message import Message

from m2vae_ros.gazebo import frames
from m2vae_ros.gazebo.address import Address, address_of
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.master import Master
from m2vae_ros.gazebo.messages import message
from m2vae_ros.gazebo.peer import Peer
from m2vae_ros.gazebo.publications import Publications
from m2vae_ros.gazebo.subscriptions import Subscription
from m2vae_ros.host.signals import postponed


class Client:
    """Topics of one Gazebo, which may come, go and come back at any time.

    A topic may begin with "~/", the world's own: it is looked up anew in each Gazebo.

    Args:
        uri: of the master, `http://HOST:PORT`.
        on_problem: is called, in the client's thread, with one sentence on each thing that went
            wrong and was overcome: a connection lost, a message that cannot be read.
        on_lost: is called, in the client's thread, when Gazebo has gone.

    Raises:
        GazeboError: the URI is none.
    """

    def __init__(
        self,
        uri: str,
        on_problem: Callable[[str], None] = lambda sentence: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        address = address_of(uri)
        try:
            with postponed():  # only a whole client can be closed
                self._begin(address, on_problem, on_lost)
        except (KeyboardInterrupt, SystemExit):
            self.close()
            raise

    def _begin(
        self,
        address: Address,
        on_problem: Callable[[str], None],
        on_lost: Callable[[], None],
    ) -> None:
        # Gazebo's programs and we are on one machine, or on two that can reach each other: the
        # address to be given is that of the connection to the master.
        self._listener = socket.create_server(("", 0))
        port = self._listener.getsockname()[1]
        self._on_problem = on_problem
        self._on_lost = on_lost
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(
            lambda _, what: on_problem(f"unexpected: {what.get('exception', what['message'])!r}")
        )
        self._ending = asyncio.Event()
        self._leaving: set[asyncio.Task[None]] = set()
        self._subscriptions: dict[str, Subscription] = {}
        self._master = Master(
            address, port, self._problem, self._on_world, self._on_publisher, self._on_master_lost
        )
        self._publications = Publications(self._master, self._problem)
        self._thread = threading.Thread(target=self._run, name="gazebo-transport", daemon=True)
        self._thread.start()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def connected(self) -> bool:
        """Whether there is a Gazebo, and it gave the name of its world."""
        return self._master.connected.is_set()

    @property
    def world(self) -> str:
        """The name of the world; the last one if there is no Gazebo now."""
        return self._master.world

    def wait(self, seconds: float) -> None:
        """Wait until there is a Gazebo.

        Raises:
            GazeboError: there was none in time.
        """
        if not self._master.connected.wait(seconds):
            host, port = self._master.address
            raise GazeboError(f"no Gazebo answers at {host}:{port}")

    def topics(self) -> dict[str, str]:
        """The topics that somebody publishes, with the types of their messages."""
        return {topic: kind for (topic, _), kind in list(self._master.publishers.items())}

    def subscribe(
        self,
        topic: str,
        kind: str,
        callback: Callable[[Any], None],
        caught_up: Callable[[], None] = lambda: None,
    ) -> None:
        """Have `callback` called, in the client's thread, with each message of a topic.

        Args:
            topic: one that is not subscribed yet.
            kind: the name of the message, e.g. "ImageStamped".
            callback: gets the message.
            caught_up: is called, in the client's thread, after those messages that had come by
                then: more than one if this program had to wait for a processor.

        Raises:
            GazeboError: Gazebo has no such message.
        """
        subscription = Subscription(topic, kind, callback, caught_up, self._master, self._problem)

        def begin() -> None:
            self._subscriptions[topic] = subscription
            if self.connected:
                subscription.ask()

        self._do(begin)

    def unsubscribe(self, topic: str) -> None:
        """End a subscription; without one nothing happens."""
        self._do(self._leave, topic)

    def advertise(self, topic: str, kind: str) -> None:
        """Offer a topic, so that `publish` finds its subscribers. Again, it does nothing.

        Raises:
            GazeboError: Gazebo has no such message.
        """
        message(kind)
        self._do(self._publications.add, topic, kind)

    def publish(self, topic: str, content: Message) -> None:
        """Send a message to all that are subscribed now; the topic must have been advertised.

        Raises:
            FrameError: it is too long.
        """
        self._do(self._publications.send, topic, frames.encode(content.SerializeToString()))

    def subscribers(self, topic: str) -> int:
        """How many there are of a topic that was advertised."""
        return self._publications.count(topic)

    def close(self) -> None:
        """End all connections and the thread."""
        self._do(self._ending.set)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # --- the thread ---------------------------------------------------------------------------

    def _do(self, task: Callable[..., None], *arguments: Any) -> None:
        """Have the thread do something; if it has ended, nothing."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(task, *arguments)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._live())
        finally:
            self._loop.close()

    async def _live(self) -> None:
        server = await self._loop.create_server(
            lambda: Peer(made=self._publications.accept), sock=self._listener
        )
        self._following = self._loop.create_task(self._master.follow())
        await self._ending.wait()
        for topic in list(self._subscriptions):
            self._leave(topic)
        if self._leaving:
            await asyncio.wait(self._leaving)
        server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.wait(rest)
        await self._loop.shutdown_default_executor()

    def _leave(self, topic: str) -> None:
        if subscription := self._subscriptions.pop(topic, None):
            for link in subscription.leave():
                self._leaving.add(link)
                link.add_done_callback(self._leaving.discard)

    def _problem(self, sentence: str) -> None:
        # What the user's function raises does not end what has the problem.
        self._loop.call_soon(self._on_problem, sentence)

    def _on_world(self) -> None:
        self._publications.offer()
        for subscription in self._subscriptions.values():
            subscription.ask()

    def _on_publisher(self, topic: str, address: Address) -> None:
        for subscription in self._subscriptions.values():
            subscription.join(topic, address)

    def _on_master_lost(self) -> None:
        for subscription in self._subscriptions.values():
            subscription.drop()
        self._publications.drop()
        self._loop.call_soon(self._on_lost)
