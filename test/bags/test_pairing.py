# SPDX-License-Identifier: Apache-2.0
"""Which readings go together into one sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.bags.pairing import Thing, by_object, by_time

TENTH = 10**8
"""Of a second, in nanoseconds."""


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


stamps = st.lists(st.integers(0, 20 * TENTH), min_size=1, max_size=30)


@given(
    each=st.lists(stamps, min_size=1, max_size=4),
    tolerance=st.floats(0.0, 0.5),
)
def test_readings_of_one_time_are_within_the_tolerance_and_the_nearest(each, tolerance) -> None:
    named = {str(index): np.array(found) for index, found in enumerate(each)}
    picks = by_time(named, tolerance)
    rarest = min(named, key=lambda modality: len(named[modality]))
    (count,) = {len(pick) for pick in picks.values()}
    assert count <= len(named[rarest])
    centres = named[rarest][picks[rarest]]
    for position in range(count):
        taken = {m: named[m][pick[position]] for m, pick in picks.items()}
        assert max(taken.values()) - min(taken.values()) <= tolerance * 10**9
        for modality, stamp in taken.items():
            away = np.abs(named[modality] - centres[position])
            assert abs(stamp - centres[position]) == away.min()


@given(each=st.lists(stamps, min_size=2, max_size=3), tolerance=st.floats(0.01, 0.5))
def test_no_sample_is_missing_whose_nearest_readings_are_near_enough(each, tolerance) -> None:
    named = {str(index): np.array(found) for index, found in enumerate(each)}
    picks = by_time(named, tolerance)
    rarest = min(named, key=lambda modality: len(named[modality]))
    taken = set(picks[rarest].tolist())
    for index, stamp in enumerate(named[rarest]):
        away = [np.abs(found - stamp).min() for found in named.values()]
        if 2 * max(away) <= tolerance * 10**9:
            assert index in taken


def test_sensors_that_run_together_are_paired_each_with_its_own_time() -> None:
    first = np.arange(20) * TENTH
    second = first[::-1] + TENTH // 10
    picks = by_time({"a": first, "b": second}, 0.02)
    np.testing.assert_array_equal(picks["a"], np.arange(20))
    np.testing.assert_array_equal(picks["b"], np.arange(20)[::-1])
    assert not len(by_time({"a": first, "b": second}, 0.005)["a"])


@pytest.mark.parametrize(
    ("split", "groups"),
    [
        ("bag", ["0", "0", "0", "1"]),
        ("object", ["0 box", "0 box", "0 ball", "1 box"]),
        ("episode", ["0 /amiro1 0", "0 /amiro1 1", "0 /amiro2 0", "1 /amiro1 0"]),
    ],
)
def test_what_stays_together_is_a_bag_an_object_or_an_episode(split, groups) -> None:
    of = [(0, "box", "/amiro1", 0), (0, "box", "/amiro1", 1), (0, "ball", "/amiro2", 0)]
    of.append((1, "box", "/amiro1", 0))
    found = [
        Thing(Path("somewhere"), name, "").group(split, bag, robot, episode)
        for bag, name, robot, episode in of
    ]
    assert found == groups
