# SPDX-License-Identifier: Apache-2.0
"""What is kept of all that was said: the same, whatever the order, loss or repetition."""

from fusion_team import MODALITIES, code, embedding, patient
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.fusion.exchange import supersedes
from m2vae_ros.fusion.statements import Statements

statements = st.builds(
    lambda sender, name, held, reencodings, seed, disowned: embedding(
        sender=sender,
        object_id=name,
        held=held,
        reencodings=dict.fromkeys(held, reencodings),
        mean=code(seed)[[0, 1, 0]],
        disowned=disowned,
    ),
    st.sampled_from("ab"),
    st.sampled_from("xy"),
    st.dictionaries(st.sampled_from(MODALITIES), st.integers(0, 2), min_size=1),
    st.integers(0, 1),
    st.integers(0, 1),
    st.integers(0, 1),
)


def kept(told):
    """What is kept of these, where there is room for all."""
    held = Statements("me", 100, lambda one: one.digest)
    for one in told:
        held.add(one)
    return set(held)


@given(st.lists(statements, max_size=12), st.randoms(use_true_random=False))
@patient
def test_what_is_kept_depends_on_what_was_said_and_not_on_its_order(told, random):
    again = [*told, *random.sample(told, len(told) // 2)]
    random.shuffle(again)
    assert kept(again) == kept(told)


@given(st.lists(statements, max_size=8), st.lists(statements, max_size=8))
@patient
def test_two_that_exchange_what_they_keep_end_with_the_same(one, other):
    assert kept([*kept(one), *kept(other)]) == kept([*one, *other])


@given(st.lists(statements, max_size=12))
@patient
def test_nothing_is_kept_that_its_sender_has_superseded_and_nothing_else_is_lost(told):
    held = kept(told)
    for one in told:
        above = [x for x in told if x.sender == one.sender and x.object_id == one.object_id]
        assert (one in held) != any(supersedes(x, one) for x in above)


def test_of_one_place_a_sender_can_say_little_and_the_newest_stays():
    held = Statements("me", 100, lambda one: one.position)
    for n in range(50):
        held.add(embedding(object_id=f"name {n}", held={"camera": n}))
    assert {one.newest for one in held} == set(range(42, 50))
