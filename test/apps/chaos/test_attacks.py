# SPDX-License-Identifier: Apache-2.0
"""Attacks are what they say: most are messages that nothing but their content gives away."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from fusion_team import ENGINE, embedding

from m2vae_ros.apps.chaos.attacks import AHEAD, ATTACKS, forged
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.validation import UnfitEmbedding, check

NOW = 10_000_000_000
HEARD = [
    embedding(
        object_id=f"object {number}",
        position=(float(number), 0.0, 0.0),
        held={"camera": NOW - 100, "lidar": NOW - 200},
        mean=[number, 0.0, 0.0],
        sender=f"amiro{number}",
    )
    for number in range(4)
]
UNFIT = ("modalities", "long_text", "fingerprints", "padding")


def messages(name: str, seed: int = 0) -> list[Embedding | bytes]:
    return list(ATTACKS[name].messages(HEARD, NOW, random.Random(seed)))


@pytest.mark.parametrize("name", sorted(ATTACKS.keys() - set(UNFIT)))
def test_what_an_enemy_makes_up_fits_the_model_the_world_and_the_clock(name: str) -> None:
    made = messages(name)
    assert made
    for message in made:
        check(message, ENGINE, NOW, AHEAD, "map")
    assert made == messages(name)


@pytest.mark.parametrize("name", sorted(set(UNFIT) - {"padding"}))
def test_what_is_too_large_or_of_another_model_is_refused_by_what_it_is(name: str) -> None:
    for message in messages(name)[:100]:
        with pytest.raises(UnfitEmbedding):
            check(message, ENGINE, NOW, AHEAD, "map")


def test_one_message_claims_all_names() -> None:
    (message,) = messages("aliases")
    assert message.names == {each.object_id for each in HEARD}


@pytest.mark.parametrize("name", ["tie", "contradiction", "future", "victim"])
def test_contradictions_tell_of_each_object_what_holds_for_another(name: str) -> None:
    made = messages(name)
    assert [each.object_id for each in made] == [each.object_id for each in HEARD]
    for lie, true, other in zip(made, HEARD, [*HEARD[1:], HEARD[0]], strict=True):
        assert (lie.mean == other.mean).all()
        assert (lie.newest > true.newest) == (name != "tie")
        assert (lie.sender == true.sender) == (name == "victim")


def test_who_speaks_in_the_names_of_members_copies_their_runs_or_makes_them_up() -> None:
    made = zip(messages("victim"), HEARD, strict=True)
    assert {lie.instance == true.instance for lie, true in made} == {True, False}


def test_a_tie_is_won_by_the_name_of_the_sender_alone() -> None:
    for lie, true in zip(messages("tie"), HEARD, strict=True):
        assert lie.held == true.held
        assert lie.sender < true.sender


def test_a_chain_leads_from_one_object_to_another_in_steps_within_the_gate() -> None:
    places = sorted([HEARD[0].position, *(m.position for m in messages("chain"))])
    places.append(HEARD[1].position)
    assert max(b[0] - a[0] for a, b in pairwise(places)) <= 0.3


def test_a_lie_at_random_is_signed_with_the_enemys_name_and_is_no_truth() -> None:
    for seed in range(50):
        lie = forged(HEARD[0], HEARD[1], random.Random(seed))
        assert lie.object_id == HEARD[0].object_id
        assert lie != HEARD[0]
        assert lie.sender not in {each.sender for each in HEARD}
