# SPDX-License-Identifier: Apache-2.0
"""The models that stand side by side in the tables: the paper's, and those of PyPI's multivae."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from m2vae_ros.experiments import multivae_library
from m2vae_ros.training.loop import Schedule, fit
from m2vae_ros.vae.baselines import MODELS, Maker, MultiModalModel
from m2vae_ros.vae.m2vae import M2VAEConfig, Subset, subsets


@dataclass(frozen=True)
class ContenderRecipe:
    """How each model of a table is built and trained: all alike, but for the objective.

    Attributes:
        config: the network.
        beta_norm: β_norm, of every divergence.
        schedule: how long and how fast.
    """

    config: M2VAEConfig
    beta_norm: float
    schedule: Schedule


def contenders() -> Mapping[str, Maker]:
    """Name in the tables -> class; the library's only where it can be imported."""
    library = {} if multivae_library.installed() else multivae_library.models()
    return {**MODELS, **library}


def train_contender(
    name: str, recipe: ContenderRecipe, x: Mapping[str, Tensor], seed: int, **run: Any
) -> MultiModalModel:
    """Train one model by its own bound.

    Args:
        name: of the model, see `contenders`.
        recipe: how.
        x: modality -> (N, D_m).
        seed: of the initial weights and of the training.
        run: checkpoint, key and the like, see `fit`.
    """
    torch.manual_seed(seed)
    model = contenders()[name](recipe.config)

    def loss(batch: Mapping[str, Tensor], epoch: int) -> dict[str, Tensor]:
        return {"loss": -model.bound(batch, recipe.beta_norm)}

    schedule = Schedule(
        recipe.schedule.epochs, recipe.schedule.batch_size, recipe.schedule.learning_rate, seed
    )
    fit(model, loss, x, schedule, title=name, **run)
    return model


def columns(modalities: Subset) -> dict[str, Subset]:
    """The tables' columns, the whole first: "ab" -> ("a", "b"), "a" -> ("a",), "b" -> ("b",)."""
    return {"".join(s): s for s in sorted(subsets(modalities), key=len, reverse=True)}


def embeddings(model: MultiModalModel, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Column -> the embeddings (N, D_z), of the subsets the model can embed by construction."""
    with torch.no_grad():
        return {
            column: model.embed({m: x[m] for m in subset})
            for column, subset in columns(model.modalities).items()
            if subset not in model.cannot
        }


def tensors(x: Mapping[str, Any]) -> dict[str, Tensor]:
    """Arrays as tensors."""
    return {m: torch.from_numpy(values) for m, values in x.items()}


def refusals(name: str, config: M2VAEConfig) -> Mapping[Subset, str]:
    """Each subset a model cannot embed by construction, and why not."""
    return contenders()[name](config).cannot
