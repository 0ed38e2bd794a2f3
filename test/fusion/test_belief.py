# SPDX-License-Identifier: Apache-2.0
"""How sure a robot is of what an object is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from fusion_team import embedding
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.fusion.attributes import Marginal
from m2vae_ros.fusion.belief import Belief, Verdict, kl_to_prior

weights = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=20).filter(lambda w: sum(w) > 0.1)


def belief(probabilities) -> Belief:
    return Belief(embedding(), np.asarray(probabilities, dtype=np.float32))


@given(weights=weights)
def test_certainty_is_a_share_and_does_not_depend_on_the_order(weights: list[float]) -> None:
    probabilities = np.array(weights) / sum(weights)
    certainty = belief(probabilities).certainty
    assert 0.0 <= certainty <= 1.0
    assert belief(probabilities[::-1]).certainty == pytest.approx(certainty, abs=1e-5)


@pytest.mark.parametrize("classes", [2, 3, 8, 1000])
def test_certainty_goes_from_every_class_alike_to_one_class(classes: int) -> None:
    alike, one = np.full(classes, 1 / classes), np.eye(classes)[1]
    assert belief(alike).certainty == pytest.approx(0.0, abs=1e-5)
    assert belief(one).certainty == 1.0
    between = [belief(share * one + (1 - share) * alike).certainty for share in (0.2, 0.5, 0.8)]
    assert between == sorted(between)
    assert 0.0 < between[0] < between[-1] < 1.0


def test_the_likeliest_class_comes_first() -> None:
    assert belief([0.2, 0.5, 0.3]).likeliest == [1, 2, 0]


def test_without_classes_nothing_is_likely_or_certain() -> None:
    assert belief([]).likeliest == []
    assert belief([]).certainty == 0.0


@pytest.mark.parametrize(
    ("colour", "shape", "verdict"),
    [
        (0.6, 0.5, Verdict.NOTHING_KNOWN),
        (0.95, 0.5, Verdict.PARTLY_KNOWN),
        (0.95, 0.05, Verdict.KNOWN),
    ],
)
def test_an_object_is_known_when_each_of_its_attributes_is(colour, shape, verdict) -> None:
    marginals = (
        Marginal("colour", ("red", "green"), (colour, 1 - colour)),
        Marginal("shape", ("box", "cylinder"), (shape, 1 - shape)),
    )
    assert Verdict.of(marginals) is verdict


def test_without_attributes_nothing_is_known() -> None:
    assert Verdict.of(()) is Verdict.NOTHING_KNOWN


def test_the_divergence_to_the_prior_is_that_of_torch() -> None:
    rng = np.random.default_rng(0)
    one = embedding()
    mean, log_variance = rng.normal(size=(2, len(one.mean))).astype(np.float32)
    one = replace(one, mean=mean, log_variance=log_variance)
    q = torch.distributions.Normal(
        torch.from_numpy(mean), torch.from_numpy(np.exp(0.5 * log_variance))
    )
    prior = torch.distributions.Normal(0.0, 1.0)
    expected = float(torch.distributions.kl_divergence(q, prior).sum())
    assert kl_to_prior(one) == pytest.approx(expected, rel=1e-5)
    nothing = replace(one, mean=np.zeros_like(mean), log_variance=np.zeros_like(mean))
    assert kl_to_prior(nothing) == 0.0
