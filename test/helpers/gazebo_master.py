# SPDX-License-Identifier: Apache-2.0
"""A master of Gazebo's transport that also publishes and subscribes, over real sockets.

It says what it is told to say, right or wrong; what it knows of the protocol is written anew here,
so that it does not share the client's mistakes.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.installation import installation
from m2vae_ros.gazebo.messages import message

PATIENCE = 20.0
"""Seconds until a condition that is not met has failed; only failures wait that long."""

WORLD = "small"


def needs_gazebo() -> pytest.MarkDecorator:
    """Skips where Gazebo is missing, which `make test` builds where it can."""
    try:
        installation()
    except GazeboError as error:
        return pytest.mark.skip(reason=str(error))
    return pytest.mark.filterwarnings("default")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def frame(payload: bytes) -> bytes:
    return f"{len(payload):08X}".encode() + payload


def packet(kind: str, content) -> bytes:
    stamp = {"sec": 0, "nsec": 0}
    data = content.SerializeToString()
    return message("Packet")(stamp=stamp, type=kind, serialized_data=data).SerializeToString()


class Master:
    """A master that is also the publisher of every topic it is told to publish."""

    def __init__(self, port: int = 0) -> None:
        self._servers = [socket.create_server(("127.0.0.1", port)) for port in (port, 0)]
        self.uri = f"http://127.0.0.1:{self._servers[0].getsockname()[1]}"
        self._lock = threading.Lock()
        self.topics: dict[str, str] = {}
        self.clients: list[socket.socket] = []
        self.subscribers: dict[str, list[socket.socket]] = {}
        self.told: list[tuple[str, bytes]] = []
        for server, serve in zip(
            self._servers, (self._serve_client, self._serve_subscriber), strict=True
        ):
            threading.Thread(target=self._accept, args=(server, serve), daemon=True).start()

    def close(self) -> None:
        for server in self._servers:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
        for sock in [*self.clients, *(s for of in self.subscribers.values() for s in of)]:
            # no lingering: the next master wants this port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    @property
    def port(self) -> int:
        return int(self.uri.rpartition(":")[2])

    def offer(self, topic: str, kind: str) -> None:
        """Publish a topic from now on."""
        with self._lock:
            self.topics[topic] = kind
            for client in self.clients:
                client.sendall(frame(packet("publisher_add", self._publish(topic))))

    def send(self, topic: str, data: bytes) -> None:
        """Bytes as they are to every subscriber of a topic, once there is one."""
        until(lambda: self.subscribers.get(topic))
        for sock in list(self.subscribers[topic]):
            with contextlib.suppress(OSError):
                sock.sendall(data)

    def say(self, payload: bytes) -> None:
        """A frame to every client."""
        until(lambda: self.clients)
        for client in self.clients:
            client.sendall(frame(payload))

    def heard(self, kind: str) -> list[bytes]:
        """What clients told, of one kind."""
        return [content for told, content in self.told if told == kind]

    def _publishers(self) -> list:
        return [self._publish(topic) for topic in self.topics]

    def _publish(self, topic: str):
        host, port = self._servers[1].getsockname()
        kind = f"gazebo.msgs.{self.topics[topic]}"
        return message("Publish")(topic=topic, msg_type=kind, host=host, port=port)

    def _accept(self, server: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = server.accept()
                threading.Thread(target=self._guarded, args=(serve, sock), daemon=True).start()

    @staticmethod
    def _guarded(serve: Callable[[socket.socket], None], sock: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError, ValueError):
            serve(sock)

    def _serve_client(self, sock: socket.socket) -> None:
        with self._lock:  # what is offered meanwhile must not fall between
            for kind, content in (
                ("version_init", message("GzString")(data="gazebo 11")),
                ("topic_namepaces_init", message("GzString_V")(data=[WORLD])),
                ("publishers_init", message("Publishers")(publisher=self._publishers())),
            ):
                sock.sendall(frame(packet(kind, content)))
            self.clients.append(sock)
        for kind, content in _packets(sock):
            self.told.append((kind, content))

    def _serve_subscriber(self, sock: socket.socket) -> None:
        for kind, content in _packets(sock):
            assert kind == "sub"
            topic = message("Subscribe").FromString(content).topic
            self.subscribers.setdefault(topic, []).append(sock)


def _packets(sock: socket.socket) -> Iterator[tuple[str, bytes]]:
    while True:
        length = int(_exactly(sock, 8), 16)
        found = message("Packet").FromString(_exactly(sock, length))
        yield found.type, found.serialized_data


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


@contextmanager
def master(port: int = 0) -> Iterator[Master]:
    made = Master(port)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def silent() -> Iterator[tuple[str, int]]:
    """Where nobody answers: as many wait there already as the system lets wait."""
    with contextlib.ExitStack() as sockets:
        server = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()
