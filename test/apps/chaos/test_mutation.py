# SPDX-License-Identifier: Apache-2.0
"""Mutations of messages differ from them, are bounded, and are the same again for the same seed."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.apps.chaos.mutation import MOST_CHANGES, mutated


@given(st.binary(max_size=300), st.integers(0, 1000))
def test_any_bytes_can_be_mutated_the_same_way_again(data: bytes, seed: int) -> None:
    changed = mutated(data, random.Random(seed))
    assert changed == mutated(data, random.Random(seed))
    assert 0 < len(changed) <= len(data) + 1 + 32 * MOST_CHANGES


def test_nearly_every_mutation_is_another_message() -> None:
    generator, data = random.Random(0), bytes(range(200))
    changed = [mutated(data, generator) for _ in range(1000)]
    assert sum(one == data for one in changed) < 10
    assert len(set(changed)) > 900
    assert {len(one) < 200 for one in changed} == {True, False}
