# SPDX-License-Identifier: Apache-2.0
"""The networks, and fusion in place on them."""

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from m2vae_ros.vae.beta_vae import BetaVAE, BetaVAEConfig
from m2vae_ros.vae.in_place import fuse_in_place, unfold
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig

MODALITIES = ("a", "b", "c")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return M2VAE(M2VAEConfig({"a": 4, "b": 6, "c": 2}, latent_dim=3, hidden=(16, 8), joint=8))


@pytest.fixture
def x():
    torch.manual_seed(1)
    return {"a": torch.randn(5, 4), "b": torch.randn(5, 6), "c": torch.randn(5, 2)}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_there_is_an_encoder_for_every_subset_and_a_decoder_for_every_modality(count):
    names = "abcde"[:count]
    model = M2VAE(M2VAEConfig(dict.fromkeys(names, 2), latent_dim=2, hidden=(4,), joint=4))
    x = {m: torch.randn(3, 2) for m in names}
    posteriors = model.posteriors(x)
    assert len(posteriors) == 2**count - 1
    for subset, posterior in posteriors.items():
        encoded = model.encode({m: x[m] for m in subset})
        assert torch.equal(encoded.mean, posterior.mean)
        assert torch.equal(encoded.log_variance, posterior.log_variance)
    assert all(model.decode(m, posteriors[(m,)].mean).shape == (3, 2) for m in names)


def test_the_order_in_which_modalities_are_named_does_not_matter(model, x):
    means = [model.encode({m: x[m] for m in order}).mean for order in permutations(x)]
    assert all(torch.equal(mean, means[0]) for mean in means)


@pytest.mark.parametrize("wrong", [{}, {"a": torch.zeros(1, 4), "radar": torch.zeros(1, 4)}])
def test_a_modality_the_model_does_not_have_is_named(model, wrong):
    with pytest.raises(ValueError, match="radar|no modality"):
        model.encode(wrong)
    with pytest.raises(ValueError, match="radar"):
        model.decode("radar", torch.zeros(1, 3))


def test_a_configuration_that_makes_no_sense_says_which_field():
    with pytest.raises(ValueError, match="dims"):
        M2VAEConfig({})
    with pytest.raises(ValueError, match="likelihoods.*radar"):
        M2VAEConfig({"a": 1}, likelihoods={"radar": "gaussian"})
    with pytest.raises(ValueError, match="likelihoods.*poisson"):
        M2VAEConfig({"a": 1}, likelihoods={"a": "poisson"})
    with pytest.raises(ValueError, match="likelihood.*poisson"):
        BetaVAEConfig((3,), likelihood="poisson")
    with pytest.raises(ValueError, match="channels"):
        BetaVAEConfig((3,), channels=(4,))


def test_fusing_into_nothing_is_encoding(model, x):
    fused = fuse_in_place(model, None, (), {"a": x["a"]})
    assert torch.equal(fused.mean, model.encode({"a": x["a"]}).mean)


def test_fusing_decodes_what_is_held_and_encodes_the_union(model, x):
    z = model.encode({"a": x["a"]}).mean
    fused = fuse_in_place(model, z, ("a",), {"b": x["b"]})
    assert torch.equal(fused.mean, model.encode({"a": model.decode("a", z), "b": x["b"]}).mean)


def test_fusing_a_modality_that_is_already_held_replaces_it(model, x):
    z = model.encode({"a": x["a"]}).mean
    fused = fuse_in_place(model, z, ("a",), {"a": x["a"] + 1})
    assert torch.equal(fused.mean, model.encode({"a": x["a"] + 1}).mean)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.sampled_from(MODALITIES), min_size=1), st.integers(0, 6))
def test_unfolding_never_leaves_a_row_farther_from_its_embedding_than_decoding(held, rounds):
    torch.manual_seed(0)
    model = M2VAE(M2VAEConfig({"a": 4, "b": 6, "c": 2}, latent_dim=3, hidden=(16, 8), joint=8))
    z = 3 * torch.randn(20, 3)
    with torch.no_grad():
        plain = (fuse_in_place(model, z, held, {}).mean - z).norm(dim=1)
        again = (model.encode(unfold(model, z, held, rounds)).mean - z).norm(dim=1)
    assert (again <= plain + 1e-5).all()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(5, 40), min_size=1, max_size=2),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
)
def test_a_convolutional_vae_gives_back_the_shape_it_was_given(axes, channels):
    shape = (2, *axes)
    vae = BetaVAE(BetaVAEConfig(shape, 3, (8,), tuple(channels), "bernoulli"))
    x = torch.rand(2, *shape)
    posterior = vae.encode(x)
    assert posterior.mean.shape == posterior.log_variance.shape == (2, 3)
    reconstruction = vae.decode(posterior.mean)
    assert reconstruction.shape == x.shape
    assert ((reconstruction >= 0) & (reconstruction <= 1)).all()
    assert vae.log_likelihood(x, posterior.mean).shape == (2,)


def test_a_perceptron_vae_takes_any_shape():
    vae = BetaVAE(BetaVAEConfig((2, 3), 4, (8, 6)))
    assert vae.decode(vae.encode(torch.rand(5, 2, 3)).mean).shape == (5, 2, 3)
