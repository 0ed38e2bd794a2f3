# SPDX-License-Identifier: Apache-2.0
"""Attributes on a ring: how much any subset of the modalities can tell is known, and reached."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.naive_bayes import GaussianNB

from m2vae_ros.datasets.attributes import CORNERS, SIGMA, attributes, best_rate, modalities
from m2vae_ros.vae.m2vae import subsets


@st.composite
def rings_and_subsets(draw) -> tuple[int, list[str]]:
    n = draw(st.integers(2, 8))
    return n, sorted(draw(st.sets(st.sampled_from(modalities(n)))))


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_naive_bayes_on_raw_data_reaches_the_best_rate_of_every_subset(n):
    train, test = attributes(n, 20_000, 0), attributes(n, 20_000, 1)
    for subset in subsets(modalities(n)):
        x, unseen = (np.hstack([data.x[m] for m in subset]) for data in (train, test))
        rate = GaussianNB().fit(x, train.labels).score(unseen, test.labels)
        assert rate == pytest.approx(best_rate(n, subset), abs=0.015), subset


@given(rings_and_subsets())
def test_the_best_rate_counts_the_classes_a_subset_can_tell_apart(drawn):
    n, subset = drawn
    places = modalities(n)

    def seen(label: int) -> tuple:
        values = [label >> i & 1 for i in range(n)]
        return tuple(
            (values[i], values[i] and values[(i + 1) % n]) for i in map(places.index, subset)
        )

    told_apart = {seen(label) for label in range(2**n)}
    assert best_rate(n, subset) == pytest.approx(len(told_apart) / 2**n)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_only_all_together_tell_every_class(n):
    everything = modalities(n)
    assert best_rate(n, everything) == 1.0
    assert max(best_rate(n, s) for s in subsets(everything) if s != everything) == 0.75


@given(rings_and_subsets())
def test_another_modality_always_helps(drawn):
    n, subset = drawn
    for modality in set(modalities(n)) - set(subset):
        assert best_rate(n, [*subset, modality]) > best_rate(n, subset)


def test_neighbours_overlap_so_that_they_tell_less_than_others():
    assert best_rate(4, "ab") == best_rate(4, "ad") == 6 / 16  # a ring: d's neighbour is a
    assert best_rate(4, "ac") == 9 / 16


def test_every_modality_scatters_about_the_corner_of_its_attributes():
    n = 3
    data = attributes(n, 50_000, 7)
    for i, m in enumerate(modalities(n)):
        own, neighbour = data.labels >> i & 1, data.labels >> (i + 1) % n & 1
        for corner, seen in enumerate((own == 0, own & ~neighbour == 1, own & neighbour == 1)):
            x = data.x[m][seen]
            assert x.mean(0) == pytest.approx(CORNERS[corner], abs=0.005)
            assert x.std(0) == pytest.approx(SIGMA * np.ones(2), rel=0.03)


def test_every_class_is_as_frequent_as_the_others():
    counts = np.bincount(attributes(4, 160_000, 3).labels, minlength=16)
    assert counts / 160_000 == pytest.approx(np.full(16, 1 / 16), rel=0.05)


@given(n=st.integers(2, 6), count=st.integers(0, 100), seed=st.integers(0, 2**32 - 1))
def test_equal_seeds_draw_equal_objects(n, count, seed):
    data, again = attributes(n, count, seed), attributes(n, count, seed)
    assert len(data) == count
    assert data.dims == dict.fromkeys(modalities(n), 2)
    assert data.labels.dtype == np.int64
    assert np.array_equal(data.labels, again.labels)
    for m, x in data.x.items():
        assert x.dtype == np.float32
        assert np.array_equal(x, again.x[m])


def test_other_seeds_draw_other_objects():
    assert not np.array_equal(attributes(3, 10, 0).x["a"], attributes(3, 10, 1).x["a"])


@pytest.mark.parametrize("n", [-1, 0, 1, 27])
def test_a_ring_that_is_none_is_refused(n):
    with pytest.raises(ValueError, match=f"n: {n} modalities"):
        attributes(n, 10, 0)


def test_the_best_rate_of_an_unknown_modality_is_refused():
    with pytest.raises(ValueError, match=r"\['e'\] are none of"):
        best_rate(4, "ae")
