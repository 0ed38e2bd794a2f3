# SPDX-License-Identifier: Apache-2.0
"""The training loop: it learns, resumes exactly, and says what went wrong."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from m2vae_ros.training import loop
from m2vae_ros.training.checkpoint import CheckpointError
from m2vae_ros.training.loop import Schedule, TrainingError, fit
from m2vae_ros.training.suite import SuiteRecipe
from m2vae_ros.world.suite import AMIRO


def _problem():
    torch.manual_seed(0)
    x = torch.randn(64, 3)
    return nn.Linear(3, 1), {"x": x, "y": x.sum(1, keepdim=True)}


def _loss(module):
    def loss(batch, epoch):
        noisy = batch["x"] + 0.01 * torch.randn_like(batch["x"])
        return {"loss": (module(noisy) - batch["y"]).square().sum(1)}

    return loss


def test_the_loop_minimises_the_loss_and_reports_every_epoch():
    module, data = _problem()
    history = fit(module, _loss(module), data, Schedule(30, 16, 0.05), title="linear")
    assert len(history) == 30
    assert history[-1]["loss"] < 0.1 * history[0]["loss"]
    assert not module.training


def test_a_run_that_was_interrupted_ends_with_the_very_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    schedule = Schedule(12, 16, 0.05, seed=3)
    whole, data = _problem()
    expected = fit(whole, _loss(whole), data, schedule, title="whole")

    halted, _ = _problem()
    steps = 0

    def interrupted(batch, epoch):
        nonlocal steps
        steps += 1
        if steps == 4 * 7 + 2:  # in the middle of the eighth epoch
            raise KeyboardInterrupt
        return _loss(halted)(batch, epoch)

    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit(halted, interrupted, data, schedule, title="halted", checkpoint=path)
    resumed, _ = _problem()
    history = fit(resumed, _loss(resumed), data, schedule, title="resumed", checkpoint=path)
    assert history == expected
    assert torch.equal(resumed.weight, whole.weight)


def test_a_finished_run_is_not_trained_again(tmp_path):
    path = tmp_path / "run.safetensors"
    module, data = _problem()
    fit(module, _loss(module), data, Schedule(3), title="once", checkpoint=path)
    again, _ = _problem()

    def never(batch, epoch):
        raise AssertionError("trained again")

    fit(again, never, data, Schedule(3), title="twice", checkpoint=path)
    assert torch.equal(again.weight, module.weight)


@pytest.mark.parametrize(
    ("schedule", "key"), [(Schedule(4), "a"), (Schedule(3, seed=1), "a"), (Schedule(3), "b")]
)
def test_a_checkpoint_of_another_run_is_refused_by_name(tmp_path, schedule, key):
    path = tmp_path / "run.safetensors"
    module, data = _problem()
    fit(module, _loss(module), data, Schedule(3), title="one", checkpoint=path, key="a")
    with pytest.raises(CheckpointError, match=r"run\.safetensors.*another recipe"):
        fit(module, _loss(module), data, schedule, title="two", checkpoint=path, key=key)


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path):
    path = tmp_path / "run.safetensors"
    module, data = _problem()
    fit(module, _loss(module), data, Schedule(3), title="one", checkpoint=path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(CheckpointError, match=r"run\.safetensors: not a whole checkpoint"):
        fit(module, _loss(module), data, Schedule(3), title="two", checkpoint=path)


def test_a_loss_that_is_not_a_number_stops_the_training_and_names_the_epoch():
    module, data = _problem()

    def broken(batch, epoch):
        loss = _loss(module)(batch, epoch)["loss"]
        return {"loss": loss * (float("nan") if epoch == 1 else 1)}

    with pytest.raises(TrainingError, match="broken: the loss is nan in epoch 2"):
        fit(module, broken, data, Schedule(3), title="broken")


@pytest.mark.parametrize(
    ("samples", "times"), [(40_000, 1), (20_000, 1), (10_000, 2), (5_000, 4), (100, 4), (0, 4)]
)
def test_fewer_samples_are_seen_more_often_but_not_without_end(samples, times):
    recipe = SuiteRecipe.of(AMIRO)
    suited = recipe.suited_to(samples)
    assert suited.m2vae.schedule.epochs == times * recipe.m2vae.schedule.epochs
    for modality, beta_vae in recipe.beta_vaes.items():
        assert suited.beta_vaes[modality].schedule.epochs == times * beta_vae.schedule.epochs
    assert replace(suited, beta_vaes={}, m2vae=recipe.m2vae) == replace(recipe, beta_vaes={})
