# SPDX-License-Identifier: Apache-2.0
"""Who speaks in a member's name is contradicted by the member, and then by everybody."""

from dataclasses import replace

import numpy as np
import pytest
from fusion_team import MODALITIES, NOW, Team, code, embedding, memory, patient, state
from hypothesis import given, settings
from hypothesis import strategies as st

from m2vae_ros.fusion.validation import UnfitEmbedding

HERE, THERE = (1.0, 2.0, 0.0), (9.0, 2.0, 0.0)
LIE = np.array([-9.0, 0.0, 0.0])


def sensed(robot, stamp=5, modality="camera", seed=0, name=None, place=HERE):
    (said,) = robot.observe(name, place, {modality: code(seed)}, {modality: stamp}).said
    return said


def forged(true, **fields):
    """What an enemy says in the name of the very run that has said something."""
    return replace(true, **{"held": {"camera": 900, "lidar": 900}, "mean": LIE, **fields})


def test_the_member_says_again_what_it_had_said_and_the_forged_statement_is_gone():
    robot, other = memory("a"), memory("b")
    true = sensed(robot)
    other.receive(true, NOW)
    lie = forged(true)
    assert other.receive(lie, NOW).kind == "adopted"
    outcome = robot.receive(lie, NOW)
    assert outcome.kind == "disowned"
    (answer,) = outcome.said
    assert replace(answer, disowned=0) == true
    other.receive(answer, NOW)
    assert other.statements() == robot.statements() == [answer]
    assert other.receive(lie, NOW).kind == robot.receive(lie, NOW).kind == "known"
    later = sensed(robot, 6, seed=1)
    assert later.disowned == answer.disowned
    other.receive(later, NOW)
    assert state(other) == state(robot)


def test_what_the_member_has_itself_said_is_no_forgery():
    robot = memory("a")
    told, newer = sensed(robot), sensed(robot, 6, seed=1)
    before = state(robot)
    assert robot.receive(told, NOW).kind == robot.receive(newer, NOW).kind == "known"
    assert state(robot) == before


def test_a_forger_who_disowns_is_disowned_and_none_can_disown_the_future():
    robot, other = memory("a"), memory("b")
    lie = forged(sensed(robot), disowned=NOW + 5)
    other.receive(lie, NOW)
    (answer,) = robot.receive(lie, NOW).said
    other.receive(answer, NOW)
    assert other.statements() == [answer]
    with pytest.raises(UnfitEmbedding) as refused:
        other.receive(forged(answer, disowned=NOW + 11), NOW)
    assert refused.value.kind == "disowned"


def test_under_another_id_or_elsewhere_it_is_contradicted_once():
    robot, other = memory("a"), memory("b")
    true = sensed(robot, name="pillar")
    for fields in ({"object_id": "post"}, {"position": THERE}):
        lie = forged(true, **fields)
        other.receive(true, NOW)
        other.receive(lie, NOW)
        (answer,) = robot.receive(lie, NOW).said
        other.receive(answer, NOW)
        assert np.allclose(other.get("pillar").mean, true.mean)
        assert other.get("pillar").position == HERE
        true = answer
    with pytest.raises(UnfitEmbedding) as refused:
        robot.receive(forged(true, object_id="post", disowned=0), NOW)
    assert refused.value.kind == "sender"


def test_of_what_others_told_the_member_says_what_it_holds_and_of_what_it_does_not_know_nothing():
    robot = memory("a", instance=3)
    told = embedding(sender="b")
    robot.receive(told, NOW)
    (answer,) = robot.receive(forged(told, sender="a", instance=3), NOW).said
    assert (answer.sender, answer.object_id, dict(answer.held)) == ("a", "pillar", dict(told.held))
    before = state(robot)
    unknown = forged(told, sender="a", instance=3, object_id="ghost", position=THERE)
    with pytest.raises(UnfitEmbedding, match="has not said it") as refused:
        robot.receive(unknown, NOW)
    assert refused.value.kind == "sender"
    assert state(robot) == before


def test_of_another_run_what_is_its_past_or_agrees_is_taken_in_and_what_contradicts_is_disowned():
    robot, other = memory("a"), memory("b")
    true = embedding(sender="c", held=dict.fromkeys(MODALITIES, 5), mean=-LIE)
    for one in (robot, other):
        one.receive(true, 10)
    run = replace(true, sender="a", instance=2, held={"camera": 900})
    assert robot.receive(replace(run, held={"camera": 15}, mean=LIE), NOW).kind != "disowned"
    assert robot.receive(run, NOW).kind != "disowned"
    lie = replace(run, held={"camera": 950}, mean=LIE)
    other.receive(lie, NOW)
    (answer,) = robot.receive(lie, NOW).said
    other.receive(answer, NOW)
    assert lie.digest not in {one.digest for one in (*other.statements(), *robot.statements())}
    assert other.get("pillar").mean[0] > 0


def test_a_robot_that_was_started_again_goes_on_from_what_it_had_disowned():
    first, other, second = memory("a", instance=1), memory("b"), memory("a", instance=2)
    sensed(first)
    (answer,) = first.receive(forged(sensed(first, 6, seed=1)), NOW).said
    other.receive(answer, NOW)
    early = sensed(second, 7, "lidar")  # before it has heard of its past
    assert other.receive(early, NOW).kind == "known"
    for one in second.receive(answer, NOW).said:
        other.receive(one, NOW)
    assert dict(other.objects()[0].held) == dict(second.objects()[0].held)
    assert dict(second.objects()[0].held) == {"camera": 6, "lidar": 7}


forgeries = st.tuples(
    st.integers(0, 2),  # in whose name
    st.integers(0, 2),  # of what it or another has said
    st.sampled_from([HERE, THERE]),
    st.dictionaries(st.sampled_from(MODALITIES), st.integers(0, NOW), min_size=1),
    st.integers(0, 2),  # what it disowns
    st.integers(0, 1),  # of the run that is, or of another
)


@given(st.lists(forgeries, min_size=1, max_size=4), st.randoms(use_true_random=False))
@settings(patient, max_examples=60)
def test_whatever_is_forged_all_agree_in_the_end_and_hold_the_true_words_of_each(lies, random):
    team = Team()
    for n, robot in enumerate(team.robots):
        robot.instance = n + 10
        team.sense(n, HERE, {MODALITIES[n]: code(n)}, 10 + n, "pillar")
    team.deliver_the_rest(random)
    for who, whose, place, held, disowned, run in lies:
        robot = team.robots[who]
        pattern = team.published[whose]
        team.published.append(
            replace(
                pattern,
                sender=robot.owner,
                instance=robot.instance + 10 * run,
                position=place,
                held=held,
                mean=LIE,
                disowned=disowned,
            )
        )
    team.deliver_the_rest(random)
    team.assert_agreed()
    for robot in team.robots:
        for one in team.robots[0].statements():
            if one.sender == robot.owner:  # what it has said itself, or takes for its past
                assert one.digest in robot
                assert robot.receive(one, NOW).kind == "known"
