# SPDX-License-Identifier: Apache-2.0
"""Whom robots believe, and what they call an object, whoever lies."""

import itertools
from contextlib import suppress

import numpy as np
import pytest
from fusion_team import ENGINE, NOW, LinearGaussianEngine, code, embedding, memory, patient, state
from hypothesis import given, settings
from hypothesis import strategies as st

from m2vae_ros.fusion.validation import UnfitEmbedding

RED, GREEN = np.array([9.0, 0.0, 0.0]), np.array([-9.0, 0.0, 0.0])
"""Means of two classes; no embedding of one can be of the other."""

PLACES = [(3.0 * n, 0.0, 0.0) for n in range(4)]


def said(sender: str, n: int = 0, mean=RED, stamp: int = 100, **fields):
    """What a robot says of object n."""
    about = {"object_id": f"object {n}", "position": PLACES[n], "held": {"camera": stamp}}
    return embedding(**{**about, "sender": sender, "mean": mean, **fields})


def told(*several):
    """A robot that has heard all these."""
    robot = memory("listener")
    for one in several:
        with suppress(UnfitEmbedding):
            robot.receive(one, NOW)
    return robot


def classes(robot):
    return {e.object_id: ENGINE.classify(e.mean).argmax() for e in robot.objects()}


TRUE = {f"object {n}": 0 for n in range(4)}
honest = [said(sender, n, stamp=50 + i) for i, sender in enumerate("ab") for n in range(4)]

ATTACKS = {
    "newer stamps of another class": [
        said("evil", n, GREEN, stamp=s) for n in range(4) for s in (60, 200, NOW)
    ],
    "stamps a moment ahead of the time": [said("evil", n, GREEN, stamp=NOW + 10) for n in range(4)],
    "older stamps of another class": [said("evil", n, GREEN, stamp=0) for n in range(4)],
    "a name that comes first": [
        said("!", n, object_id="!", aliases=(f"object {n}",), mean=RED) for n in range(4)
    ],
    "aliases that claim all objects": [
        said("evil", n, aliases=tuple(TRUE), stamp=200) for n in range(4)
    ],
    "one object with the names of all": [
        said("evil", object_id="junk", aliases=tuple(TRUE), position=(50.0, 0.0, 0.0))
    ],
    "the same ids far away": [
        said("evil", n, GREEN, 200, position=(500.0 + 3 * n, 0.0, 0.0)) for n in range(4)
    ],
    "a thousand other objects": [
        said("evil", object_id=f"junk {n}", position=(3.0 * n, 50.0, 0.0)) for n in range(1000)
    ],
    "a hundred names of each object": [
        said("evil", n % 4, object_id=f"name {n}", stamp=200 + n) for n in range(400)
    ],
    "another class, signed by one of the two": [said("a", n, GREEN, stamp=200) for n in range(4)],
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("first", [True, False])
def test_the_true_objects_their_classes_and_their_ids_stand(attack, first):
    lies = ATTACKS[attack]
    robot = told(*(lies + honest if first else honest + lies))
    found = classes(robot)
    assert {name: found.get(name) for name in TRUE} == TRUE
    for n, name in enumerate(TRUE):
        assert np.allclose(robot.get(name).position, PLACES[n])


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.integers(0, 1),
            st.sampled_from([RED, GREEN, 0 * RED]).map(tuple),
            st.integers(0, 3),
        ),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
@settings(patient, max_examples=60)
def test_whom_to_believe_does_not_depend_on_the_order_of_arrival(several, random):
    several = [said(who, n, np.array(mean), stamp) for who, n, mean, stamp in several]
    robots = []
    for _ in range(2):
        robot = told(*several)
        for one in robot.statements():  # what robots found out themselves, too
            several = [*several, one] if one not in several else several
        robots.append(robot)
        random.shuffle(several)
    robots = [told(*random.sample(several, len(several))) for _ in range(2)]
    for x, y in itertools.permutations(robots):
        for one in x.statements():
            y.receive(one, NOW)
    assert state(robots[0]) == state(robots[1])


class TestQuarantine:
    def test_what_contradicts_is_kept_and_counts_when_others_agree(self):
        robot = told(said("a"))
        lie = said("b", mean=GREEN, stamp=200)
        assert robot.receive(lie, NOW).kind == "quarantined"
        assert robot.quarantined() == [lie]
        assert classes(robot) == {"object 0": 0}
        robot.receive(said("c", mean=GREEN, stamp=201), NOW)
        assert classes(robot) == {"object 0": 1}
        assert robot.quarantined() == [said("a")]

    def test_who_agrees_with_others_elsewhere_is_believed_before_who_does_not(self):
        lie, truth = said("evil", mean=GREEN, stamp=1), said("a", stamp=2)
        alone = told(lie, truth)
        assert classes(alone) == {"object 0": 1}  # one against one: the older
        trusted = told(lie, truth, said("a", 1), said("b", 1))
        assert classes(trusted) == {"object 0": 0, "object 1": 0}

    def test_who_is_contradicted_by_fewer_is_believed_where_one_stands_against_one(self):
        """Each of two knows a class that the other cannot tell; a third one lies about all."""
        knows = [("a", 0), ("b", 1), ("a", 2), ("b", 3)]
        others = {"a": "b", "b": "a"}
        truth = [said(who, n) for who, n in knows]
        unsure = [said(others[who], n, 0 * RED, stamp=90) for who, n in knows]
        lies = [said("!", n, GREEN) for n in range(4)]
        assert classes(told(*truth, *unsure, *lies)) == TRUE
        looks = [said(who, n, stamp=200) for who, n in knows]  # newer than the lies
        assert classes(told(*looks, *unsure, *lies)) == TRUE

    def test_a_robot_that_changes_its_mind_is_believed(self):
        robot = told(said("a"), said("a", mean=GREEN, stamp=200))
        assert classes(robot) == {"object 0": 1}
        assert robot.quarantined() == []

    def test_readings_of_its_own_count_although_a_lie_is_newer(self):
        robot = memory("a")
        for n in range(2):
            robot.observe(f"object {n}", PLACES[n], {"camera": code(1)}, {"camera": 10})
            robot.receive(said("b", n, stamp=11), NOW)
        assert robot.receive(said("evil", mean=GREEN, stamp=NOW), NOW).kind == "quarantined"
        robot.observe("object 0", PLACES[0], {"lidar": code(2)}, {"lidar": 20})
        assert dict(robot.get("object 0").held) == {"camera": 11, "lidar": 20}

    def test_without_classes_nothing_contradicts(self):
        class Classless(LinearGaussianEngine):
            def classify(self, mean):
                return np.empty(0)

        robot = memory(engine=Classless())
        robot.receive(said("a"), NOW)
        assert robot.receive(said("b", mean=GREEN, stamp=200), NOW).kind == "adopted"

    def test_a_classifier_that_fails_is_no_reason_to_doubt(self):
        class Failing(LinearGaussianEngine):
            def classify(self, mean):
                raise RuntimeError("out of order")

        robot = memory(engine=Failing())
        robot.receive(said("a"), NOW)
        assert robot.receive(said("b", mean=GREEN, stamp=200), NOW).kind == "adopted"


class TestNames:
    def test_an_object_is_called_what_most_senders_call_it(self):
        robot = told(
            said("a", object_id="column", stamp=1),
            said("b", object_id="pillar", stamp=2),
            said("c", object_id="pillar", stamp=3),
        )
        (one,) = robot.objects()
        assert (one.object_id, one.aliases) == ("pillar", ("column",))
        assert robot.get("column") == robot.get("pillar") == one

    def test_of_two_names_that_are_said_as_often_the_one_said_first_counts(self):
        robot = told(said("a", object_id="b", stamp=5), said("b", object_id="a", stamp=6))
        assert [e.object_id for e in robot.objects()] == ["b"]
