# SPDX-License-Identifier: Apache-2.0
"""The models that stand side by side in the tables: the paper's, and those of PyPI's multivae."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from m2vae_ros.experiments import multivae_library
from m2vae_ros.experiments.lab import over_seeds
from m2vae_ros.experiments.section import Footnotes
from m2vae_ros.training.loop import Schedule, fit
from m2vae_ros.vae.baselines import MODELS, M2VAEModel, Maker, MultiModalModel
from m2vae_ros.vae.m2vae import M2VAEConfig, subsets

MODALITIES = ("a", "b")
COLUMNS = {"".join(s): s for s in sorted(subsets(MODALITIES), key=len, reverse=True)}
"""Of the tables, the whole first: "ab" -> ("a", "b"), "a" -> ("a",), "b" -> ("b",)."""


EXTENSIONS: Mapping[str, Maker] = {
    "M2VAE, cross terms": partial(M2VAEModel, cross=0.25),
}
"""What this package adds to the paper's, name in the tables -> maker; rows of their own."""


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
    name: str,
    recipe: ContenderRecipe,
    x: Mapping[str, Tensor],
    seed: int,
    fresh: Callable[[int], Mapping[str, Tensor]] | None = None,
    **run: Any,
) -> MultiModalModel:
    """Train one model by its own bound.

    Args:
        name: of the model, see `contenders` and `EXTENSIONS`.
        recipe: how.
        x: modality -> (N, D_m).
        seed: of the initial weights and of the training.
        fresh: draws so many samples anew for each step, in place of those of ``x``.
        run: checkpoint, key and the like, see `fit`.
    """
    torch.manual_seed(seed)
    model = {**contenders(), **EXTENSIONS}[name](recipe.config)

    def loss(batch: Mapping[str, Tensor], epoch: int) -> dict[str, Tensor]:
        if fresh:
            one = next(iter(batch.values()))
            batch = {m: drawn.to(one.device) for m, drawn in fresh(len(one)).items()}
        return {"loss": -model.bound(batch, recipe.beta_norm)}

    schedule = replace(recipe.schedule, seed=seed)
    # what is drawn afresh, or what the library does, may differ from step to step
    phase = None if fresh or name not in {**MODELS, **EXTENSIONS} else lambda epoch: None
    fit(model, loss, x, schedule, title=name, phase=phase, **run)
    return model


def embeddings(model: MultiModalModel, x: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Column -> the embeddings (N, D_z), of the subsets the model can embed by construction."""
    seen = tensors(x)
    with torch.no_grad():
        return {
            column: model.embed({m: seen[m] for m in subset}).numpy()
            for column, subset in COLUMNS.items()
            if subset not in model.cannot
        }


def tensors(x: Mapping[str, Any]) -> dict[str, Tensor]:
    """Arrays as tensors."""
    return {m: torch.from_numpy(values) for m, values in x.items()}


def row(measured: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Column -> the summary over the seeds, None where the model has no such number."""
    summaries = over_seeds(measured)
    return {column: summaries.get(column) for column in COLUMNS}


def cells(
    name: str,
    of_model: Mapping[str, Any],
    config: M2VAEConfig,
    footnotes: Footnotes,
    spec: str,
    paper: Mapping[str, Mapping[str, str]] | None = None,
) -> list[str]:
    """A row as text: mean ± standard deviation, or a dash with a footnote that says why.

    Args:
        name: of the model.
        of_model: its `row`.
        config: the network.
        footnotes: of the table.
        spec: the format of a number.
        paper: model -> column -> the paper's value, in brackets.
    """
    shown = []
    for column, subset in COLUMNS.items():
        if cell := of_model[column]:
            printed = (paper or {}).get(name, {}).get(column)
            shown.append(
                f"{cell['mean']:{spec}} ± {cell['std']:{spec}}"
                + (f" ({printed})" if printed else "")
            )
        else:
            shown.append("–" + footnotes.mark(contenders()[name](config).cannot[subset]))
    return shown
