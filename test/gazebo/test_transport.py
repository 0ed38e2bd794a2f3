# SPDX-License-Identifier: Apache-2.0
"""The client of Gazebo's transport, with a master that misbehaves and goes away."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from gazebo_master import WORLD, frame, master, needs_gazebo, packet, silent, until

from m2vae_ros.gazebo import frames
from m2vae_ros.gazebo.address import address_of
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.messages import message
from m2vae_ros.gazebo.peer import CONNECT_PATIENCE, Peer
from m2vae_ros.gazebo.transport import Client

pytestmark = needs_gazebo()

TOPIC = f"/gazebo/{WORLD}/words"


@contextmanager
def client(uri: str) -> Iterator[tuple[Client, list[str], list[str]]]:
    """A client, what it hears of ~/words, and its problems."""
    problems: list[str] = []
    heard: list[str] = []
    with Client(uri, problems.append) as made:
        made.subscribe("~/words", "GzString", lambda m: heard.append(m.data))
        yield made, heard, problems


def word(text: str) -> bytes:
    return frame(message("GzString")(data=text).SerializeToString())


def test_a_topic_is_heard_whether_it_was_there_before_or_comes_later() -> None:
    with master() as m, client(m.uri) as (c, heard, problems):
        c.wait(5.0)
        assert c.world == WORLD
        m.offer(TOPIC, "GzString")
        m.send(TOPIC, word("later"))
        until(lambda: heard == ["later"])
        with client(m.uri) as (_, heard_again, _):
            until(lambda: len(m.subscribers[TOPIC]) == 2)
            m.send(TOPIC, word("both"))
            until(lambda: heard_again == ["both"])
        until(lambda: heard == ["later", "both"])
        assert c.topics() == {TOPIC: "gazebo.msgs.GzString"}
        assert problems == []


def test_a_message_that_cannot_be_read_is_named_and_the_next_one_is_heard() -> None:
    with master() as m, client(m.uri) as (_, heard, problems):
        m.offer(TOPIC, "GzString")
        m.send(TOPIC, frame(b"\xff\xff\xff"))
        m.send(TOPIC, word("next"))
        until(lambda: heard == ["next"])
        assert problems == ["~/words: a message is no GzString"]


def test_after_what_is_no_frame_it_connects_again() -> None:
    with master() as m, client(m.uri) as (_, heard, problems):
        m.offer(TOPIC, "GzString")
        m.send(TOPIC, b"what is this? not a frame")
        until(lambda: len(m.subscribers[TOPIC]) == 2)
        m.send(TOPIC, word("again"))
        until(lambda: heard == ["again"])
        assert "is not a frame's length" in problems[0]


def test_nonsense_from_the_master_is_named_and_survived() -> None:
    with master() as m, client(m.uri) as (c, heard, problems):
        c.wait(5.0)
        m.say(b"\xff\xfe")
        m.say(packet("publisher_add", message("GzString")(data="no publisher")))
        m.say(packet("something_new", message("GzString")(data="from the future")))
        m.offer(TOPIC, "GzString")
        m.send(TOPIC, word("still here"))
        until(lambda: heard == ["still here"])
        assert all("cannot be read" in problem for problem in problems)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 2**32 - 1), ("gazebo..lan", 11345)])
def test_a_publisher_that_can_be_nowhere_is_named_and_others_are_heard(host, port) -> None:
    with master() as m, client(m.uri) as (c, heard, problems):
        c.wait(5.0)
        nowhere = {"topic": TOPIC, "msg_type": "gazebo.msgs.GzString", "host": host, "port": port}
        m.say(packet("publisher_add", message("Publish")(**nowhere)))
        until(lambda: len(problems) > 1)  # it is tried again
        assert all(problem.startswith("~/words: ") for problem in problems)
        m.offer(TOPIC, "GzString")
        m.send(TOPIC, word("still here"))
        until(lambda: heard == ["still here"])


def test_a_publisher_that_does_not_answer_keeps_no_other_waiting() -> None:
    with master() as m, client(m.uri) as (c, heard, _), silent() as (host, port):
        c.wait(5.0)
        mute = {"topic": TOPIC, "msg_type": "gazebo.msgs.GzString", "host": host, "port": port}
        m.say(packet("publisher_add", message("Publish")(**mute)))
        m.offer(TOPIC, "GzString")
        begun = time.monotonic()
        m.send(TOPIC, word("here"))
        until(lambda: heard == ["here"])
        c.close()
        assert time.monotonic() - begun < CONNECT_PATIENCE


def test_who_was_kept_from_listening_is_told_when_it_has_caught_up() -> None:
    heard: list[str] = []
    counts: list[int] = []
    begun, goes_on = threading.Event(), threading.Event()

    def hear(m) -> None:
        heard.append(m.data)
        begun.set()
        assert goes_on.wait(5.0)

    with master() as m, Client(m.uri) as c:
        c.subscribe("~/words", "GzString", hear, lambda: counts.append(len(heard)))
        m.offer(TOPIC, "GzString")
        m.send(TOPIC, word("first"))
        assert begun.wait(5.0)
        for number in range(10):
            m.send(TOPIC, word(str(number)))
        goes_on.set()
        until(lambda: len(counts) == 2)
        assert counts == [1, 11]


def test_a_callback_that_fails_is_named_and_others_go_on() -> None:
    with master() as m, client(m.uri) as (c, heard, problems):
        c.subscribe("~/numbers", "GzString", lambda m: 1 / 0)
        m.offer(f"/gazebo/{WORLD}/numbers", "GzString")
        m.offer(TOPIC, "GzString")
        m.send(f"/gazebo/{WORLD}/numbers", word("0"))
        m.send(TOPIC, word("fine"))
        until(lambda: heard and problems)
        assert "ZeroDivisionError" in problems[0]


def test_when_gazebo_comes_back_everything_is_as_before() -> None:
    lost: list[int] = []
    heard: list[str] = []
    with master() as first:
        c = Client(first.uri, on_lost=lambda: lost.append(1))
        c.subscribe("~/words", "GzString", lambda m: heard.append(m.data))
        c.advertise("~/answers", "GzString")
        first.offer(TOPIC, "GzString")
        first.send(TOPIC, word("one"))
        until(lambda: heard == ["one"] and first.heard("advertise"))
        port = first.port
    until(lambda: lost == [1] and not c.connected)
    assert c.topics() == {}
    with master(port) as second, c:
        second.offer(TOPIC, "GzString")
        second.send(TOPIC, word("two"))
        until(lambda: heard == ["one", "two"] and second.heard("advertise"))
        told = message("Publish").FromString(second.heard("advertise")[0])
        assert told.topic == f"/gazebo/{WORLD}/answers"


def test_a_master_that_dies_while_it_is_told_is_found_again(monkeypatch) -> None:
    send, deaths = Peer.send, []

    def fail_once(peer: Peer, frame: bytes) -> None:
        if not deaths:
            deaths.append(frame)
            peer.close("the master died")
        send(peer, frame)

    monkeypatch.setattr(Peer, "send", fail_once)
    with master() as m, Client(m.uri) as speaker:
        speaker.advertise("~/words", "GzString")  # is told when the master has named the world
        until(lambda: m.heard("advertise"))
        assert deaths
        speaker.wait(5.0)


def test_a_master_that_dies_while_it_is_left_does_not_keep_anybody(monkeypatch) -> None:
    with master() as m, client(m.uri) as (c, heard, problems):
        m.offer(TOPIC, "GzString")
        m.send(TOPIC, word("one"))
        until(lambda: heard)

        def fail_later(peer: Peer, frame: bytes) -> None:
            told.append(frame)
            if len(told) > 1:  # the topic was told of, its connections are to follow
                peer.close("the master died")

        told: list[bytes] = []
        monkeypatch.setattr(Peer, "send", fail_later)
        crashes: list[object] = []
        monkeypatch.setattr(threading, "excepthook", crashes.append)
        c.close()
        assert crashes == []
        assert problems == ["the connection to Gazebo's master was lost: the master died"]


def test_who_unsubscribes_hears_no_more_and_the_master_knows() -> None:
    with master() as m, client(m.uri) as (c, heard, _):
        m.offer(TOPIC, "GzString")
        m.send(TOPIC, word("one"))
        until(lambda: heard)
        c.unsubscribe("~/words")
        until(lambda: m.heard("unsubscribe"))
        m.send(TOPIC, word("two"))
        m.offer(TOPIC, "GzString")
        c.subscribe("~/other", "GzString", heard.append)
        until(lambda: len(m.heard("subscribe")) == 2)
        assert heard == ["one"]


def test_a_publisher_ends_the_connection_to_who_unsubscribes() -> None:
    with master() as m, client(m.uri) as (c, _, problems):
        m.offer(TOPIC, "GzString")
        until(lambda: m.subscribers.get(TOPIC))
        [publisher] = m.subscribers[TOPIC]
        c.unsubscribe("~/words")
        until(lambda: len(m.heard("unsubscribe")) == 2)
        ours = [message("Subscribe").FromString(told) for told in m.heard("unsubscribe")]
        assert (ours[1].host, ours[1].port) == publisher.getpeername()
        m.send(TOPIC, word("it takes what is on its way"))
        publisher.shutdown(socket.SHUT_WR)
        publisher.settimeout(5.0)
        assert publisher.recv(1) == b""  # ended, and not reset
        assert problems == []


def test_what_is_published_reaches_who_subscribed() -> None:
    with master() as m, Client(m.uri) as speaker:
        speaker.advertise("~/words", "GzString")
        until(lambda: m.heard("advertise"))
        told = message("Publish").FromString(m.heard("advertise")[0])
        with client(m.uri) as (_, heard, _):
            until(lambda: len(m.clients) == 2)
            m.say(packet("publisher_add", told))  # as a master passes it on
            until(lambda: speaker.subscribers("~/words") == 1)
            speaker.publish("~/words", message("GzString")(data="hello"))
            until(lambda: heard == ["hello"])
        until(lambda: speaker.subscribers("~/words") == 0)


def test_what_is_too_long_is_refused_where_it_is_published(monkeypatch) -> None:
    monkeypatch.setattr(frames, "MAX_BYTES", 100)
    with Client("http://127.0.0.1:9") as c:
        c.advertise("~/words", "GzString")
        with pytest.raises(frames.FrameError, match="at most 100"):
            c.publish("~/words", message("GzString")(data=200 * "a"))


def test_functions_of_the_user_that_fail_do_not_keep_it_from_coming_back() -> None:
    problems: list[str] = []

    def fail(sentence: str = "") -> None:
        problems.append(sentence)
        raise RuntimeError("the user's")

    with master() as first:
        c = Client(first.uri, fail, fail)
        until(lambda: c.connected and first.clients)
        port = first.port
    until(lambda: not c.connected)
    with master(port), c:
        c.wait(5.0)
        assert 'unexpected: RuntimeError("the user\'s")' in problems


def test_without_a_gazebo_waiting_says_where_none_is() -> None:
    with Client("http://127.0.0.1:9") as c, pytest.raises(GazeboError, match=r"127\.0\.0\.1:9"):
        c.wait(0.2)


@pytest.mark.parametrize(
    "uri", ["", "127.0.0.1:11345", "http://host", "http://host:port", "http://a..b:1", "x"]
)
def test_a_uri_that_is_none_is_named(uri: str) -> None:
    with pytest.raises(GazeboError, match="http://HOST:PORT"):
        address_of(uri)


@pytest.mark.filterwarnings("error::ResourceWarning")  # what is thrown away unclosed complains
def test_ctrl_c_while_a_client_begins_is_answered_without_a_word(monkeypatch) -> None:
    """Loop, listener and thread were half made or left open, and complained on standard error."""
    gc.collect()  # what other tests left complains now
    threads = set(threading.enumerate())
    made, complaints = asyncio.BaseEventLoop.__init__, []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)

    def interrupted(loop: asyncio.BaseEventLoop) -> None:
        signal.raise_signal(signal.SIGINT)
        made(loop)

    monkeypatch.setattr(asyncio.BaseEventLoop, "__init__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Client("http://127.0.0.1:1")
    gc.collect()
    assert not complaints
    assert not {thread.name for thread in set(threading.enumerate()) - threads}
