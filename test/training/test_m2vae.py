# SPDX-License-Identifier: Apache-2.0
"""The fusion is trained by the bound that its recipe names."""

import pytest
import torch

from m2vae_ros.sensors import SensorSuite
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe, train_m2vae
from m2vae_ros.training.suite import SuiteRecipe
from m2vae_ros.world.suite import AMIRO


@pytest.mark.parametrize("cross", [0.0, 0.5])
def test_a_suite_says_the_weight_of_cross_terms_and_names_it_only_if_there_are_any(cross):
    plain = AMIRO.to_plain()
    suite = SensorSuite.from_plain({**plain, "fusion": {**plain["fusion"], "cross": cross}})
    assert SuiteRecipe.of(suite).m2vae.cross == cross
    assert SensorSuite.from_plain(suite.to_plain()) == suite
    assert ("cross" in suite.to_plain()["fusion"]) == bool(cross)


def test_with_cross_terms_one_modality_tells_another_that_follows_from_it():
    torch.manual_seed(0)
    a = torch.randn(512, 2)
    x = {"a": a, "b": a @ torch.randn(2, 3)}  # b follows from a, but is not reconstructed from it

    def error(cross):
        schedule = Schedule(epochs=12, batch_size=64, learning_rate=1e-2)
        recipe = M2VAERecipe(2, (32,), alpha=0, cross=cross, beta_norm=0.003, schedule=schedule)
        model = train_m2vae(recipe, x, 0, quiet=True)
        with torch.no_grad():
            return (model.decode("b", model.encode({"a": a}).mean) - x["b"]).square().mean().item()

    with_terms, without = error(1.0), error(0.0)
    assert with_terms < 0.05 * x["b"].var()
    assert with_terms < without
