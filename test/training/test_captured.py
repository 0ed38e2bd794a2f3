# SPDX-License-Identifier: Apache-2.0
"""A captured step is the plain one, to the bit, and only what may be captured is."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

from m2vae_ros.experiments.contenders import ContenderRecipe, train_contender
from m2vae_ros.training import loop
from m2vae_ros.training.captured import Captured
from m2vae_ros.training.loop import Schedule, fit
from m2vae_ros.training.m2vae import M2VAERecipe, train_m2vae
from m2vae_ros.vae.baselines import MODELS
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig
from m2vae_ros.vae.objectives import cross_bound, reencoding_loss

KINDS = {"a": "gaussian", "b": "bernoulli", "c": "gaussian"}


class Step(nn.Module):
    """Eq. 17 and Eq. 19, with a part that no loss depends on."""

    def __init__(self, names, cross):
        super().__init__()
        dims = {name: 2 + i for i, name in enumerate(names)}
        likelihoods = {name: KINDS[name] for name in names}
        self.model = M2VAE(M2VAEConfig(dims, 3, (8, 5), 6, likelihoods))
        self.unused = nn.Linear(2, 2)
        self._cross = cross

    def forward(self, batch, epoch):
        posteriors = self.model.posteriors(batch)
        again = reencoding_loss(self.model, batch, posteriors)
        bound = cross_bound(self.model, batch, posteriors, 0.01, self._cross)
        return {"loss": 0.1 * epoch * again - bound, "reencoding": again}


def batch_of(step):
    return {m: torch.rand(7, dim) for m, dim in step.model.config.dims.items()}


def plain(step, batch, epoch):
    step.zero_grad(set_to_none=True)
    terms = step(batch, epoch)
    torch.autograd.backward(terms["loss"].sum() * (1 / len(terms["loss"])))
    return terms, [p.grad for p in step.parameters()]


@settings(max_examples=4, deadline=None)
@given(st.sampled_from(["a", "ab", "abc"]), st.sampled_from([0.0, 0.5]), st.integers(0, 3))
def test_terms_and_gradients_are_those_of_the_plain_step_to_the_bit(names, cross, epoch):
    torch.manual_seed(epoch)
    step = Step(names, cross)
    graph = Captured(step, batch_of(step), epoch)
    for _ in range(3):  # with other weights, another batch and other noise each time
        with torch.no_grad():
            for weight in step.parameters():
                weight += 0.1 * torch.randn_like(weight)
        batch = batch_of(step)
        seed = torch.initial_seed() + 1
        torch.manual_seed(seed)
        terms, gradients = plain(step, batch, epoch)
        torch.manual_seed(seed)
        replayed, found = graph(dict(reversed(batch.items())))
        assert list(replayed) == list(terms)
        assert all(torch.equal(replayed[name], terms[name]) for name in terms)
        of = dict(zip(graph.differentiated, found, strict=True))
        for weight, gradient in zip(step.parameters(), gradients, strict=True):
            assert (weight in of) == (gradient is not None)
            assert gradient is None or torch.equal(of[weight], gradient)


def test_capturing_changes_neither_weights_nor_gradients_nor_random_numbers():
    step = Step("ab", 0.0)
    before = [p.clone() for p in step.parameters()]
    torch.manual_seed(4)
    Captured(step, {"a": torch.zeros(7, 2), "b": torch.zeros(7, 3)}, 1)
    drawn = torch.rand(3)
    torch.manual_seed(4)
    assert torch.equal(drawn, torch.rand(3))
    assert all(torch.equal(p, q) for p, q in zip(step.parameters(), before, strict=True))
    assert all(p.grad is None for p in step.parameters())


def trained(monkeypatch, least, train):
    captures = []

    class Counted(Captured):
        def __init__(self, *arguments):
            captures.append(arguments[-1])
            super().__init__(*arguments)

    monkeypatch.setattr(loop, "Captured", Counted)
    monkeypatch.setattr(loop, "LEAST_STEPS", least)
    return list(train().parameters()), captures


X = {m: torch.randn(75, 2, generator=torch.Generator().manual_seed(i)) for i, m in enumerate("ab")}
"""The last of an epoch's batches of 16 is a smaller one."""


def test_a_training_ends_with_the_same_weights_whether_captured_or_not(monkeypatch):
    recipe = M2VAERecipe(3, (8,), 8, alpha=0.5, schedule=Schedule(12, 16))

    def train():
        return train_m2vae(recipe, X, 0, held_out=X, quiet=True)

    expected, never = trained(monkeypatch, 10**9, train)
    found, epochs = trained(monkeypatch, 0, train)
    assert not never
    assert epochs == [1, 7]  # the weight of the re-encoding loss grows between
    assert all(torch.equal(p, q) for p, q in zip(found, expected, strict=True))


class Interrupted:
    """Samples of which the eighth batch never comes."""

    def __init__(self, x):
        self._x = x
        self._batches = 0

    def __len__(self):
        return len(self._x)

    def __getitem__(self, index):
        self._batches += 1
        if self._batches == 8:
            raise KeyboardInterrupt
        return self._x[index]


@pytest.mark.parametrize(("first", "then"), [(0, 10**9), (10**9, 0), (0, 0)])
def test_a_captured_training_resumes_a_plain_one_and_the_other_way(
    monkeypatch, tmp_path, first, then
):
    """Weights, and all that the next checkpoint holds, to the bit."""
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)

    def train(name, least, x=X["a"]):
        def loss(batch, epoch):
            return {"loss": module(batch["a"]).square().sum(1)}

        def phase(epoch):
            return None

        torch.manual_seed(2)
        module = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        monkeypatch.setattr(loop, "LEAST_STEPS", least)
        path = tmp_path / name
        run = {"title": name, "held_out": X, "checkpoint": path, "phase": phase, "quiet": True}
        fit(module, loss, {"a": x}, Schedule(5, 32, weight_decay=0.1), **run)
        return load_file(path)

    expected = train("whole", 10**9)
    with pytest.raises(KeyboardInterrupt):
        train("halted", first, Interrupted(X["a"]))
    found = train("halted", then)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_captured(monkeypatch, name):
    recipe = ContenderRecipe(M2VAEConfig({"a": 2, "b": 2}, 3, (8,), 8), 0.01, Schedule(3, 16))

    def train():
        return train_contender(name, recipe, X, 0, quiet=True)

    expected, _ = trained(monkeypatch, 10**9, train)
    found, epochs = trained(monkeypatch, 0, train)
    assert epochs == [1]
    assert all(torch.equal(p, q) for p, q in zip(found, expected, strict=True))


def test_what_changes_from_step_to_step_is_not_captured(monkeypatch):
    drawn = []

    def fresh(count):
        drawn.append(count)
        return {m: torch.randn(count, 2) for m in "ab"}

    recipe = ContenderRecipe(M2VAEConfig({"a": 2, "b": 2}, 3, (8,), 8), 0.01, Schedule(3, 16))
    _, epochs = trained(
        monkeypatch, 0, lambda: train_contender("M2VAE", recipe, X, 0, fresh, quiet=True)
    )
    assert not epochs
    assert drawn == [16, 16, 16, 16, 11] * 3
    four = dict.fromkeys("abcd", X["a"])  # of more than three, each step looks at other subsets
    recipe = M2VAERecipe(3, (8,), 8, schedule=Schedule(3, 16))
    assert not trained(monkeypatch, 0, lambda: train_m2vae(recipe, four, 0, quiet=True))[1]


def test_a_loss_that_says_nothing_of_phases_is_called_in_every_step(monkeypatch):
    module, calls = nn.Linear(2, 1), []

    def loss(batch, epoch):
        calls.append(epoch)
        return {"loss": module(batch["a"]).square().sum(1)}

    monkeypatch.setattr(loop, "LEAST_STEPS", 0)
    fit(module, loss, X, Schedule(3, 25), title="line", quiet=True)
    assert calls == [0] * 3 + [1] * 3 + [2] * 3
