# SPDX-License-Identifier: Apache-2.0
"""Two objects 30 cm apart stay two, and never swap, at the demo's gate and with noisy places."""

import itertools
import random

import pytest
from fusion_team import ENGINE, MODALITIES, NOW, code

from m2vae_ros.fusion.memory import ObjectMemory

DEMO_GATE = 0.3
LEFT, RIGHT = 0.0, 0.3


def robots():
    return [
        ObjectMemory(ENGINE, f"amiro{n}", DEMO_GATE, tolerance_ns=10, instance=n) for n in range(3)
    ]


def look(robot, n, x, stamp, draw, deviation):
    """A nameless observation by one sensor; at even times left, at odd times right."""
    place = (x + draw.gauss(0, deviation), draw.gauss(0, deviation), 0.0)
    codes, stamps = {MODALITIES[n]: code(n)}, {MODALITIES[n]: 2 * stamp + (x == RIGHT)}
    return list(robot.observe(None, place, codes, stamps, deviation=deviation).said)


def assert_two_that_did_not_swap(objects):
    assert len(objects) == 2
    for one, x in zip(sorted(objects, key=lambda o: o.position[0]), (LEFT, RIGHT), strict=True):
        assert {stamp % 2 == 1 for stamp in one.held.values()} == {x == RIGHT}
        assert len(one.held) == 3


@pytest.mark.parametrize("deviation", [0.01, 0.02, 0.03])
def test_they_do_not_whoever_looks_and_hears_what_when(deviation):
    for seed in range(100):
        draw, team, said, heard = random.Random(seed), robots(), [], set()
        looks = [(n, x) for n in range(3) for x in (LEFT, RIGHT)]
        draw.shuffle(looks)
        for stamp, (n, x) in enumerate(looks, 1):
            said += look(team[n], n, x, stamp, draw, deviation)
            for pair in itertools.product(range(len(said)), range(3)):
                if pair not in heard and draw.random() < 0.5:
                    heard.add(pair)
                    said += team[pair[1]].receive(said[pair[0]], NOW).said
        while rest := sorted(set(itertools.product(range(len(said)), range(3))) - heard):
            draw.shuffle(rest)
            for message, robot in rest:
                heard.add((message, robot))
                said += team[robot].receive(said[message], NOW).said
        objects = team[0].objects()
        assert all(robot.objects() == objects for robot in team)
        assert_two_that_did_not_swap(objects)


def test_they_do_not_in_any_order_of_arrival():
    draw, team = random.Random(1), robots()
    said = [
        one
        for n, x in itertools.product(range(3), (LEFT, RIGHT))
        for one in look(team[n], n, x, 1 + n, draw, 0.02)
    ]
    for order in itertools.permutations(said):
        listener = ObjectMemory(ENGINE, "listener", DEMO_GATE, tolerance_ns=10, instance=9)
        for one in order:
            listener.receive(one, NOW)
        assert_two_that_did_not_swap(listener.objects())
