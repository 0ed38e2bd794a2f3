# SPDX-License-Identifier: Apache-2.0
"""Robots hear through the relay what others say, each once, and nobody hears himself."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from functools import partial

import pytest
import rclpy
from m2vae_ros.msg import EmbeddingDigest, LatentEmbedding
from rclpy.serialization import serialize_message
from running import asking, until

from m2vae_ros.apps.chaos.channel import Channel, Rates
from m2vae_ros.apps.chaos.relay import DIGESTS, Relay, topic_of
from m2vae_ros.ros import qos

pytestmark = pytest.mark.ros

ROBOTS = ("r1", "r2", "r3")


class Radio:
    """Robots that say and note what they hear of others and of themselves."""

    def __init__(self, node, executor, rates: Rates) -> None:
        self.heard: dict[str, list[bytes]] = defaultdict(list)
        self.overheard: list[tuple[str, bytes]] = []
        self._executor = executor
        self._robots = rclpy.create_node("robots", context=node.context)
        executor.add_node(self._robots)
        self._writers = {}
        for robot in ROBOTS:
            self._writers[robot] = self._robots.create_publisher(
                LatentEmbedding, topic_of(robot), qos.EMBEDDINGS
            )
            self.listen(robot)

        def channel(source: str, robot: str, topic: str) -> Channel:
            return Channel(rates, random.Random(source + robot), _same, _same)

        def overhear(robot: str, data: bytes) -> None:
            self.overheard.append((robot, data))

        self.relay = Relay(node, ROBOTS, channel, overhear)

    def listen(self, robot: str) -> None:
        hear = partial(lambda heard, data: heard.append(data), self.heard[robot])
        self._robots.create_subscription(
            LatentEmbedding, topic_of(robot), hear, qos.EMBEDDINGS, raw=True
        )

    def say(self, robot: str, words: str) -> bytes:
        data = serialize_message(LatentEmbedding(sender=robot, object_id=words))
        self._writers[robot].publish(data)
        return data

    def until(self, condition) -> None:
        def step() -> bool:
            self.relay.deliver(time.monotonic())
            return condition()

        until(step, self._executor)

    def readers(self, robot: str) -> int:
        return self._writers[robot].get_subscription_count()

    def close(self) -> None:
        self.relay.close()
        self._executor.remove_node(self._robots)
        self._robots.destroy_node()


def _same(data: bytes, generator: random.Random) -> bytes:
    return data


@pytest.fixture
def radio(request):
    with asking() as (node, executor):
        made = Radio(node, executor, getattr(request, "param", Rates()))
        for robot in ROBOTS:
            made.relay.join(robot)
        yield made
        made.close()


def test_what_one_says_all_others_hear_once_and_it_is_not_passed_on_again(radio: Radio) -> None:
    data = radio.say("r1", "pillar")
    radio.until(lambda: all(data in radio.heard[robot] for robot in ROBOTS))
    other = radio.say("r2", "box")
    radio.until(lambda: all(other in radio.heard[robot] for robot in ROBOTS))
    # r1 and r2 hear their own words on their own topics, as on /embeddings, and no echo of them
    assert all(radio.heard[robot] == [data, other] for robot in ROBOTS)
    assert radio.overheard == [("r1", data), ("r2", other)]
    assert radio.relay.counts == {"sent": 4, "delivered": 4}


def test_a_robot_may_say_again_what_another_said(radio: Radio) -> None:
    data = radio.say("r1", "pillar")
    radio.until(lambda: data in radio.heard["r2"] and radio.relay.counts["delivered"] == 2)
    radio.until(lambda: len(radio.heard["r2"]) == 1)
    radio._writers["r2"].publish(data)
    radio.until(lambda: radio.heard["r3"].count(data) == 2)
    assert radio.overheard == [("r1", data), ("r2", data)]


@pytest.mark.parametrize("radio", [Rates(loss=1.0)], indirect=True)
def test_what_the_channel_loses_nobody_hears_but_an_enemy_is_heard_by_whom_he_wants(
    radio: Radio,
) -> None:
    radio.say("r1", "pillar")
    radio.relay.join("enemy")
    radio.relay.say("enemy", "r2", b"\0\0\0\3")
    radio.until(lambda: b"\0\0\0\3" in radio.heard["r2"] and radio.overheard)
    assert radio.relay.idle
    assert radio.heard["r3"] == []
    assert radio.relay.counts == {"sent": 2, "lost": 2}


def test_who_joins_late_hears_what_was_said_and_who_leaves_is_seen_to_leave(radio: Radio) -> None:
    # itself and the ear of the relay, and a stand-in of each other robot
    radio.until(lambda: radio.readers("r1") == 4)
    radio.relay.leave("r2")
    radio.until(lambda: radio.readers("r1") == 3)
    data = radio.say("r1", "pillar")
    radio.until(lambda: data in radio.heard["r2"])
    radio.listen("r2")  # as a node that comes back
    radio.until(lambda: radio.heard["r2"].count(data) == 2)


def test_digests_are_carried_beside_embeddings_and_not_overheard(radio: Radio) -> None:
    topics = {robot: topic_of(robot, DIGESTS) for robot in ROBOTS}
    say = radio._robots.create_publisher(EmbeddingDigest, topics["r1"], qos.DIGESTS)
    heard: list[bytes] = []
    radio._robots.create_subscription(
        EmbeddingDigest, topics["r2"], heard.append, qos.DIGESTS, raw=True
    )
    data = serialize_message(EmbeddingDigest(total=7))
    radio.until(lambda: say.publish(data) or bool(heard))
    assert set(heard) == {data}
    assert not radio.overheard
