# SPDX-License-Identifier: Apache-2.0
"""The Mixture of Gaussians: what a classifier makes of the raw data is the paper's Table I."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.naive_bayes import GaussianNB

from m2vae_ros.datasets.mog import FREQUENCIES, MEANS, SIGMAS, mog

# Who cannot be told from whom, by one modality alone (section IV).
CONSOLIDATED = {"a": [{5, 6, 7}, {0, 8}], "b": [{0, 9}]}


def naive_bayes_on_raw(modalities: str, seed: int) -> float:
    train, test = mog(20_000, seed), mog(20_000, seed + 1000)

    def raw(data):
        return np.hstack([data.x[m] for m in modalities])

    return GaussianNB().fit(raw(train), train.labels).score(raw(test), test.labels)


@pytest.mark.parametrize("seed", range(3))
def test_naive_bayes_on_raw_data_reaches_the_rates_of_table_1(seed):
    assert naive_bayes_on_raw("ab", seed) >= 0.99  # "ideally separable"
    assert naive_bayes_on_raw("a", seed) == pytest.approx(0.71, abs=0.01)
    assert naive_bayes_on_raw("b", seed) == pytest.approx(0.90, abs=0.01)


@pytest.mark.parametrize("modality", "ab")
def test_only_the_consolidated_classes_share_a_mean(modality):
    means = MEANS[modality]
    for one in range(10):
        for other in range(one):
            together = any({one, other} <= group for group in CONSOLIDATED[modality])
            distance = np.linalg.norm(means[one] - means[other])
            assert distance == 0 if together else distance > 6 * SIGMAS[modality]


def test_together_the_modalities_separate_every_class():
    both = np.hstack([MEANS["a"] / SIGMAS["a"], MEANS["b"] / SIGMAS["b"]])
    distances = np.linalg.norm(both[:, None] - both, axis=-1)
    assert distances[~np.eye(10, dtype=bool)].min() > 6


def test_b_lies_on_the_unit_circle():
    assert np.linalg.norm(MEANS["b"], axis=1) == pytest.approx(np.ones(10))


def test_every_class_scatters_about_its_mean_by_the_papers_sigma():
    data = mog(100_000, 7)
    assert np.bincount(data.labels) / len(data) == pytest.approx(FREQUENCIES, abs=0.005)
    for m, x in data.x.items():
        for label in range(10):
            of_class = x[data.labels == label]
            assert of_class.mean(0) == pytest.approx(MEANS[m][label], abs=0.01)
            assert of_class.std(0) == pytest.approx(SIGMAS[m] * np.ones(2), rel=0.05)


@given(count=st.integers(0, 300), seed=st.integers(0, 2**32 - 1))
def test_equal_seeds_draw_equal_objects(count, seed):
    data, again = mog(count, seed), mog(count, seed)
    assert len(data) == count
    assert data.dims == {"a": 2, "b": 2}
    assert data.labels.dtype == np.int64
    assert np.array_equal(data.labels, again.labels)
    for m, x in data.x.items():
        assert x.dtype == np.float32
        assert x.shape == (count, 2)
        assert np.isfinite(x).all()
        assert np.array_equal(x, again.x[m])


def test_other_seeds_draw_other_objects():
    assert not np.array_equal(mog(10, 0).x["a"], mog(10, 1).x["a"])
