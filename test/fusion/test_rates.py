# SPDX-License-Identifier: Apache-2.0
"""What one sender may say in a while bounds nobody who senses, and whoever makes things up."""

from dataclasses import replace

import pytest
from fusion_team import MODALITIES, NOW, embedding, memory, patient
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.fusion.rates import (
    ANSWERS_AT_ONCE,
    LOOKS,
    MOST_KNOWN,
    OBJECTS,
    OBJECTS_AT_ONCE,
    Allowance,
    SenderRates,
)
from m2vae_ros.fusion.validation import UnfitEmbedding

PLACES = [(2.0 * n, 0.0, 0.0) for n in range(4 * OBJECTS_AT_ONCE)]


def junk(n, sender="evil", **fields):
    return embedding(object_id=f"junk {n}", position=PLACES[n], sender=sender, **fields)


class Listener:
    """A robot that takes in what its rates allow; what it refuses for them is counted."""

    def __init__(self):
        self.memory = memory("listener")
        self.rates = SenderRates(self.memory)
        self.refused = 0

    def hear(self, told, now):
        try:
            return self.rates.take_in(told, now, lambda: self.memory.receive(told, NOW)).kind
        except UnfitEmbedding as error:
            assert error.kind == "rate"
            self.refused += 1
            return None


@given(st.lists(st.floats(0.0, 2.0), max_size=60), st.integers(1, 9), st.integers(1, 9))
@patient
def test_nobody_gets_more_than_at_once_and_what_has_come_back_since(pauses, rate, at_once):
    bucket, now, spent = Allowance(rate, at_once), 0.0, 0
    for pause in pauses:
        now += pause
        if bucket.has("a", now):
            bucket.spend("a", now)
            spent += 1
        assert spent <= at_once + rate * now + 1e-6
    assert bucket.has("another", now)


def test_a_thousand_names_take_no_room():
    bucket = Allowance(1.0, 1.0)
    for n in range(4 * MOST_KNOWN):
        bucket.spend(f"robot {n}", 0.0)
    assert len(bucket._left) == MOST_KNOWN


def test_of_new_objects_of_one_sender_some_are_taken_in_at_once_and_the_rest_in_time():
    robot = Listener()
    for n in range(2 * OBJECTS_AT_ONCE):
        robot.hear(junk(n), 0.0)
    assert len(robot.memory.objects()) == OBJECTS_AT_ONCE
    assert robot.hear(junk(2 * OBJECTS_AT_ONCE, "honest"), 0.0) == "new"
    assert robot.hear(junk(0, held={"lidar": 200}), 0.0) is not None  # is known
    for n in range(OBJECTS_AT_ONCE, 2 * OBJECTS_AT_ONCE):
        robot.hear(junk(n), 1.0)
    assert len(robot.memory.objects()) == OBJECTS_AT_ONCE + 1 + OBJECTS


def test_whoever_senses_all_the_time_with_all_sensors_is_heard():
    robot = Listener()
    held = dict.fromkeys(MODALITIES, 0)
    looks = int(60 * LOOKS)
    for look in range(looks):
        for modality in MODALITIES:
            held = {**held, modality: look}
            robot.hear(embedding(held=held, disowned=0), look / LOOKS)
    assert not robot.refused


def test_words_beyond_that_are_refused_for_their_number_and_what_is_known_or_unfit_is_free():
    robot = Listener()
    known = embedding()
    robot.hear(known, 0.0)
    for _ in range(10_000):
        robot.hear(known, 0.0)
    assert not robot.refused
    unfit = embedding(fingerprint="another")
    for _ in range(10_000):
        with pytest.raises(UnfitEmbedding, match="another"):
            robot.rates.take_in(unfit, 0.0, lambda: robot.memory.receive(unfit, NOW))
    for n in range(2_000):
        robot.hear(embedding(mean=[1e-3 * n, 0.0, 0.0], held={"camera": n % NOW}), 0.0)
    assert robot.refused > 900


def test_who_speaks_in_the_name_of_a_robot_gets_some_answers_at_once_and_more_in_time():
    robot = Listener()
    lies = []
    for n in range(2 * ANSWERS_AT_ONCE):
        true = junk(n, "b", held=dict.fromkeys(MODALITIES, 5), mean=[9.0, 0.0, 0.0])
        robot.memory.receive(true, 10)
        lies.append(replace(true, sender="listener", held={"camera": 900}, mean=-true.mean))
    kinds = [robot.hear(replace(lie, instance=n), 0.0) for n, lie in enumerate(lies)]
    assert kinds == ["disowned"] * ANSWERS_AT_ONCE + [None] * ANSWERS_AT_ONCE
    assert [robot.hear(lie, 3.0) for lie in lies[-5:]] == ["disowned"] * 3 + [None] * 2
