# SPDX-License-Identifier: Apache-2.0
"""The library people use agrees with our baselines, and is compared with them on equal terms."""

import sys
from dataclasses import replace

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from m2vae_ros.experiments import multivae_library
from m2vae_ros.experiments.multivae_library.mixture import Mixture
from m2vae_ros.training.loop import Schedule, fit
from m2vae_ros.vae.baselines import MODELS, product_of_experts
from m2vae_ros.vae.baselines.experts import prior_like
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.m2vae import M2VAEConfig, subsets
from m2vae_ros.vae.objectives import beta_of, lower_bound

REASON = multivae_library.installed()
LIBRARY = {} if REASON else multivae_library.models()
NAMES = ["JMVAE", "TELBO", "MVAE", "MMVAE", "MoPoE"]
A, B, AB = ("a",), ("b",), ("a", "b")
CONFIG = M2VAEConfig(
    {"a": 3, "b": 5}, latent_dim=2, hidden=(8, 6), joint=7, likelihoods={"b": "bernoulli"}
)
THREE = M2VAEConfig({"a": 3, "b": 5, "c": 2}, latent_dim=2, hidden=(8, 6), joint=7)
BETA_NORM = 0.3
COUNT = 6

needs_library = pytest.mark.skipif(REASON is not None, reason=str(REASON))
every_model = pytest.mark.parametrize("name", NAMES)


def make(name, seed=0, config=CONFIG):
    torch.manual_seed(seed)
    return LIBRARY[f"{name} (multivae)"](config)


def ours(name, seed=0, config=CONFIG):
    torch.manual_seed(seed)
    return MODELS[name](config)


def batch(seed=1, count=COUNT, config=CONFIG):
    torch.manual_seed(seed)
    kinds = config.likelihoods
    return {
        m: torch.rand(count, d) if kinds.get(m) == "bernoulli" else torch.randn(count, d)
        for m, d in config.dims.items()
    }


def part(x, subset):
    return {m: x[m] for m in subset}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def _same_noise(monkeypatch):
    """Every posterior is sampled with the same noise, whoever samples it and in which order."""
    torch.manual_seed(7)
    noise = torch.randn(COUNT, CONFIG.latent_dim)
    monkeypatch.setattr(torch, "randn_like", lambda tensor: noise.expand_as(tensor))
    monkeypatch.setattr(
        "torch.distributions.normal._standard_normal",
        lambda shape, dtype, device: noise.to(dtype).expand(shape),
    )


# --- two implementations of one objective ---------------------------------------------------------


@needs_library
@pytest.mark.usefixtures("_same_noise")
@pytest.mark.parametrize("seed", range(5))
def test_our_jmvae_is_the_librarys_for_two_modalities(seed):
    # its α, which weighs the divergences between posteriors, is β; nothing else differs
    x, other, own = batch(seed), make("JMVAE", seed), ours("JMVAE", seed + 100)
    own.load_state_dict(other.state_dict())
    found = other.bound(x, BETA_NORM)
    expected = own.bound(x, BETA_NORM)
    torch.testing.assert_close(found, expected.mean().expand(COUNT))
    found[0].backward()
    expected.mean().backward()
    for name, parameter in own.named_parameters():
        torch.testing.assert_close(other.get_parameter(name).grad, parameter.grad, msg=name)


@needs_library
@pytest.mark.usefixtures("_same_noise")
@pytest.mark.parametrize("seed", range(5))
def test_our_mvae_is_the_librarys_but_for_one_beta_for_all_subsets(seed):
    x, other, own = batch(seed), make("MVAE", seed), ours("MVAE", seed + 100)
    own.load_state_dict(other.state_dict())
    found = other.bound(x, BETA_NORM)[0]
    whole = beta_of(own, AB, BETA_NORM)
    excess = [
        (whole - beta_of(own, s, BETA_NORM)) * own.encode(part(x, s)).kl_to_prior() for s in (A, B)
    ]
    torch.testing.assert_close(found, (own.bound(x, BETA_NORM) - sum(excess)).mean())
    assert sum(excess).mean() > 0.01


@needs_library
@pytest.mark.usefixtures("_same_noise")
@pytest.mark.parametrize("seed", range(5))
def test_our_tvae_is_the_librarys_telbo_but_for_its_unimodal_divergences(seed):
    # the library has the joint log-variance where the divergence has the modality's own
    config = replace(CONFIG, dims={"a": 4, "b": 4})  # β of a and of b are alike
    x, other = batch(seed, config=config), make("TELBO", seed, config)
    own = ours("tVAE", seed + 100, config)
    own.load_state_dict(_with_joint_of_its_own(other))
    found = other.bound(x, BETA_NORM)[0]
    joint = own.encode(x).log_variance
    excess = [
        0.5 * beta_of(own, s, BETA_NORM) * (own.encode(part(x, s)).log_variance - joint).sum(-1)
        for s in (A, B)
    ]
    torch.testing.assert_close(found, (own.bound(x, BETA_NORM) - sum(excess)).mean())
    assert sum(excess).mean().abs() > 0.001


def _with_joint_of_its_own(telbo):
    """The weights as our tVAE names them; the joint encoder's trunks become those it shares."""
    for modality in AB:
        telbo.joint.trunks[modality].load_state_dict(telbo.network.trunks[modality].state_dict())
    return {
        f"network.{key.removeprefix('joint.').removeprefix('network.')}": tensor
        for key, tensor in telbo.state_dict().items()
    }


@needs_library
def test_a_unimodal_variance_of_the_librarys_telbo_is_only_ever_drawn_to_zero():
    telbo, x = make("TELBO"), batch()
    for decoder in telbo.network.decoders.values():  # what is reconstructed does not depend on z
        torch.nn.init.zeros_(decoder[0][0].weight)
    telbo.bound(x, BETA_NORM).sum().backward()
    for modality in AB:  # raising the bound lowers each log-variance, wherever it is
        assert (telbo.network.heads[modality].log_variance.bias.grad < 0).all()


@needs_library
@pytest.mark.parametrize("seed", range(5))
def test_the_librarys_joint_mvae_posterior_is_our_product_of_experts_with_the_prior(seed):
    model, x = make("MVAE", seed, THREE), batch(seed, config=THREE)
    for subset in subsets(model.modalities):
        experts = [model.network.encode({m: x[m]}) for m in subset]
        expected = product_of_experts([prior_like(experts[0]), *experts])
        found = model.encode(part(x, subset))
        torch.testing.assert_close(found.mean, expected.mean)
        torch.testing.assert_close(found.log_variance, expected.log_variance)


@needs_library
@every_model
@pytest.mark.parametrize("subset", [A, B, AB])
def test_the_embedding_is_the_one_the_library_gives(name, subset):
    model, x = make(name), batch()
    inputs = multivae_library.library.MultimodalBaseDataset(x)
    found = model.library.encode(inputs, list(subset), return_mean=True).z
    torch.testing.assert_close(model.embed(part(x, subset)), found)


@needs_library
def test_the_librarys_mmvae_bound_is_eq_20_of_its_mixture():
    # with β = 1, in expectation: both are E_q[log p(M|z) p(z) / q(z|M)] of the mixture
    model, x = make("MMVAE"), batch(count=2)
    for head in model.network.heads.values():  # experts that are sure, and not of the same
        torch.nn.init.normal_(head.mean.bias)
        torch.nn.init.constant_(head.log_variance.bias, -2.0)
    many = {m: x_m.repeat(20_000, 1) for m, x_m in x.items()}
    beta_one = CONFIG.latent_dim / sum(CONFIG.dims.values())
    with torch.no_grad():
        library, eq_20 = model.bound(many, beta_one)[0], lower_bound(model, many, AB).mean()
        unlike = model.bound(many, 3 * beta_one)[0]
    torch.testing.assert_close(library, eq_20, rtol=0, atol=0.03)
    assert abs(unlike - eq_20) > 0.2


@needs_library
@pytest.mark.usefixtures("_same_noise")
def test_the_librarys_mopoe_bound_takes_each_third_of_a_batch_from_one_subset():
    model, x = make("MoPoE"), batch()
    parts = model.encode(x).parts  # of a, of b, of both
    beta = beta_of(model, AB, BETA_NORM)
    z = torch.cat([p.sample()[i : i + 2] for p, i in zip(parts, (0, 2, 4), strict=True)])
    divergence = sum(p.kl_to_prior() for p in parts) / 3
    expected = (model.log_likelihood(x, z) - beta * divergence).mean()
    torch.testing.assert_close(model.bound(x, BETA_NORM)[0], expected)


# --- the interface of the compared models ---------------------------------------------------------


@needs_library
@every_model
def test_a_library_model_is_asked_like_ours(name):
    model, x = make(name), batch()
    assert model.modalities == AB
    assert model.cannot == {}
    assert model.no_lower_bound is None
    assert model.bound(x, BETA_NORM).shape == (COUNT,)
    for subset in (A, B, AB):
        z = model.embed(part(x, subset))
        assert z.shape == (COUNT, 2)
        assert torch.equal(z, model.embed(part(x, subset)))  # a point, not a sample
        assert lower_bound(model, x, subset, samples=3).shape == (COUNT,)
    assert model.decode("b", z).shape == (COUNT, 5)
    assert ((model.decode("b", z) > 0) & (model.decode("b", z) < 1)).all()


@needs_library
@every_model
def test_it_starts_from_the_weights_of_our_models_of_the_same_seed(name):
    reference = ours("M2VAE", seed=3).state_dict()
    shared = {k: v for k, v in make(name, seed=3).state_dict().items() if k in reference}
    assert {k.split(".")[1] for k in shared} >= {"trunks", "heads", "decoders"}
    assert all(torch.equal(value, reference[key]) for key, value in shared.items())


@needs_library
@every_model
def test_its_weights_are_stored_once_and_make_another_the_same(name):
    model, other, x = make(name), make(name, seed=9), batch()
    addresses = [tensor.data_ptr() for tensor in model.state_dict().values()]
    assert len(set(addresses)) == len(addresses)
    other.load_state_dict(model.state_dict())
    bounds = []
    for each in (model, other):
        torch.manual_seed(3)
        bounds.append(each.bound(x, BETA_NORM))
    assert torch.equal(*bounds)


@needs_library
@every_model
def test_every_weight_is_trained_and_none_stays_frozen(name):
    model, x = make(name), batch(count=64)
    model.bound(x, BETA_NORM).sum().backward()
    constants = {f"prior.{i}" for i in range(2)} if name == "MMVAE" else set()
    trained = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert trained == {n for n, _ in model.named_parameters()} - constants
    assert {n for n, p in model.named_parameters() if not p.requires_grad} == constants


@needs_library
def test_in_telbo_the_unimodal_bounds_train_no_decoder():
    telbo, x = make("TELBO"), batch(count=64)
    telbo.network.heads.requires_grad_(False)
    telbo.network.trunks.requires_grad_(False)
    torch.manual_seed(0)
    telbo.bound(x, BETA_NORM)[0].backward()
    decoder = telbo.network.decoders["a"][1].weight
    torch.manual_seed(0)
    q = telbo.encode(x)
    evidence = telbo.log_likelihood(x, Normal(q.mean, (q.log_variance / 2).exp()).rsample())
    (expected,) = torch.autograd.grad(evidence.mean(), decoder)
    torch.testing.assert_close(decoder.grad, expected)


@needs_library
@every_model
def test_training_in_our_loop_raises_the_librarys_objective(name):
    torch.manual_seed(0)
    hidden = torch.randn(256, 1)  # what both modalities tell of
    x = {
        "a": hidden @ torch.randn(1, 3) + 0.1 * torch.randn(256, 3),
        "b": (hidden @ torch.randn(1, 5) + 0.1 * torch.randn(256, 5) > 0).float(),
    }
    model = make(name, config=replace(CONFIG, hidden=(64, 32), joint=32))
    history = fit(
        model,
        lambda part, _: {"loss": -model.bound(part, 0.01)},
        x,
        Schedule(epochs=12, batch_size=64, learning_rate=1e-2),
        title=name,
    )
    assert history[-1]["loss"] < history[0]["loss"] - 0.5  # nats


@needs_library
@every_model
def test_bad_input_is_named(name):
    model, x = make(name), batch()
    with pytest.raises(ValueError, match="radar"):
        model.embed({"radar": x["a"]})
    with pytest.raises(ValueError, match="no modality"):
        model.embed({})
    with pytest.raises(ValueError, match=r"the batch has \['a'\]"):
        model.bound(part(x, A), BETA_NORM)
    if name in {"TELBO", "MMVAE"}:
        with pytest.raises(ValueError, match="beta_norm"):
            model.bound(x, 0.0)


@needs_library
@every_model
def test_of_three_modalities_every_subset_is_embedded(name):
    if name == "TELBO":
        with pytest.raises(ValueError, match=r"bi-modal.*'c'"):
            make(name, config=THREE)
        return
    model, x = make(name, config=THREE), batch(config=THREE)
    assert model.bound(x, BETA_NORM).shape == (COUNT,)
    for subset in subsets(model.modalities):
        assert lower_bound(model, part(x, model.modalities), subset).shape == (COUNT,)


def test_without_the_library_the_reason_is_told(monkeypatch):
    monkeypatch.delattr(multivae_library, "adapters", raising=False)
    for module in ("adapters", "wrappers", "library"):
        monkeypatch.delitem(sys.modules, f"{multivae_library.__name__}.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "multivae.data", None)  # importing it raises ImportError
    assert "requirements/comparison.txt" in multivae_library.installed()
    with pytest.raises(ImportError):
        multivae_library.models()


@needs_library
def test_what_only_the_librarys_data_sets_need_is_not_left_behind():
    from unittest.mock import MagicMock

    roots = ("torchvision", "nltk", "matplotlib", "PIL")
    assert not [
        m for m, module in sys.modules.items() if m.startswith(roots) and type(module) is MagicMock
    ]


# --- mixtures of Gaussians ------------------------------------------------------------------------


def _mixture():
    torch.manual_seed(5)
    return Mixture([Gaussian(3 * torch.randn(4, 2), torch.randn(4, 2)) for _ in range(3)])


def test_a_mixture_has_the_density_and_mean_of_its_parts_weighed_alike():
    mixture = _mixture()
    means = torch.stack([p.mean for p in mixture.parts], 1)
    scales = torch.stack([(p.log_variance / 2).exp() for p in mixture.parts], 1)
    reference = MixtureSameFamily(
        Categorical(torch.ones(4, 3)), Independent(Normal(means, scales), 1)
    )
    z = torch.randn(4, 2)
    torch.testing.assert_close(mixture.log_prob(z), reference.log_prob(z))
    torch.testing.assert_close(mixture.mean, reference.mean)


def test_samples_of_a_mixture_follow_its_density():
    mixture = _mixture()
    torch.manual_seed(0)
    repeated = Mixture(
        [
            Gaussian(p.mean[:1].expand(40_000, 2), p.log_variance[:1].expand(40_000, 2))
            for p in mixture.parts
        ]
    )
    z = repeated.sample()
    assert z.shape == (40_000, 2)
    # ∫ q(z) N(z; m, I) dz is known for Gaussian parts, here around each of them
    for centre in mixture.parts:
        around = Gaussian(centre.mean[:1], torch.zeros(1, 2))
        found = around.log_prob(z).exp().mean()
        known = torch.stack(
            [
                Gaussian(p.mean[:1], (1 + p.log_variance[:1].exp()).log()).log_prob(around.mean)
                for p in mixture.parts
            ]
        )
        torch.testing.assert_close(found, known.exp().mean(), rtol=0.05, atol=0)
