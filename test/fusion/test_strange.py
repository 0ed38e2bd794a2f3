# SPDX-License-Identifier: Apache-2.0
"""What is strange stays with the observation that was strange, and decides nothing else."""

from __future__ import annotations

from dataclasses import replace

from fusion_team import MODALITIES, NOW, Team, code, embedding, memory, patient
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.fusion.exchange import supersedes

modalities = st.sets(st.sampled_from(MODALITIES), min_size=1)
looks = st.lists(
    st.tuples(st.integers(0, 2), modalities, st.sets(st.sampled_from(MODALITIES)), st.booleans()),
    min_size=1,
    max_size=8,
)
"""Who looks by what, of which is strange, and whether somebody hears of it at once."""


@given(looks, st.randoms(use_true_random=False))
@patient
def test_whatever_the_order_of_messages_what_is_strange_is_what_was_strange(looks, random) -> None:
    team, truth = Team(), {}
    for stamp, (robot, sensed, strange, told) in enumerate(looks, 1):
        observations = {m: code(10 * stamp + n) for n, m in enumerate(sorted(sensed))}
        team.sense(robot, (0.0, 0.0, 0.0), observations, stamp, strange=strange)
        truth |= {(m, stamp): m in strange for m in sensed}
        if told and team.published:
            team.deliver(random.randrange(len(team.published)), random.randrange(3))
    team.deliver_the_rest(random)
    team.assert_agreed()
    for said in team.published:
        assert said.strange == {m for m, stamp in said.held.items() if truth[m, stamp]}


def test_a_look_that_tells_nothing_but_that_a_thing_is_strange_or_not_is_news() -> None:
    robot = memory()

    def look(stamp: int, *strange: str) -> str:
        codes = {"camera": code(1)}
        return robot.observe("it", (0.0, 0.0, 0.0), codes, {"camera": stamp}, strange).kind

    assert look(1) == "fused"
    assert look(2) == "confirmed"
    assert look(3, "camera") == "fused"
    assert look(4, "camera") == "confirmed"
    assert look(5) == "fused"


held = st.dictionaries(st.sampled_from(MODALITIES), st.integers(0, 2), min_size=1)


@given(held, held, modalities)
@patient
def test_what_is_strange_decides_nothing_between_different_observations(one, other, some) -> None:
    if one == other:
        return
    x, y = embedding(held=one), embedding(held=other)
    strange = replace(x, strange=frozenset(some))
    assert supersedes(strange, y) == supersedes(x, y)
    assert supersedes(y, strange) == supersedes(y, x)


def test_who_forges_what_is_strange_removes_no_knowledge() -> None:
    team = Team()
    for robot, modality in enumerate(MODALITIES):
        team.sense(robot, (0.0, 0.0, 0.0), {modality: code(robot)}, stamp=1)
        for listener in range(3):
            team.deliver(len(team.published) - 1, listener)
    (before,) = team.robots[0].objects()
    forged = replace(before, sender="enemy", strange=frozenset(MODALITIES))
    for robot in team.robots:
        robot.receive(forged, NOW)
        (after,) = robot.objects()
        assert after.held == before.held
        assert (after.mean == before.mean).all()
        assert not robot.quarantined()
        assert not after.strange
    team.sense(0, (0.0, 0.0, 0.0), {MODALITIES[0]: code(40)}, stamp=2)
    (after,) = team.robots[0].objects()
    assert MODALITIES[0] not in after.strange


def test_who_forges_that_nothing_is_strange_is_outvoted_by_those_who_were_told() -> None:
    team = Team()
    team.sense(0, (0.0, 0.0, 0.0), {"camera": code(1)}, stamp=1, strange={"camera"})
    team.deliver(0, 1)
    team.sense(1, (0.0, 0.0, 0.0), {"lidar": code(2)}, stamp=2)
    robot = team.robots[2]
    for said in team.published:
        robot.receive(said, NOW)
        robot.receive(replace(said, sender="enemy", strange=frozenset()), NOW)
    (held,) = robot.objects()
    assert held.strange == {"camera"}
