# SPDX-License-Identifier: Apache-2.0
"""A client of Gazebo's transport: topics in and out, over TCP.

Gazebo's master knows who publishes which topic. A subscriber asks it, connects to each publisher
itself, says what it wants, and from then on gets bare messages. A publisher tells the master where
it listens, and waits for the subscribers to connect.

One thread does all input and output and calls back; the methods may be called from any other.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from google.protobuf.message import DecodeError, Message

from m2vae_ros.gazebo.address import address_of
from m2vae_ros.gazebo.connection import Connection
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.frames import FrameError
from m2vae_ros.gazebo.messages import PACKAGE, message

RETRY_AFTER = 0.5
"""Seconds from a lost connection to the next try."""

CONNECT_PATIENCE = 2.0
"""Seconds that a peer has to accept a connection."""


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
        self._master_address = address_of(uri)
        self._on_problem = on_problem
        self._on_lost = on_lost
        self._selector = selectors.DefaultSelector()
        self._tasks: deque[Callable[[], None]] = deque()
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._subscriptions: dict[str, _Subscription] = {}
        self._publications: dict[str, _Publication] = {}
        self._master: Connection | None = None
        self._world = ""
        self._topics: dict[str, dict[tuple[str, int], str]] = {}
        self._connected = threading.Event()
        self._leaving: set[Connection] = set()
        self._ending = False
        # Gazebo's programs and we are on one machine, or on two that can reach each other: the
        # address to be given is that of the connection to the master.
        self._listener = socket.create_server(("", 0))
        self._listener.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._drain)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._thread = threading.Thread(target=self._run, name="gazebo-transport", daemon=True)
        self._tasks.append(self._connect)
        self._thread.start()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def connected(self) -> bool:
        """Whether there is a Gazebo, and it gave the name of its world."""
        return self._connected.is_set()

    @property
    def world(self) -> str:
        """The name of the world; the last one if there is no Gazebo now."""
        return self._world

    def wait(self, seconds: float) -> None:
        """Wait until there is a Gazebo.

        Raises:
            GazeboError: there was none in time.
        """
        if not self._connected.wait(seconds):
            host, port = self._master_address
            raise GazeboError(f"no Gazebo answers at {host}:{port}")

    def topics(self) -> dict[str, str]:
        """The topics that somebody publishes, with the types of their messages."""
        return {
            topic: next(iter(publishers.values()))
            for topic, publishers in list(self._topics.items())
            if publishers
        }

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
        subscription = _Subscription(topic, kind, message(kind), callback, caught_up)

        def begin() -> None:
            self._subscriptions[topic] = subscription
            self._ask_for(subscription)

        self._do(begin)

    def unsubscribe(self, topic: str) -> None:
        """End a subscription; without one nothing happens."""

        def end() -> None:
            subscription = self._subscriptions.pop(topic, None)
            if subscription is None:
                return
            self._leave(subscription)

        self._do(end)

    def advertise(self, topic: str, kind: str) -> None:
        """Offer a topic, so that `publish` finds its subscribers. Again, it does nothing.

        Raises:
            GazeboError: Gazebo has no such message.
        """
        message(kind)

        def begin() -> None:
            if topic not in self._publications:
                self._publications[topic] = _Publication(topic, kind)
                self._offer(self._publications[topic])

        self._do(begin)

    def publish(self, topic: str, content: Message) -> None:
        """Send a message to all that are subscribed now; the topic must have been advertised."""
        payload = content.SerializeToString()

        def send() -> None:
            for connection in list(self._publications[topic].connections):
                self._write(connection, payload)

        self._do(send)

    def subscribers(self, topic: str) -> int:
        """How many there are of a topic that was advertised."""
        publication = self._publications.get(topic)
        return len(publication.connections) if publication else 0

    def close(self) -> None:
        """End all connections and the thread."""
        if not self._thread.is_alive():
            return

        def end() -> None:
            self._ending = True
            for subscription in self._subscriptions.values():
                self._leave(subscription)
            self._subscriptions.clear()

        self._do(end)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # --- the thread ---------------------------------------------------------------------------

    def _do(self, task: Callable[[], None]) -> None:
        """Have the thread do something."""
        self._tasks.append(task)
        # A full pipe wakes as well; a closed one has nobody to wake.
        with suppress(OSError):
            self._wake.send(b"\0")

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass

    def _run(self) -> None:
        try:
            while not (self._ending and not self._leaving):
                for key, _ in self._selector.select(self._until_next()):
                    if isinstance(key.data, Connection):
                        self._serve(key.data)
                    else:
                        key.data()
                self._run_tasks()
        finally:
            for key in list(self._selector.get_map().values()):
                cast(socket.socket, key.fileobj).close()
            self._wake.close()
            self._selector.close()

    def _until_next(self) -> float | None:
        if self._tasks:
            return 0.0
        if not self._later:
            return None
        return max(0.0, min(due for due, _ in self._later) - time.monotonic())

    def _run_tasks(self) -> None:
        now = time.monotonic()
        due = [task for when, task in self._later if when <= now]
        self._later = [(when, task) for when, task in self._later if when > now]
        self._tasks.extend(due)
        while self._tasks:
            self._tasks.popleft()()

    def _soon(self, task: Callable[[], None]) -> None:
        self._later.append((time.monotonic() + RETRY_AFTER, task))

    def _serve(self, connection: Connection) -> None:
        if connection.socket.fileno() < 0:
            return  # closed by what was served before it
        try:
            connection.flush()
            connection.read()
        except (OSError, FrameError) as error:
            self._broken(connection, str(error))
            return
        self._watch(connection)

    def _write(self, connection: Connection, payload: bytes) -> None:
        try:
            connection.write(payload)
        except OSError as error:
            self._broken(connection, str(error))
            return
        self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        """Have the selector tell when there is something to read, or room for what waits."""
        if connection.socket.fileno() < 0:
            return
        events = selectors.EVENT_READ
        if connection.has_waiting:
            events |= selectors.EVENT_WRITE
        try:
            if self._selector.get_key(connection.socket).events != events:
                self._selector.modify(connection.socket, events, connection)
        except KeyError:
            self._selector.register(connection.socket, events, connection)

    def _close(self, connection: Connection) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(connection.socket)
        connection.socket.close()

    def _broken(self, connection: Connection, reason: str) -> None:
        self._close(connection)
        connection.closed(connection, reason)

    def _open(
        self,
        address: tuple[str, int],
        name: str,
        received: Callable[[Connection, bytes], None],
        closed: Callable[[Connection, str], None],
    ) -> Connection:
        """A connection to somebody.

        Raises:
            OSError: nobody accepts it, or there can be no such host.
        """
        try:
            sock = socket.create_connection(address, timeout=CONNECT_PATIENCE)
        except UnicodeError as error:  # what no host's name can be: two dots together, say
            raise OSError(f"{address[0]}:{address[1]}: {error}") from error
        connection = Connection(sock, name, received, closed)
        self._watch(connection)
        return connection

    # --- the master ---------------------------------------------------------------------------

    def _connect(self) -> None:
        try:
            self._master = self._open(
                self._master_address, "the master", self._on_master, self._on_master_lost
            )
        except OSError:  # nobody there yet, or any more
            self._soon(self._connect)

    def _on_master_lost(self, connection: Connection, reason: str) -> None:
        self._on_problem(f"the connection to Gazebo's master was lost: {reason}")
        self._connected.clear()
        self._master, self._topics = None, {}
        for subscription in self._subscriptions.values():
            for connection in subscription.connections.values():
                self._close(connection)
            subscription.connections.clear()
        for publication in self._publications.values():
            for connection in publication.connections:
                self._close(connection)
            publication.connections.clear()
        self._on_lost()
        self._soon(self._connect)

    def _on_master(self, connection: Connection, payload: bytes) -> None:
        try:
            packet = message("Packet").FromString(payload)
            content = packet.serialized_data
            if packet.type in ("topic_namespaces_init", "topic_namepaces_init"):
                self._on_worlds(message("GzString_V").FromString(content).data)
            elif packet.type == "topic_namespace_add":
                self._on_worlds([message("GzString").FromString(content).data])
            elif packet.type == "publishers_init":
                for publish in message("Publishers").FromString(content).publisher:
                    self._on_publisher(publish)
            elif packet.type in ("publisher_add", "publisher_subscribe", "publisher_advertise"):
                self._on_publisher(message("Publish").FromString(content))
            elif packet.type == "publisher_del":
                gone = message("Publish").FromString(content)
                self._topics.get(gone.topic, {}).pop((gone.host, gone.port), None)
        except DecodeError as error:
            self._on_problem(f"the master sent what cannot be read: {error}")

    def _on_worlds(self, names: list[str]) -> None:
        if not names or self._connected.is_set():
            return
        self._world = names[0]
        for publication in self._publications.values():
            self._offer(publication)
        if self._master is None:  # lost meanwhile
            return
        self._connected.set()
        for subscription in self._subscriptions.values():
            self._ask_for(subscription)

    def _full_name(self, topic: str) -> str:
        return f"/gazebo/{self._world}/{topic[2:]}" if topic.startswith("~/") else topic

    def _tell_master(self, what: str, content: Message) -> None:
        if self._master is not None:
            self._write(self._master, _packet(what, content))

    def _place(self) -> tuple[str, int]:
        """Where others reach us: host and port."""
        assert self._master is not None  # without one there is nobody to be told
        return self._master.socket.getsockname()[0], self._listener.getsockname()[1]

    # --- subscriptions ------------------------------------------------------------------------

    def _ask_for(self, subscription: _Subscription) -> None:
        if not self.connected or self._master is None:
            return
        self._tell_master("subscribe", self._as_subscriber(subscription))
        topic = self._full_name(subscription.topic)
        for address in self._topics.get(topic, {}):
            self._join(subscription, address)

    def _as_subscriber(
        self, subscription: _Subscription, connection: Connection | None = None
    ) -> Message:
        """Who we are as a subscriber, to the master or at the other end of a connection."""
        if connection is None:
            host, port = self._place()
        else:
            host, port = connection.socket.getsockname()[:2]
        content: Message = message("Subscribe")(
            topic=self._full_name(subscription.topic),
            msg_type=f"{PACKAGE}.{subscription.kind}",
            host=host,
            port=port,
            latching=False,
        )
        return content

    def _leave(self, subscription: _Subscription) -> None:
        """Have the publishers end their connections.

        A publisher of Gazebo whose subscriber just closes while it sends waits for ever, and never
        publishes again.
        """
        if self._master is not None:
            self._tell_master("unsubscribe", self._as_subscriber(subscription))
        # A copy: if the master is lost meanwhile, there are no connections any more.
        for connection in list(subscription.connections.values()):
            connection.received, connection.caught_up = lambda _, payload: None, lambda: None
            connection.closed = lambda gone, _: self._leaving.discard(gone)
            self._leaving.add(connection)
            if self._master is not None:
                content = self._as_subscriber(subscription, connection)
                self._tell_master("unsubscribe", content)
            self._soon(partial(self._drop, connection))
        subscription.connections.clear()

    def _drop(self, connection: Connection) -> None:
        """Close what its publisher did not close."""
        if connection in self._leaving:
            self._leaving.remove(connection)
            self._close(connection)

    def _on_publisher(self, publish: Any) -> None:
        address = (publish.host, publish.port)
        self._topics.setdefault(publish.topic, {})[address] = publish.msg_type
        for subscription in list(self._subscriptions.values()):
            if self._full_name(subscription.topic) == publish.topic:
                self._join(subscription, address)

    def _join(self, subscription: _Subscription, address: tuple[str, int]) -> None:
        """Connect to a publisher of a topic, unless that was done."""
        if (
            address in subscription.connections
            or self._master is None
            or self._subscriptions.get(subscription.topic) is not subscription
            or address not in self._topics.get(self._full_name(subscription.topic), {})
        ):
            return

        def again(reason: str) -> None:
            subscription.connections.pop(address, None)
            self._on_problem(f"{subscription.topic}: {reason}")
            self._soon(lambda: self._join(subscription, address))

        try:
            connection = self._open(
                address,
                subscription.topic,
                lambda _, payload: self._on_message(subscription, payload),
                lambda _, reason: again(reason),
            )
        except OSError as error:
            again(str(error))
            return
        connection.caught_up = lambda: self._call(subscription, subscription.caught_up)
        subscription.connections[address] = connection
        self._write(connection, _packet("sub", self._as_subscriber(subscription, connection)))

    def _on_message(self, subscription: _Subscription, payload: bytes) -> None:
        try:
            content = subscription.parse.FromString(payload)
        except DecodeError:
            self._on_problem(f"{subscription.topic}: a message is no {subscription.kind}")
            return
        self._call(subscription, subscription.callback, content)

    def _call(
        self, subscription: _Subscription, callback: Callable[..., None], *arguments: Any
    ) -> None:
        try:
            callback(*arguments)
        except GazeboError as error:
            self._on_problem(f"{subscription.topic}: {error}")
        except Exception as error:  # all other topics go on
            self._on_problem(f"{subscription.topic}: unexpected: {error!r}")

    # --- publications -------------------------------------------------------------------------

    def _offer(self, publication: _Publication) -> None:
        if self._master is None or not self._world:
            return
        host, port = self._place()
        content = message("Publish")(
            topic=self._full_name(publication.topic),
            msg_type=f"{PACKAGE}.{publication.kind}",
            host=host,
            port=port,
        )
        self._tell_master("advertise", content)

    def _accept(self) -> None:
        with suppress(OSError):
            sock, (host, port, *_) = self._listener.accept()
            self._watch(Connection(sock, f"{host}:{port}", self._on_peer, self._on_peer_lost))

    def _on_peer(self, connection: Connection, payload: bytes) -> None:
        """The first thing a subscriber says; it says nothing else."""
        try:
            packet = message("Packet").FromString(payload)
            if packet.type != "sub":
                return
            wanted = message("Subscribe").FromString(packet.serialized_data)
        except DecodeError as error:
            self._on_problem(f"{connection.name} sent what cannot be read: {error}")
            return
        for publication in self._publications.values():
            if self._full_name(publication.topic) == wanted.topic:
                publication.connections.append(connection)

    def _on_peer_lost(self, connection: Connection, reason: str) -> None:
        for publication in self._publications.values():
            if connection in publication.connections:
                publication.connections.remove(connection)


@dataclass
class _Subscription:
    topic: str
    kind: str
    parse: type[Message]
    callback: Callable[[Any], None]
    caught_up: Callable[[], None]
    connections: dict[tuple[str, int], Connection] = field(default_factory=dict)


@dataclass
class _Publication:
    topic: str
    kind: str
    connections: list[Connection] = field(default_factory=list)


def _packet(kind: str, content: Message) -> bytes:
    now = time.time_ns()
    stamp = {"sec": now // 10**9, "nsec": now % 10**9}
    data = content.SerializeToString()
    packet: Message = message("Packet")(stamp=stamp, type=kind, serialized_data=data)
    return packet.SerializeToString()
