# SPDX-License-Identifier: Apache-2.0
"""The re-encoding experiment: what drifts is measured, and what keeps it from drifting."""

import json

import pytest
import torch

from m2vae_ros.experiments import fig5, reencoding
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.objectives import point_reencoding_loss


class Rotating:
    """A model whose encoding of a decoded point is the point, turned and shrunk by a factor."""

    modalities = ("a",)

    def __init__(self, factor):
        self.factor = factor

    def decode(self, modality, z):
        return z

    def encode(self, x):
        mean = self.factor * x["a"]
        return Gaussian(mean, torch.zeros_like(mean))


def test_a_model_that_gives_back_what_it_decoded_never_drifts():
    z = torch.randn(7, 2)
    for reencoded in reencoding.reencode(Rotating(1.0), z).values():
        assert torch.equal(reencoded, z)


def test_every_step_is_one_decoding_and_one_encoding():
    z = torch.ones(1, 2)
    found = reencoding.reencode(Rotating(0.9), z)
    assert list(found) == list(reencoding.STEPS)
    for steps, reencoded in found.items():
        assert reencoded[0, 0].item() == pytest.approx(0.9**steps, rel=1e-3, abs=1e-12)


def test_the_loss_of_points_is_zero_exactly_where_nothing_moves():
    posterior = Gaussian(torch.randn(5, 2), torch.zeros(5, 2))
    x = {"a": posterior.mean}
    assert point_reencoding_loss(Rotating(1.0), x, {("a",): posterior}).sum() == 0
    assert (point_reencoding_loss(Rotating(0.5), x, {("a",): posterior}) > 0).all()


def test_the_loss_of_points_counts_in_units_of_the_posteriors_variance():
    mean = torch.ones(1, 2)
    x = {"a": mean}
    wide, narrow = (Gaussian(mean, torch.full((1, 2), v)) for v in (0.0, -2.0))
    losses = [
        point_reencoding_loss(Rotating(0.5), x, {("a",): q}, spread=0.0) for q in (wide, narrow)
    ]
    assert losses[0].item() == pytest.approx(2 * 0.5**2)
    assert losses[1].item() == pytest.approx(losses[0].item() * torch.tensor(2.0).exp().item())


def test_the_loss_of_points_moves_what_is_re_encoded_and_not_where_it_should_be():
    mean = torch.ones(1, 2, requires_grad=True)
    model = Rotating(torch.tensor(0.5, requires_grad=True))
    loss = point_reencoding_loss(model, {"a": mean}, {("a",): Gaussian(mean, torch.zeros(1, 2))})
    loss.sum().backward()
    # towards 1: the re-encoding has to give back the point
    assert model.factor.grad < 0


@pytest.fixture
def tiny(monkeypatch):
    recipe = M2VAERecipe(
        latent_dim=2, hidden=(8,), beta_norm=0.01, schedule=Schedule(epochs=2, batch_size=50)
    )
    both = {data: reencoding.Settings(200, 100, recipe, seeds=1) for data in reencoding.DATA}
    monkeypatch.setattr(reencoding, "settings", lambda quick: both)
    # the digits' part needs the digits; here the same code runs on points
    samples = reencoding.samples
    monkeypatch.setattr(reencoding, "samples", lambda data, s, seed: samples("mog", s, seed))
    monkeypatch.setattr(fig5, "draw", lambda lab: None)


def test_the_file_maps_loss_and_steps_to_drift_and_accuracy(tmp_path, tiny):
    lab = Lab(tmp_path, tmp_path / "runs", quick=True, workers=1)
    reencoding.run(lab)
    numbers = json.loads((tmp_path / "reencoding.json").read_text())
    for of_data in (numbers, numbers["mog"]):
        for loss in ("with", "without"):
            assert list(of_data[loss]) == ["0", "1", "10", "100", "400"]
            assert of_data[loss]["0"]["drift"] == 0
            assert 0 <= of_data[loss]["100"]["accuracy"] <= 1


def _cells(drift, accuracy):
    return {
        str(step): {
            "drift": drift if step else 0.0,
            "drift_std": 0.0,
            "drift_seeds": [drift],
            "accuracy": accuracy if step else 0.65,
            "accuracy_std": 0.0,
            "accuracy_seeds": [accuracy],
        }
        for step in reencoding.STEPS
    }


@pytest.mark.parametrize(
    ("drift", "accuracy", "kept", "gained"),
    [(0.1, 0.645, True, True), (0.3, 0.645, True, False), (0.1, 0.63, False, True)],
)
def test_both_claims_are_judged_by_the_numbers(drift, accuracy, kept, gained):
    numbers = {"with": _cells(drift, accuracy), "without": _cells(1.0, 0.2)}
    section = reencoding.section({**numbers, "mog": numbers})
    assert [check.holds for check in section.checks] == [kept, gained] * 2
