# SPDX-License-Identifier: Apache-2.0
"""Which statements are about one object, whatever the order in which they came."""

import math

import pytest
from fusion_team import GATE, embedding, patient
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.fusion.association import Association, clustered, gate_between

places = st.tuples(st.integers(0, 12), st.integers(0, 3)).map(lambda p: (p[0] / 8, p[1] / 8, 0.0))
"""A grid of a quarter of the gate, so that there are chains of near places."""

statements = st.lists(
    st.tuples(
        places, st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from([0.0, 0.03, 0.2])
    ),
    max_size=14,
    unique=True,
).map(
    lambda several: [
        embedding(position=place, sender=sender, object_id=name, deviation=deviation)
        for place, sender, name, deviation in several
    ]
)


def groups(clusters):
    return {frozenset(one.statements) for one in clusters}


@given(statements, st.randoms(use_true_random=False))
@patient
def test_the_objects_do_not_depend_on_the_order_of_arrival(several, random):
    at_once = {frozenset(group) for group in clustered(several, GATE)}
    one_by_one = Association(GATE)
    random.shuffle(several)
    for statement in several:
        one_by_one.change((), [statement])
    assert groups(one_by_one.clusters()) == at_once


@given(statements, statements, st.randoms(use_true_random=False))
@patient
def test_what_statements_joined_is_parted_when_they_go(stay, go, random):
    go = [one for one in go if one not in stay]
    objects = Association(GATE)
    objects.change((), [*stay, *go])
    objects.change(go, ())
    assert groups(objects.clusters()) == {frozenset(group) for group in clustered(stay, GATE)}


@given(statements)
@patient
def test_all_places_of_one_object_lie_within_the_gate_of_each_other(several):
    for group in clustered(several, GATE):
        for x in group:
            for y in group:
                gate = gate_between(x.deviation, y.deviation, GATE)
                assert math.dist(x.position, y.position) <= gate <= GATE
                assert x.sender != y.sender or not x.names.isdisjoint(y.names)


def test_a_chain_of_near_places_is_not_one_object():
    chain = [embedding(sender=f"robot {n}", position=(0.8 * GATE * n, 0.0, 0.0)) for n in range(6)]
    assert max(len(group) for group in clustered(chain, GATE)) == 2


@pytest.mark.parametrize("seed", range(20))
def test_two_objects_somewhat_farther_apart_than_the_gate_never_swap(seed):
    import random

    draw = random.Random(seed)
    left, right = (
        [
            embedding(
                sender=f"{side} {n}",
                position=(x + draw.uniform(-0.04, 0.04), draw.uniform(-0.04, 0.04), 0.0),
            )
            for n in range(8)
        ]
        for side, x in (("left", 0.0), ("right", 0.3))
    )
    both = [*left, *right]
    draw.shuffle(both)
    assert {frozenset(g) for g in clustered(both, 0.2)} == {frozenset(left), frozenset(right)}


def test_without_places_the_id_alone_tells():
    near, far = embedding(), embedding(sender="amiro3", position=(99.0, 0.0, 0.0))
    other = embedding(object_id="column", aliases=("pillar",))
    found = {frozenset(group) for group in clustered([near, far, other], None)}
    assert found == {frozenset([near, far]), frozenset([other])}
