# SPDX-License-Identifier: Apache-2.0
"""Which readings go together into one sample."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.bags.pairing import by_object


@given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_pairing_uses_every_reading_and_none_much_more_than_another(
    counts: list[int], seed: int
) -> None:
    named = {str(index): count for index, count in enumerate(counts)}
    picks = by_object(named, np.random.default_rng(seed))
    again = by_object(named, np.random.default_rng(seed))
    for modality, count in named.items():
        uses = np.bincount(picks[modality], minlength=count)
        assert len(picks[modality]) == max(counts)
        assert len(uses) == count
        assert uses.min() >= 1
        assert uses.max() - uses.min() <= 1
        np.testing.assert_array_equal(picks[modality], again[modality])
