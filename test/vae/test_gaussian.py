# SPDX-License-Identifier: Apache-2.0
"""Gaussians agree with torch.distributions, and likelihoods are what they are called."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from m2vae_ros.vae import likelihoods
from m2vae_ros.vae.baselines import product_of_experts
from m2vae_ros.vae.gaussian import Gaussian, standard_normal_log_prob

numbers = st.floats(-5, 5, width=32)
gaussians = st.integers(1, 6).flatmap(
    lambda dim: st.tuples(*[st.lists(numbers, min_size=dim, max_size=dim)] * 4)
)


def _pair(rows):
    a, b, c, d = (torch.tensor([row], dtype=torch.float64) for row in rows)
    return Gaussian(a, b), Gaussian(c, d)


def _torch(gaussian):
    return Independent(Normal(gaussian.mean, (gaussian.log_variance / 2).exp()), 1)


@given(gaussians)
def test_the_divergence_between_posteriors_is_that_of_torch_distributions(rows):
    p, q = _pair(rows)
    torch.testing.assert_close(p.kl(q), kl_divergence(_torch(p), _torch(q)))


@given(gaussians)
def test_the_divergence_to_the_prior_is_that_of_torch_distributions(rows):
    p, _ = _pair(rows)
    prior = Gaussian(torch.zeros_like(p.mean), torch.zeros_like(p.mean))
    torch.testing.assert_close(p.kl_to_prior(), kl_divergence(_torch(p), _torch(prior)))


@given(gaussians)
def test_the_density_is_that_of_torch_distributions(rows):
    p, q = _pair(rows)
    torch.testing.assert_close(p.log_prob(q.mean), _torch(p).log_prob(q.mean))
    prior = Normal(torch.zeros_like(q.mean), 1)
    torch.testing.assert_close(standard_normal_log_prob(q.mean), prior.log_prob(q.mean).sum(-1))


def test_samples_have_the_mean_and_variance_of_the_posterior():
    torch.manual_seed(0)
    mean, log_variance = torch.tensor([1.0, -2.0]), torch.tensor([0.0, -4.0])
    samples = Gaussian(mean.expand(200_000, 2), log_variance.expand(200_000, 2)).sample()
    torch.testing.assert_close(samples.mean(0), mean, atol=0.01, rtol=0)
    torch.testing.assert_close(samples.var(0), log_variance.exp(), atol=0.01, rtol=0)


def test_likelihoods_sum_over_every_dimension_and_keep_their_constants():
    x, reconstruction = torch.rand(5, 3, 4), torch.rand(5, 3, 4)
    torch.testing.assert_close(
        likelihoods.gaussian(x, reconstruction),
        Normal(reconstruction, 1).log_prob(x).sum((1, 2)),
    )
    binary = (x > 0.5).float()
    torch.testing.assert_close(
        likelihoods.bernoulli(binary, reconstruction),
        Bernoulli(reconstruction).log_prob(binary).sum((1, 2)),
    )


@given(gaussians)
def test_the_product_of_experts_is_proportional_to_the_product_of_their_densities(rows):
    p, q = _pair(rows)
    product = product_of_experts([p, q])
    # log p + log q - log product is the logarithm of a constant: the same at any two points
    at = [p.log_prob(z) + q.log_prob(z) - product.log_prob(z) for z in (product.mean, p.mean)]
    torch.testing.assert_close(*at)
