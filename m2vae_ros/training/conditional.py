# SPDX-License-Identifier: Apache-2.0
"""Train the conditional VAEs that MNIST-E is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from m2vae_ros.training.loop import Schedule, fit
from m2vae_ros.vae.conditional import ConditionalVAE, ConditionalVAEConfig
from m2vae_ros.vae.objectives import elbo


@dataclass(frozen=True)
class ConditionalVAERecipe:
    """How a conditional VAE is built and trained.

    With a small ``beta`` the posteriors of a class leave parts of the prior empty, and a point
    drawn there decodes to a blot; with 4 (the authors' value, too) it decodes to an image.

    Attributes:
        config: its architecture.
        beta: weight of the divergence to the prior.
        schedule: how long and how fast.
    """

    config: ConditionalVAEConfig = ConditionalVAEConfig()
    beta: float = 4.0
    schedule: Schedule = Schedule(epochs=25, learning_rate=3e-3)


def train_conditional_vae(
    recipe: ConditionalVAERecipe, x: Tensor, labels: Tensor, seed: int, *, title: str, **run: Any
) -> ConditionalVAE:
    """Train by the evidence lower bound (Eq. 1, with β) given the class.

    Args:
        recipe: how.
        x: (N, D_m), in [0, 1].
        labels: int64 (N,).
        seed: of the initial weights.
        title: see `fit`.
        run: checkpoint and key, see `fit`.
    """
    torch.manual_seed(seed)
    vae = ConditionalVAE(recipe.config)

    def loss(batch: Mapping[str, Tensor], epoch: int) -> dict[str, Tensor]:
        posterior = vae.encode(batch["x"], batch["labels"])
        likelihood = vae.log_likelihood(batch["x"], posterior.sample(), batch["labels"])
        return {
            "loss": -elbo(likelihood, posterior, recipe.beta),
            "kl": posterior.kl_to_prior(),
        }

    fit(vae, loss, {"x": x, "labels": labels}, recipe.schedule, title=title, **run)
    return vae
