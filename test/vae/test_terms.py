# SPDX-License-Identifier: Apache-2.0
"""What a training step looks at is Eq. 17 and Eq. 19, or an unbiased estimate of them."""

from itertools import permutations

import pytest
import torch

from m2vae_ros.vae import terms as of_terms
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig, one_smaller, subsets
from m2vae_ros.vae.objectives import cross_bound, m2vae_bound, m2vae_elbo, reencoding_loss
from m2vae_ros.vae.terms import all_terms, drawn_terms, terms_of

NAMES = "abcdefgh"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_bounds_count_as_in_the_recursion_of_eq_17(count):
    every = subsets(NAMES[:count])
    rows = torch.eye(len(every), dtype=torch.float64)
    expected = m2vae_elbo(dict(zip(every, rows, strict=True))).tolist()
    weights = all_terms(tuple(NAMES[:count])).bounds
    assert [weights[subset] for subset in every] == pytest.approx(expected)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_all_orders_together_are_all_terms(count):
    modalities = tuple(NAMES[:count])
    together, whole = terms_of(modalities, list(permutations(modalities))), all_terms(modalities)
    assert together.bounds == pytest.approx(whole.bounds)
    assert together.parts == pytest.approx(whole.parts)
    for target, steps in whole.steps.items():
        assert together.steps[target] == pytest.approx(steps)


def test_a_divergence_counts_as_the_bound_that_it_is_part_of():
    terms = all_terms(("a", "b", "c", "d"))
    expected = {(s, p): terms.bounds[s] for s in terms.bounds if len(s) > 1 for p in one_smaller(s)}
    assert terms.parts == expected


@pytest.mark.parametrize("count", range(1, 9))
def test_a_step_of_training_looks_at_all_subsets_of_three_and_at_few_of_more(count):
    modalities = tuple(NAMES[:count])
    drawn = drawn_terms(modalities)
    if count <= of_terms.EXACT:
        assert drawn == all_terms(modalities)
    else:
        assert modalities in drawn.bounds
        assert len(drawn.bounds) <= of_terms.ORDERS * (count - 1) + 1


def test_what_is_drawn_is_another_each_time_and_follows_the_seed():
    modalities = tuple(NAMES)
    torch.manual_seed(0)
    first, second = drawn_terms(modalities), drawn_terms(modalities)
    torch.manual_seed(0)
    assert first != second
    assert drawn_terms(modalities) == first


def test_the_mean_over_all_orders_is_the_whole_objective():
    torch.manual_seed(0)
    model = M2VAE(M2VAEConfig(dict.fromkeys("abcd", 2), latent_dim=3, hidden=(8,)))
    for head in model.heads.values():  # so narrow that a sample is its mean
        torch.nn.init.zeros_(head.log_variance.weight)
        torch.nn.init.constant_(head.log_variance.bias, -40.0)
    x = {m: torch.randn(5, 2) for m in "abcd"}
    with torch.no_grad():
        posteriors = model.posteriors(x)
        bounds, crossed, losses = [], [], []
        for order in permutations("abcd"):
            terms = terms_of(tuple("abcd"), [order])
            some = model.posteriors(x, terms.bounds)
            bounds.append(m2vae_bound(model, x, some, 0.01, terms))
            crossed.append(cross_bound(model, x, some, 0.01, 0.7, terms))
            losses.append(reencoding_loss(model, x, some, terms))
        whole = m2vae_bound(model, x, posteriors, 0.01)
        torch.testing.assert_close(torch.stack(bounds).mean(0), whole)
        whole = cross_bound(model, x, posteriors, 0.01, 0.7)
        torch.testing.assert_close(torch.stack(crossed).mean(0), whole)
        whole = reencoding_loss(model, x, posteriors)
        torch.testing.assert_close(torch.stack(losses).mean(0), whole, rtol=1e-3, atol=1e-3)
