# SPDX-License-Identifier: Apache-2.0
"""Train multi-modal models: the M2VAE with its re-encoding loss, and what it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from m2vae_ros.training.loop import Schedule, fit
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig, Subset
from m2vae_ros.vae.objectives import cross_bound, reencoding_loss
from m2vae_ros.vae.terms import EXACT, Terms, all_terms, drawn_terms

Reencoding = Callable[[M2VAE, Mapping[str, Tensor], Mapping[Subset, Gaussian], Terms], Tensor]
"""(model, batch, posteriors, terms) -> the re-encoding loss E_reenc of Eq. 19, (B,).

It does the same in each step of the same terms, see `captured`."""


@dataclass(frozen=True)
class M2VAERecipe:
    """How the fusion is built and trained.

    Attributes:
        latent_dim: D_z.
        hidden: of the trunks (section V-A).
        joint: of the layer behind the trunks of two or more modalities.
        beta_norm: β_norm, the same for all subsets.
        alpha: weight of the re-encoding loss (Eq. 19); 0 trains without it.
        warm_up: first and last epoch, as shares of all, between which alpha grows from 0.
        schedule: how long and how fast.
        likelihoods: see `M2VAEConfig`.
        cross: weight w of the cross terms, see `cross_bound`; 0 is Eq. 17 alone.
    """

    latent_dim: int = 10
    hidden: tuple[int, ...] = (128, 64)
    joint: int = 64
    beta_norm: float = 0.001
    alpha: float = 0.1
    warm_up: tuple[float, float] = (0.25, 0.5)
    schedule: Schedule = Schedule(epochs=40)
    likelihoods: Mapping[str, str] = field(default_factory=dict)
    cross: float = 0.0

    def alpha_at(self, epoch: int) -> float:
        """The weight of the re-encoding loss in an epoch, counted from 0."""
        first, last = (share * self.schedule.epochs for share in self.warm_up)
        if epoch >= last:
            return self.alpha
        return self.alpha * max(0.0, (epoch - first) / (last - first))


def train_m2vae(
    recipe: M2VAERecipe,
    inputs: Mapping[str, Tensor],
    seed: int,
    *,
    title: str = "M2VAE",
    reencoding: Reencoding = reencoding_loss,
    start: M2VAE | None = None,
    held_out: Mapping[str, Tensor] | None = None,
    **run: Any,
) -> M2VAE:
    """Train the fusion by Eq. 17 or `cross_bound`, and by Eq. 19 where the recipe's alpha is not 0.

    Args:
        recipe: how.
        inputs: modality -> (N, D_m), row by row of the same objects.
        seed: of the initial weights.
        title: see `fit`.
        reencoding: the re-encoding loss.
        start: what to start from instead of new weights; it is not changed.
        held_out: as `inputs`, to end the training early, see `fit`.
        run: checkpoint, key and the like, see `fit`.
    """
    torch.manual_seed(seed)
    dims = {modality: x.shape[1] for modality, x in inputs.items()}
    config = M2VAEConfig(dims, recipe.latent_dim, recipe.hidden, recipe.joint, recipe.likelihoods)
    model = M2VAE(config) if start is None else deepcopy(start).requires_grad_(True)

    def loss(batch: Mapping[str, Tensor], epoch: int) -> dict[str, Tensor]:
        everything = tuple(batch)  # what is held out is judged by all there is
        terms = drawn_terms(everything) if model.training else all_terms(everything)
        posteriors = model.posteriors(batch, terms.bounds)
        bound = cross_bound(model, batch, posteriors, recipe.beta_norm, recipe.cross, terms)
        losses = {"loss": -bound}
        if alpha := recipe.alpha_at(epoch):
            losses["reencoding"] = reencoding(model, batch, posteriors, terms)
            losses["loss"] = losses["loss"] + alpha * losses["reencoding"]
        return losses

    # of more modalities each step has other terms
    phase = recipe.alpha_at if len(dims) <= EXACT else None
    fit(model, loss, inputs, recipe.schedule, title=title, held_out=held_out, phase=phase, **run)
    return model
