# SPDX-License-Identifier: Apache-2.0
"""The ways in which a trained model makes embeddings of what was sensed: a table's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from m2vae_ros.experiments.contenders import ContenderRecipe, train_contender
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.experiments.mission import LastingRobot
from m2vae_ros.training.m2vae import M2VAERecipe, train_m2vae
from m2vae_ros.vae.baselines import product_of_experts
from m2vae_ros.vae.in_place import sensed_in_turn
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig, Subset

OURS = {"M2VAE": 0.0, "M2VAE, cross .25": 0.25, "M2VAE, cross 1": 1.0}
"""An M2VAE by Eq. 17, and with cross terms -> their weight w."""

OTHERS = ("MVAE", "MoPoE (multivae)", "JMVAE")
"""What the M2VAE is compared with."""

AT_ONCE, EQ_18 = "at once", "in place (Eq. 18)"
ROBOTS, PRODUCT = "in place as robots do", "product of single posteriors"
"""The ways of an M2VAE; its rows are "NAME, WAY"."""

Observed = Mapping[str, Tensor]
"""Modality -> readings (N, D_m)."""

Embed = Callable[[Observed, Subset], Tensor]
"""(readings, the modalities that are sensed, in their order) -> embeddings (N, D_z)."""

Decode = Callable[[str, Tensor], Tensor]
"""(modality, embeddings) -> readings, (N, D_z) -> (N, D_m)."""


@dataclass(frozen=True)
class Way:
    """One row of a table.

    Attributes:
        embed: makes embeddings.
        learnt: makes those that its reader of classes learns from.
        ordered: whether it matters in which order modalities are sensed.
    """

    embed: Embed
    learnt: Embed
    ordered: bool = False


def trained_ways(
    lab: Lab,
    names: tuple[str, ...],
    name: str,
    recipe: M2VAERecipe,
    cross: float | None,
    x: Observed,
    seed: int,
    data: str,
) -> tuple[Decode, dict[str, Way]]:
    """Train one model, or load it.

    Args:
        lab: where the training is kept.
        names: of the experiment, and what else tells trainings of this name apart.
        name: of the model.
        recipe: of an M2VAE; the others have the same networks, β_norm and schedule.
        cross: weight of an M2VAE's cross terms; None for one of the `contenders`.
        x: what it learns from.
        seed: of the training.
        data: names the training set.

    Returns:
        What decodes its embeddings, and row -> way.
    """
    recipe = replace(recipe, schedule=replace(recipe.schedule, seed=seed))
    if cross is None:
        dims = {m: values.shape[1] for m, values in x.items()}
        config = M2VAEConfig(dims, recipe.latent_dim, recipe.hidden, recipe.joint)
        theirs = ContenderRecipe(config, recipe.beta_norm, recipe.schedule)
        run = lab.training(*names, name, seed, recipe=theirs, data=data)
        other = train_contender(name, theirs, x, seed, **run)
        embed = partial(at_once, other)
        return other.decode, {name: Way(embed, embed)}
    recipe = replace(recipe, cross=cross)
    run = lab.training(*names, name, seed, recipe=recipe, data=data)
    model = train_m2vae(recipe, x, seed, **run)
    whole, multiplied = partial(at_once, model), partial(product, model)
    return model.decode, {
        f"{name}, {AT_ONCE}": Way(whole, whole),
        f"{name}, {EQ_18}": Way(partial(in_place, model), whole, ordered=True),
        f"{name}, {ROBOTS}": Way(partial(lasting, model), whole, ordered=True),
        f"{name}, {PRODUCT}": Way(multiplied, multiplied),
    }


@torch.no_grad()
def at_once(model: Any, x: Observed, sensed: Subset) -> Tensor:
    """All that is sensed encoded together."""
    mean: Tensor = model.encode({m: x[m] for m in sensed}).mean
    return mean


@torch.no_grad()
def in_place(model: M2VAE, x: Observed, order: Subset) -> Tensor:
    """One modality after the other by Eq. 18."""
    mean: Tensor = sensed_in_turn(model, x, order)[-1]
    return mean


@torch.no_grad()
def lasting(model: M2VAE, x: Observed, order: Subset) -> Tensor:
    """One after the other, as robots do each of which has one sensor and hears the others."""
    team = [LastingRobot(model, min_gain=0.0) for _ in order]
    for stamp, (robot, m) in enumerate(zip(team, order, strict=True), start=1):
        robot.look({m: x[m]}, stamp)
        for later in team[stamp:]:
            later.hear(robot.tell())
    return team[-1].tell().posterior.mean


@torch.no_grad()
def product(model: M2VAE, x: Observed, sensed: Subset) -> Tensor:
    """The product of the single posteriors, without a fusion encoder."""
    return product_of_experts([model.encode({m: x[m]}) for m in sensed]).mean
