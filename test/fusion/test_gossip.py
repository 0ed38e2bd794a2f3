# SPDX-License-Identifier: Apache-2.0
"""Anti-entropy: whoever lacks what somebody holds gets it, and nobody is told what all have."""

from contextlib import suppress
from random import Random

import pytest
from fusion_team import MODALITIES, NOW, code, embedding, memory, patient
from hypothesis import given, settings
from hypothesis import strategies as st

from m2vae_ros.fusion import gossip
from m2vae_ros.fusion.gossip import (
    LAST,
    MOST_AT_ONCE,
    MOST_LISTED,
    PATIENCE,
    PERIOD,
    SPREAD,
    Digest,
    Gossip,
)
from m2vae_ros.fusion.rates import OBJECTS, OBJECTS_AT_ONCE
from m2vae_ros.fusion.validation import UnfitEmbedding

STEP = 0.05


class Network:
    """Robots that sense, die and come back; messages between them are lost, late and doubled."""

    def __init__(self, random, robots: int, loss: float = 0.0) -> None:
        self.random, self.loss = random, loss
        self.now = 0.0
        self.stamp = 0
        self.runs = 0
        self.told_again = 0
        self.robots = {}
        self._way: list[tuple[float, str, object]] = []
        for n in range(robots):
            self.start(f"robot {n}")

    def start(self, name: str) -> None:
        self.runs += 1
        self.robots[name] = (memory(name, instance=self.runs), Gossip(self.runs, self.now))

    def kill(self, name: str) -> None:
        del self.robots[name]

    def sense(self, name: str, which: int, modality: str) -> None:
        self.stamp += 1
        place = (3.0 * which, 0.0, 0.0)
        robot, _ = self.robots[name]
        self._send(robot.observe(None, place, {modality: code(self.stamp)}, {modality: self.stamp}))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end:
            self.now += STEP
            for name in list(self.robots):
                robot, own = self.robots[name]
                again = own.due(robot.to_tell, self.now)
                self.told_again += len(again)
                digest = own.digest(robot.statements, self.now)
                for message in [*again, *([digest] if digest else [])]:
                    self._broadcast(message)
            arrived = [one for one in self._way if one[0] <= self.now]
            self._way = [one for one in self._way if one[0] > self.now]
            for _, name, message in arrived:
                if name in self.robots:
                    self._receive(name, message)

    def agreed(self) -> bool:
        first, *others = (robot for robot, _ in self.robots.values())
        return all(
            set(other.statements()) == set(first.statements())
            and other.objects() == first.objects()
            for other in others
        )

    def _send(self, outcome) -> None:
        for one in outcome.said:
            self._broadcast(one)

    def _broadcast(self, message) -> None:
        for name in self.robots:
            while self.random.random() >= self.loss:
                late = self.random.uniform(0.0, 1.0) if self.loss else 0.0
                self._way.append((self.now + late, name, message))
                if self.random.random() >= self.loss / 3:
                    break

    def _receive(self, name: str, message) -> None:
        robot, own = self.robots[name]
        if isinstance(message, Digest):
            own.compare(message, robot.statements(), self.now)
            return
        with suppress(UnfitEmbedding):
            self._send(robot.receive(message, NOW))
        own.heard(message.digest)
        if message.digest not in robot:
            own.refused(message.digest)


def sensed(network: Network, looks: int = 12) -> None:
    for n in range(looks):
        name = network.random.choice(sorted(network.robots))
        network.sense(name, n % 4, network.random.choice(MODALITIES))


@given(st.integers(0, 2**32 - 1).map(Random))  # fair: nobody loses everything
@settings(patient, max_examples=15)
def test_with_a_third_of_all_messages_lost_doubled_late_and_reordered_all_agree(random):
    network = Network(random, robots=4, loss=0.3)
    sensed(network)
    network.run(15.0)
    assert network.agreed()
    assert len(network.robots["robot 0"][0].objects()) == 4


@given(st.integers(0, 2**32 - 1).map(Random))  # fair: nobody loses everything
@settings(patient, max_examples=15)
def test_nothing_is_lost_while_one_holder_lives_whoever_is_killed(random):
    network = Network(random, robots=3)
    sensed(network)
    network.run(3.0)
    known = network.robots["robot 0"][0].objects()
    assert len(known) == 4
    for _ in range(6):  # in the end everybody who ever sensed anything has died
        name = random.choice(sorted(network.robots))
        network.kill(name)
        network.run(random.uniform(0.0, 1.0))
        network.start(name)
        network.run(PATIENCE + SPREAD + 4 * STEP)
        assert network.robots[name][0].objects() == known
    assert network.agreed()


def test_robots_that_hold_the_same_tell_each_other_one_number(monkeypatch):
    network = Network(Random(0), robots=4)
    sensed(network)
    network.run(4.0)
    before = network.told_again
    said = []
    monkeypatch.setattr(network, "_broadcast", said.append)
    network.run(4 * PERIOD)
    assert len(said) >= 4 * 3
    assert all(digest.first > digest.last and not digest.listed for digest in said)
    assert network.told_again == before


def test_one_tells_what_a_newcomer_lacks_and_the_others_keep_silent():
    network = Network(Random(0), robots=8)
    sensed(network)
    network.run(4.0)
    held = len(network.robots["robot 0"][0].statements())
    before = network.told_again
    network.start("newcomer")
    network.run(3.0)
    assert network.agreed()
    assert held <= network.told_again - before <= 3 * held  # some speak at the same moment


def test_what_robots_have_sensed_is_told_before_what_somebody_made_up_under_many_names():
    robot = memory("honest")
    own = [
        robot.observe(None, (3.0 * n, 0.0, 0.0), {"camera": code(n)}, {"camera": n}).said[0]
        for n in range(4)
    ]
    agreed = [embedding(object_id="x", sender=f"other {n}", held={"lidar": n}) for n in range(2)]
    junk = [
        embedding(object_id=f"junk {n}", position=(3.0 * n, 50.0, 0.0), sender=f"evil {n % 20}")
        for n in range(1000)
    ]
    for one in [*junk, *agreed]:
        robot.receive(one, NOW)
    telling = Gossip(1, 0.0)
    telling.compare(Digest(2, 0, 0, LAST, ()), robot.statements(), 0.0)
    first = telling.due(robot.to_tell, SPREAD)
    assert len(first) == MOST_AT_ONCE
    assert set(first[:4]) == set(own)
    assert {one.object_id for one in first[4:6]} == {"x"}
    assert telling.waits


def test_of_one_sender_no_more_is_told_than_is_taken_in():
    held = [embedding(object_id=f"junk {n}", position=(3.0 * n, 0.0, 0.0)) for n in range(500)]
    telling, told = Gossip(1, 0.0), 0
    telling.compare(Digest(2, 0, 0, LAST, ()), held, 0.0)
    for step in range(40):
        told += len(telling.due(lambda: held, SPREAD + step * STEP))
        assert told <= OBJECTS_AT_ONCE + OBJECTS * step * STEP + 1e-6
    assert telling.due(lambda: [embedding(sender="b")], 3.0) == []  # none of it is held any more
    assert not telling.waits


def test_what_was_refused_is_not_told_again(monkeypatch):
    own = Gossip(1, 0.0)
    one = embedding()
    own.refused(one.digest)
    digest = own.digest(list, PATIENCE)
    assert digest.listed == (one.digest,)
    other = Gossip(2, 0.0)
    other.compare(digest, [one], 1.0)
    assert other.due(lambda: [one], 2.0) == []


def test_of_very_many_each_digest_lists_some_and_all_of_them_all(monkeypatch):
    monkeypatch.setattr(gossip, "MOST_LISTED", 3)
    held = [embedding(sender=f"robot {n}") for n in range(10)]
    own, pages = Gossip(1, 0.0), []
    for n in range(4):
        own._differ = True  # others hold something else
        pages.append(own.digest(lambda: held, PATIENCE + n * PERIOD))
    assert [len(page.listed) for page in pages] == [3, 3, 3, 1]
    assert sorted(d for page in pages for d in page.listed) == sorted(e.digest for e in held)
    assert (pages[0].first, pages[-1].last) == (0, LAST)
    assert all(x.last + 1 == y.first for x, y in zip(pages, pages[1:], strict=False))


def test_a_digest_that_lists_too_much_is_refused():
    with pytest.raises(UnfitEmbedding, match="at most") as refused:
        Gossip(1, 0.0).compare(Digest(2, 0, 0, LAST, tuple(range(MOST_LISTED + 1))), [], 0.0)
    assert refused.value.kind == "length"
