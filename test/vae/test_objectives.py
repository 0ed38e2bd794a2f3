# SPDX-License-Identifier: Apache-2.0
"""The objectives are the paper's equations."""

from collections import Counter
from fractions import Fraction
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Independent, Normal, kl_divergence

from m2vae_ros.vae import objectives
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.in_place import fuse_in_place
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig, one_smaller, subsets
from m2vae_ros.vae.terms import drawn_terms

NAMES = "abcde"

# Eq. 17 written out. L(M) = 1/|M| (J(M) + sum of L over the |M| subsets one smaller), so with
# J_k the sum of the joint bounds over all subsets of k modalities:
#   L(ab)    = 1/2 (J_2 + J_1)
#   L(abc)   = 1/3 (J_3 + L(ab) + L(ac) + L(bc)), each single is in two of the pairs:
#            = 1/3 J_3 + 1/6 J_2 + 2·1/6 J_1
#   L(abcd)  = 1/4 (J_4 + four L of triples), each pair is in two, each single in three of them:
#            = 1/4 J_4 + 1/12 J_3 + 2·1/24 J_2 + 3·1/12 J_1
#   L(abcde) = 1/5 (J_5 + five L of quadruples), a triple is in two, a pair in three, a single in 4:
#            = 1/5 J_5 + 1/20 J_4 + 2·1/60 J_3 + 3·1/60 J_2 + 4·1/20 J_1
WRITTEN_OUT = {
    2: {2: Fraction(1, 2), 1: Fraction(1, 2)},
    3: {3: Fraction(1, 3), 2: Fraction(1, 6), 1: Fraction(1, 3)},
    4: {4: Fraction(1, 4), 3: Fraction(1, 12), 2: Fraction(1, 12), 1: Fraction(1, 4)},
    5: {
        5: Fraction(1, 5),
        4: Fraction(1, 20),
        3: Fraction(1, 30),
        2: Fraction(1, 20),
        1: Fraction(1, 5),
    },
}


def _coefficients(count):
    """Of every subset's bound in Eq. 17, read off by differentiation."""
    bounds = {
        s: torch.zeros(1, dtype=torch.float64, requires_grad=True) for s in subsets(NAMES[:count])
    }
    objectives.m2vae_elbo(bounds).sum().backward()
    return {s: bound.grad.item() for s, bound in bounds.items()}


@pytest.mark.parametrize("count", WRITTEN_OUT)
def test_every_subset_counts_in_eq_17_as_the_written_out_derivation_says(count):
    expected = {s: float(WRITTEN_OUT[count][len(s)]) for s in subsets(NAMES[:count])}
    assert _coefficients(count) == pytest.approx(expected)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_eq_17_averages_over_every_order_of_taking_modalities_away(count):
    # Unrolled, the recursion takes one modality away at a time, all |M|! orders with equal weight,
    # and counts each subset S it passes by 1/|S|.
    counts: Counter = Counter()
    orders = list(permutations(NAMES[:count]))
    for order in orders:
        for size in range(1, count + 1):
            counts[tuple(sorted(order[:size]))] += Fraction(1, size * len(orders))
    assert _coefficients(count) == pytest.approx({s: float(c) for s, c in counts.items()})


def _gaussian(*shape):
    return Gaussian(torch.randn(shape), torch.randn(shape))


def _torch(gaussian):
    return Independent(Normal(gaussian.mean, (gaussian.log_variance / 2).exp()), 1)


def test_eq_1_is_reconstruction_minus_weighted_divergence_to_the_prior():
    likelihood, q = torch.randn(7), _gaussian(7, 3)
    prior = _torch(Gaussian(torch.zeros(7, 3), torch.zeros(7, 3)))
    expected = likelihood - 0.3 * kl_divergence(_torch(q), prior)
    torch.testing.assert_close(objectives.elbo(likelihood, q, 0.3), expected)


def test_eq_5_takes_from_the_joint_bound_the_divergence_to_every_smaller_subset():
    likelihoods, q = [torch.randn(7), torch.randn(7)], _gaussian(7, 3)
    parts = [_gaussian(7, 3), _gaussian(7, 3)]
    prior = _torch(Gaussian(torch.zeros(7, 3), torch.zeros(7, 3)))
    joint = likelihoods[0] + likelihoods[1] - 0.3 * kl_divergence(_torch(q), prior)
    torch.testing.assert_close(objectives.joint_elbo(likelihoods, q, 0.3), joint)
    expected = joint - 0.3 * sum(kl_divergence(_torch(q), _torch(part)) for part in parts)
    torch.testing.assert_close(
        objectives.variation_of_information_elbo(likelihoods, q, parts, 0.3), expected
    )


@pytest.fixture
def model():
    torch.manual_seed(0)
    return M2VAE(M2VAEConfig({"a": 4, "b": 6}, latent_dim=3, hidden=(16, 8), joint=8))


@pytest.fixture
def x():
    torch.manual_seed(1)
    return {"a": torch.randn(5, 4), "b": torch.randn(5, 6)}


def _sharpen(model):
    """Make every posterior so narrow that a sample is its mean."""
    for head in model.heads.values():
        torch.nn.init.zeros_(head.log_variance.weight)
        torch.nn.init.constant_(head.log_variance.bias, -40.0)


def test_the_bound_of_two_modalities_is_eq_10_to_15(model, x):
    _sharpen(model)
    q = model.posteriors(x)
    q_a, q_b, q_ab = q[("a",)], q[("b",)], q[("a", "b")]
    # β_m = β_norm D_m / D_z, with D_m of the subset that is encoded
    beta_a, beta_b, beta_ab = 0.01 * 4 / 3, 0.01 * 6 / 3, 0.01 * 10 / 3
    log_p = model.log_likelihood
    expected = (
        log_p({"a": x["a"]}, q_a.mean)
        - beta_a * q_a.kl_to_prior()
        + log_p({"b": x["b"]}, q_b.mean)
        - beta_b * q_b.kl_to_prior()
        + log_p({"a": x["a"]}, q_ab.mean)
        + log_p({"b": x["b"]}, q_ab.mean)
        - beta_ab * (q_ab.kl_to_prior() + q_ab.kl(q_a) + q_ab.kl(q_b))
    ) / 2
    torch.testing.assert_close(objectives.m2vae_bound(model, x, q, 0.01), expected)


def test_the_reencoding_loss_compares_every_step_of_in_place_fusion_with_the_real_encoding(
    model, x
):
    _sharpen(model)
    q = model.posteriors(x)
    a, b, ab = ("a",), ("b",), ("a", "b")
    steps = [
        (a, a, fuse_in_place(model, q[a].mean, a, {})),
        (b, b, fuse_in_place(model, q[b].mean, b, {})),
        (ab, ab, fuse_in_place(model, q[ab].mean, ab, {})),
        (a, ab, fuse_in_place(model, q[a].mean, a, {"b": x["b"]})),
        (b, ab, fuse_in_place(model, q[b].mean, b, {"a": x["a"]})),
    ]
    expected = torch.stack([q[target].kl(fused) for _, target, fused in steps]).mean(0)
    loss = objectives.reencoding_loss(model, x, q)
    torch.testing.assert_close(loss, expected, rtol=1e-3, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 4), cross=st.floats(0, 2), seed=st.integers(0, 99))
def test_the_cross_bound_is_the_recursion_of_what_each_subset_tells_of_all(count, cross, seed):
    torch.manual_seed(seed)
    dims = {m: 2 + i for i, m in enumerate(NAMES[:count])}
    model = M2VAE(M2VAEConfig(dims, 2, hidden=(8,), joint=8))
    _sharpen(model)
    x = {m: torch.rand(5, dim) for m, dim in dims.items()}
    q = model.posteriors(x)

    def of(subset):
        others = [m for m in dims if m not in subset]
        beta = 0.01 * (sum(dims[m] for m in subset) + cross * sum(dims[m] for m in others)) / 2
        told = [model.log_likelihood({m: x[m]}, q[subset].mean) for m in subset]
        told += [cross * model.log_likelihood({m: x[m]}, q[subset].mean) for m in others]
        parts = [q[part] for part in one_smaller(subset) if part]
        return objectives.variation_of_information_elbo(told, q[subset], parts, beta)

    expected = objectives.m2vae_elbo({subset: of(subset) for subset in q})
    found = objectives.cross_bound(model, x, q, 0.01, cross)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_without_weight_the_cross_bound_is_eq_17_to_the_bit(count):
    torch.manual_seed(0)
    model = M2VAE(M2VAEConfig(dict.fromkeys(NAMES[:count], 3), 2, hidden=(8,), joint=8))
    x = {m: torch.randn(5, 3) for m in model.modalities}
    terms = drawn_terms(model.modalities)
    q = model.posteriors(x, terms.bounds)

    def drawn(bound, *cross):
        torch.manual_seed(1)
        found = bound(model, x, q, 0.01, *cross, terms)
        return found, torch.autograd.grad(
            found.sum(), model.decoders.parameters(), retain_graph=True
        )

    (eq_17, gradients), (found, others) = (
        drawn(objectives.m2vae_bound),
        drawn(objectives.cross_bound, 0.0),
    )
    assert torch.equal(found, eq_17)
    assert all(map(torch.equal, gradients, others))
    if count > 1:
        assert not torch.equal(drawn(objectives.cross_bound, 1.0)[0], eq_17)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_all_subsets_at_once_come_to_what_one_after_the_other_does(count, likelihood):
    torch.manual_seed(0)
    dims = {m: 3 + i for i, m in enumerate(NAMES[:count])}
    kinds = dict.fromkeys(dims, likelihood)
    model = M2VAE(M2VAEConfig(dims, 2, hidden=(16, 8), joint=8, likelihoods=kinds))
    _sharpen(model)
    x = {m: torch.rand(5, dim) for m, dim in dims.items()}
    q = model.posteriors(x)
    bounds = {
        s: objectives.variation_of_information_elbo(
            [model.log_likelihood({m: x[m]}, q[s].mean) for m in s],
            q[s],
            [q[part] for part in one_smaller(s) if part],
            objectives.beta_of(model, s, 0.01),
        )
        for s in q
    }
    found = objectives.m2vae_bound(model, x, q, 0.01)
    torch.testing.assert_close(found, objectives.m2vae_elbo(bounds))
    steps = [
        q[target].kl(
            fuse_in_place(model, q[held].mean, held, {m: x[m] for m in target if m not in held})
        )
        for target in q
        for held in subsets(target)
    ]
    found = objectives.reencoding_loss(model, x, q)
    torch.testing.assert_close(found, torch.stack(steps).mean(0), rtol=1e-3, atol=1e-3)


def test_the_reencoding_loss_does_not_move_what_it_compares_with(model, x):
    # What is unfolded is the mean, so the variance matters only as what is compared with.
    targets = {
        subset: Gaussian(q.mean.detach(), q.log_variance.detach().requires_grad_())
        for subset, q in model.posteriors(x).items()
    }
    objectives.reencoding_loss(model, x, targets).sum().backward()
    assert all(target.log_variance.grad is None for target in targets.values())


def test_the_lower_bound_of_eq_20_is_the_elbo_of_all_modalities_when_all_are_observed(model, x):
    torch.manual_seed(2)
    q = model.encode(x)
    bound = objectives.lower_bound(model, x, ("a", "b"), samples=4000)
    torch.manual_seed(3)
    reconstruction = torch.stack([model.log_likelihood(x, q.sample()) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(bound, reconstruction - q.kl_to_prior(), atol=0.2, rtol=0)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_a_model_of_any_number_of_modalities_learns_from_its_own_bound(count):
    torch.manual_seed(0)
    dims = dict.fromkeys(NAMES[:count], 3)
    model = M2VAE(M2VAEConfig(dims, latent_dim=2, hidden=(16,), joint=8))
    x = {m: torch.randn(64, 3) for m in dims}
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(40):
        posteriors = model.posteriors(x)
        loss = -objectives.m2vae_bound(model, x, posteriors, 0.01).mean()
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None for p in model.parameters()), "every network is trained"
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_one_smaller_lacks_exactly_one_modality():
    assert one_smaller(("a", "b", "c")) == [("a", "b"), ("a", "c"), ("b", "c")]
