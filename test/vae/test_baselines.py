# SPDX-License-Identifier: Apache-2.0
"""The models the paper compares with: each has its paper's objective and says what it lacks."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from m2vae_ros.vae.baselines import MODELS, NoSuchDistribution, product_of_experts
from m2vae_ros.vae.baselines.experts import prior_like
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig, subsets
from m2vae_ros.vae.objectives import lower_bound

A, B, AB = ("a",), ("b",), ("a", "b")
CONFIG = M2VAEConfig(
    {"a": 3, "b": 5}, latent_dim=2, hidden=(8, 6), joint=7, likelihoods={"b": "bernoulli"}
)
BETA_NORM = 0.3
BETA = {A: 0.3 * 3 / 2, B: 0.3 * 5 / 2, AB: 0.3 * 8 / 2}  # β_norm D_m / D_z of what is decoded
CANNOT = {"BiVCCA": {AB}, "CVAE": {B}, "CMMA": {B}}
NO_LOWER_BOUND = {"CVAE", "CMMA", "bimodal DAE"}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Networks this small are slower on many threads, and far slower on busy cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


every_model = pytest.mark.parametrize("name", MODELS)


def make(name, seed=0, config=CONFIG):
    torch.manual_seed(seed)
    return MODELS[name](config)


def batch(seed=1, count=4):
    torch.manual_seed(seed)
    # binary, so that the likelihood of b is one that torch.distributions knows
    return {"a": torch.randn(count, 3), "b": torch.rand(count, 5).round()}


def part(x, subset):
    return {m: x[m] for m in subset}


# --- the objectives, written out on the parts of each network -------------------------------------
# Layers are called here one by one and torch.distributions does the rest.

PRIOR = Independent(Normal(torch.zeros(4, 2), 1), 1)


def _normal(q):
    return Independent(Normal(q.mean, (q.log_variance / 2).exp()), 1)


def _q(network, x, subset):
    features = [network.trunks[m](x[m]) for m in subset]
    if len(subset) == 1:
        return _normal(network.heads[subset[0]](features[0]))
    return _normal(network.heads["a,b"](network.joints["a,b"](torch.cat(features, 1))))


def _log_a(network, x, z):
    return Normal(network.decoders["a"](z), 1).log_prob(x["a"]).sum(1)


def _log_b(network, x, z):
    return Bernoulli(network.decoders["b"](z)).log_prob(x["b"]).sum(1)


def _m2vae(model, x):
    n = model.network
    q_a, q_b, q_ab = (_q(n, x, s) for s in (A, B, AB))
    noise = torch.randn(3, 4, 2)  # for all subsets at once
    z_a, z_b, z_ab = (q.mean + q.stddev * e for q, e in zip((q_a, q_b, q_ab), noise, strict=True))
    l_a = _log_a(n, x, z_a) - BETA[A] * kl_divergence(q_a, PRIOR)
    l_b = _log_b(n, x, z_b) - BETA[B] * kl_divergence(q_b, PRIOR)
    divergences = sum(kl_divergence(q_ab, other) for other in (PRIOR, q_a, q_b))
    l_m = _log_a(n, x, z_ab) + _log_b(n, x, z_ab) - BETA[AB] * divergences
    return (l_a + l_b + l_m) / 2


def _jmvae_zero(model, x):
    trunk, head = model.encoder
    q = _normal(head(trunk(torch.cat([x["a"], x["b"]], 1))))
    z = q.rsample()
    reconstruction = _log_a(model.network, x, z) + _log_b(model.network, x, z)
    return reconstruction - BETA[AB] * kl_divergence(q, PRIOR)


def _jmvae(model, x):
    n = model.network
    q_a, q_b, q_ab = (_q(n, x, s) for s in (A, B, AB))
    z = q_ab.rsample()
    divergences = sum(kl_divergence(q_ab, other) for other in (PRIOR, q_a, q_b))
    return _log_a(n, x, z) + _log_b(n, x, z) - BETA[AB] * divergences


def _tvae(model, x):
    n = model.network
    q_a, q_b, q_ab = (_q(n, x, s) for s in (A, B, AB))
    z_a, z_b, z_ab = q_a.rsample(), q_b.rsample(), q_ab.rsample()
    return (
        _log_a(n, x, z_a)
        - BETA[A] * kl_divergence(q_a, PRIOR)
        + _log_b(n, x, z_b)
        - BETA[B] * kl_divergence(q_b, PRIOR)
        + _log_a(n, x, z_ab)
        + _log_b(n, x, z_ab)
        - BETA[AB] * kl_divergence(q_ab, PRIOR)
    )


def _bivcca(model, x):
    n, total = model.network, 0
    for q in (_q(n, x, A), _q(n, x, B)):
        z = q.rsample()
        reconstruction = _log_a(n, x, z) + _log_b(n, x, z)
        total = total + 0.5 * (reconstruction - BETA[AB] * kl_divergence(q, PRIOR))
    return total


def _cvae(model, x):
    q, prior = _q(model.network, x, AB), _q(model.network, x, A)
    z = q.rsample()
    b = model.generator.decoders["b"](torch.cat([z, x["a"]], 1))
    return Bernoulli(b).log_prob(x["b"]).sum(1) - BETA[B] * kl_divergence(q, prior)


def _cmma(model, x):
    q, prior = _q(model.network, x, AB), _q(model.network, x, A)
    z = q.rsample()
    return _log_b(model.network, x, z) - BETA[B] * kl_divergence(q, prior)


def _dae(model, x):
    n, total = model.network, 0
    for keep_a, keep_b in ((1, 1), (1, 0), (0, 1)):
        features = [n.trunks["a"](keep_a * x["a"]), n.trunks["b"](keep_b * x["b"])]
        code = model.code(model.joint(torch.cat(features, 1)))
        total = total + (_log_a(n, x, code) + _log_b(n, x, code)) / 3
    return total


def _mvae(model, x):
    n, total = model.network, 0
    for subset in (A, B, AB):
        experts = [n.heads[m](n.trunks[m](x[m])) for m in subset]
        precision = 1 + sum(1 / e.log_variance.exp() for e in experts)  # 1 is the prior's
        mean = sum(e.mean / e.log_variance.exp() for e in experts) / precision
        q = Independent(Normal(mean, precision.rsqrt()), 1)
        z = q.rsample()
        log_p = {"a": _log_a, "b": _log_b}
        total = total + sum(log_p[m](n, x, z) for m in subset)
        total = total - BETA[subset] * kl_divergence(q, PRIOR)
    return total


WRITTEN_OUT = {
    "M2VAE": _m2vae,
    "JMVAE-Zero": _jmvae_zero,
    "JMVAE": _jmvae,
    "tVAE": _tvae,
    "BiVCCA": _bivcca,
    "CVAE": _cvae,
    "CMMA": _cmma,
    "bimodal DAE": _dae,
    "MVAE": _mvae,
}


@every_model
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_objective_is_the_one_of_the_models_paper(name, seed):
    model, x = make(name, seed), batch(seed + 1)
    torch.manual_seed(seed)
    bound = model.bound(x, BETA_NORM)
    assert bound.shape == (4,)
    torch.manual_seed(seed)
    torch.testing.assert_close(bound, WRITTEN_OUT[name](model, x), rtol=1e-4, atol=1e-4)


# --- which networks there are, and what trains them -----------------------------------------------


def gradients(model, beta_norm):
    model.zero_grad(set_to_none=True)
    torch.manual_seed(0)
    model.bound(batch(count=64), beta_norm).sum().backward()
    return {
        name
        for name, p in model.named_parameters()
        if p.grad is not None and p.grad.abs().sum() > 0
    }


@every_model
def test_no_model_carries_weights_that_its_objective_does_not_train(name):
    model = make(name)
    assert gradients(model, BETA_NORM) == {name for name, _ in model.named_parameters()}


def test_jmvae_trains_the_unimodal_posteriors_through_the_divergence_alone():
    model = make("JMVAE")
    unimodal = {
        n
        for n, _ in model.named_parameters()
        if n.split(".")[1:3] in (["heads", "a"], ["heads", "b"])
    }
    assert len(unimodal) == 8
    assert not gradients(model, 0.0) & unimodal
    assert gradients(model, BETA_NORM) >= unimodal


@pytest.mark.parametrize("name", ["CVAE", "CMMA"])
def test_conditional_models_train_their_prior_through_the_divergence_alone(name):
    model = make(name)
    prior = {n for n, _ in model.named_parameters() if n.startswith("network.heads.a.")}
    assert len(prior) == 4
    assert not gradients(model, 0.0) & prior
    assert gradients(model, BETA_NORM) >= prior


@pytest.mark.parametrize(
    ("name", "heads", "decoders"),
    [
        ("M2VAE", {"a", "b", "a,b"}, {"a", "b"}),
        ("JMVAE-Zero", set(), {"a", "b"}),
        ("JMVAE", {"a", "b", "a,b"}, {"a", "b"}),
        ("tVAE", {"a", "b", "a,b"}, {"a", "b"}),
        ("BiVCCA", {"a", "b"}, {"a", "b"}),
        ("CVAE", {"a", "a,b"}, set()),
        ("CMMA", {"a", "a,b"}, {"b"}),
        ("bimodal DAE", set(), {"a", "b"}),
        ("MVAE", {"a", "b"}, {"a", "b"}),
    ],
)
def test_of_the_m2vaes_network_a_model_has_what_its_objective_speaks_of(name, heads, decoders):
    network = make(name).network
    assert set(network.heads) == heads
    assert set(network.joints) == {key for key in heads if "," in key}
    assert set(network.decoders) == decoders


@every_model
def test_models_of_one_seed_start_from_the_same_weights_where_they_share_a_part(name):
    torch.manual_seed(0)
    reference = {f"network.{key}": value for key, value in M2VAE(CONFIG).state_dict().items()}
    shared = {k: v for k, v in make(name).state_dict().items() if k in reference}
    assert shared
    assert all(torch.equal(value, reference[key]) for key, value in shared.items())


# --- what each can and cannot do ------------------------------------------------------------------


@every_model
@pytest.mark.parametrize("subset", [A, B, AB])
def test_a_model_embeds_a_subset_or_says_why_it_cannot(name, subset):
    model, x = make(name), batch()
    assert set(model.cannot) == CANNOT.get(name, set())
    if subset in model.cannot:
        for attempt in (model.encode, model.embed):
            with pytest.raises(NoSuchDistribution) as error:
                attempt(part(x, subset))
            assert model.cannot[subset] in str(error.value)
    else:
        z = model.embed(part(x, subset))
        assert z.shape == (4, 2)
        assert torch.equal(z, model.embed(part(x, subset)))  # a point, not a sample


@every_model
@pytest.mark.parametrize("subset", [A, B, AB])
def test_eq_20_is_defined_or_the_model_says_why_not(name, subset):
    model, x = make(name), batch()
    assert (model.no_lower_bound is not None) == (name in NO_LOWER_BOUND)
    if model.no_lower_bound or subset in model.cannot:
        with pytest.raises(NoSuchDistribution):
            lower_bound(model, x, subset)
    else:
        torch.manual_seed(0)
        found = lower_bound(model, x, subset)
        torch.manual_seed(0)
        q = _normal(model.encode(part(x, subset)))
        z = q.rsample()
        log_p = _log_a(model.network, x, z) + _log_b(model.network, x, z)
        expected = log_p + PRIOR.log_prob(z) - q.log_prob(z)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@every_model
@pytest.mark.parametrize("modality", ["a", "b"])
def test_a_model_reconstructs_a_modality_or_says_why_it_cannot(name, modality):
    model, x, z = make(name), batch(), torch.zeros(4, 2)
    if (name, modality) in {("CVAE", "a"), ("CVAE", "b"), ("CMMA", "a")}:
        with pytest.raises(NoSuchDistribution, match="Eq. 20"):
            model.decode(modality, z)
        with pytest.raises(NoSuchDistribution, match="Eq. 20"):
            model.log_likelihood({modality: x[modality]}, z)
    else:
        assert model.decode(modality, z).shape == x[modality].shape
        assert model.log_likelihood({modality: x[modality]}, z).shape == (4,)


def test_cvae_generates_from_z_and_the_given_modality():
    model, x = make("CVAE"), batch()
    z = torch.zeros(4, 2)
    generated = model.generate(x["a"], z)
    assert generated.shape == (4, 5)
    assert ((generated > 0) & (generated < 1)).all()
    assert not torch.equal(generated, model.generate(x["a"] + 1, z))
    assert not torch.equal(generated, model.generate(x["a"], z + 1))


@pytest.mark.parametrize("name", ["JMVAE-Zero", "bimodal DAE"])
def test_what_is_missing_is_zeros(name):
    model, x = make(name), batch()
    zeros = {**x, "b": torch.zeros_like(x["b"])}
    assert torch.equal(model.embed(part(x, A)), model.embed(zeros))


def test_the_deterministic_autoencoder_has_no_posterior_of_anything():
    model, x = make("bimodal DAE"), batch()
    for subset in (A, B, AB):
        with pytest.raises(NoSuchDistribution, match="deterministic"):
            model.encode(part(x, subset))


@every_model
def test_bad_input_is_named(name):
    model, x = make(name), batch()
    with pytest.raises(ValueError, match="radar"):
        model.embed({"radar": x["a"]})
    with pytest.raises(ValueError, match="no modality"):
        model.embed({})
    with pytest.raises(ValueError, match="radar"):
        model.decode("radar", torch.zeros(4, 2))
    with pytest.raises(ValueError, match=r"the batch has \['a'\]"):
        model.bound(part(x, A), BETA_NORM)
    with pytest.raises(ValueError, match="dims"):
        MODELS[name](M2VAEConfig({"a": 3}))


# --- more than two modalities ---------------------------------------------------------------------

THREE = M2VAEConfig({"a": 3, "b": 5, "c": 2}, latent_dim=2, hidden=(8, 6), joint=7)


@every_model
def test_three_modalities_are_embedded_or_refused(name):
    if name in {"tVAE", "BiVCCA", "CVAE", "CMMA", "bimodal DAE"}:
        with pytest.raises(ValueError, match="bi-modal.*'c'"):
            MODELS[name](THREE)
        return
    model = make(name, config=THREE)
    x = {m: torch.randn(4, d) for m, d in THREE.dims.items()}
    singles = {("a",), ("b",), ("c",)}
    assert set(model.cannot) == (singles if name == "JMVAE" else set())
    assert model.bound(x, BETA_NORM).shape == (4,)
    for subset in subsets(model.modalities):
        if subset not in model.cannot:
            assert model.embed(part(x, subset)).shape == (4, 2)


# --- training and keeping -------------------------------------------------------------------------


@every_model
def test_training_raises_the_objective(name):
    torch.manual_seed(0)
    hidden = torch.randn(256, 1)  # what both modalities tell of
    x = {
        "a": hidden @ torch.randn(1, 3) + 0.1 * torch.randn(256, 3),
        "b": (hidden @ torch.randn(1, 5) + 0.1 * torch.randn(256, 5) > 0).float(),
    }
    model = make(name, config=replace(CONFIG, hidden=(64, 32), joint=32))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def mean_bound():
        torch.manual_seed(0)
        with torch.no_grad():
            return float(torch.stack([model.bound(x, 0.01).mean() for _ in range(8)]).mean())

    before = mean_bound()
    for _ in range(50):
        optimizer.zero_grad()
        (-model.bound(x, 0.01).mean()).backward()
        optimizer.step()
    assert mean_bound() > before + 0.5  # nats


@every_model
def test_the_weights_of_one_model_make_another_the_same(name):
    model, other, x = make(name), make(name, seed=9), batch()
    other.load_state_dict(model.state_dict())
    for subset in (A, B, AB):
        if subset not in model.cannot:
            assert torch.equal(model.embed(part(x, subset)), other.embed(part(x, subset)))
    bounds = []
    for each in (model, other):
        torch.manual_seed(3)
        bounds.append(each.bound(x, BETA_NORM))
    assert torch.equal(*bounds)
    addresses = [tensor.data_ptr() for tensor in model.state_dict().values()]
    assert len(set(addresses)) == len(addresses)  # safetensors stores no tensor twice


# --- products of experts --------------------------------------------------------------------------

numbers = st.floats(-2, 2, width=32)
experts = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4)


@given(experts, st.booleans())
def test_the_product_of_experts_is_the_product_of_densities_on_a_grid(rows, with_prior):
    gaussians = [
        Gaussian(torch.tensor([[m]]).double(), torch.tensor([[v]]).double()) for m, v in rows
    ]
    if with_prior:
        gaussians.append(prior_like(gaussians[0]))
    grid = torch.linspace(-30, 30, 20_001, dtype=torch.float64)[:, None]
    density = math.prod(_normal(g).log_prob(grid).exp() for g in gaussians)
    density = density / density.sum()
    mean = (density * grid[:, 0]).sum()
    variance = (density * (grid[:, 0] - mean).square()).sum()
    found = product_of_experts(gaussians)
    torch.testing.assert_close(found.mean[0, 0], mean, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found.log_variance[0, 0].exp(), variance, atol=1e-6, rtol=1e-6)


def test_a_very_sure_expert_decides_alone():
    sure = Gaussian(torch.tensor([[3.0]]), torch.tensor([[-100.0]]))  # a precision of e^100
    other = Gaussian(torch.tensor([[-1.0]]), torch.tensor([[0.0]]))
    for order in ([sure, other], [other, sure]):
        found = product_of_experts(order)
        assert torch.equal(found.mean, sure.mean)
        assert torch.equal(found.log_variance, sure.log_variance)


def test_the_prior_draws_an_mvae_posterior_towards_it_and_never_widens_it():
    model, x = make("MVAE"), batch()
    single = {m: model.network.encode({m: x[m]}) for m in AB}
    for subset in subsets(AB):
        posterior = model.encode(part(x, subset))
        for m in subset:
            assert (posterior.log_variance < single[m].log_variance).all()
        assert (posterior.log_variance < 0).all()
