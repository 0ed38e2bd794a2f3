# SPDX-License-Identifier: Apache-2.0
"""Probabilities that mean what they say, whatever an embedding holds.

What scikit-learn's MLP makes of half an embedding is too sure of itself: it is stopped by its
accuracy, which guessing among equals does not change, and no temperature mends it [Guo et al., On
calibration of modern neural networks, 2017], because it takes noise for knowledge. Gradients of the
cross-entropy on what every subset tells, with a rate that ends at zero and weights that shrink,
leave less of the noise; a little more of it in each epoch, as much as half an embedding may be off,
leaves next to none to be taken for anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from m2vae_ros.training.loop import Schedule, fit
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.m2vae import Subset

COMPLETE = 5
"""How often a complete embedding counts for one of another subset: only there it can be right."""

NOISE = 0.05
"""That is added anew in each epoch to the means of incomplete embeddings, in units of their
posteriors' standard deviations: large where they know nothing, small where they know."""

STEPS = 1000
"""At least, also of few samples."""

SCHEDULE = Schedule(epochs=20, batch_size=4096, learning_rate=1e-2, weight_decay=0.02)


def calibrated(
    reader: Classifier,
    means: Mapping[Subset, Tensor],
    labels: Tensor,
    seed: int,
    log_variances: Mapping[Subset, Tensor] | None = None,
) -> Classifier:
    """Fit a classifier of embeddings further, for its probabilities.

    Args:
        reader: takes (B, D_z); it stays as it is.
        means: subset -> the means (N, D_z) of the same things, the last that of all modalities.
        labels: class of each (N,).
        seed: of the order and the noise.
        log_variances: that go with the means; without them there is no noise.
    """
    found = deepcopy(reader).requires_grad_(True)
    *partial, complete = means

    def loss(batch: Mapping[str, Tensor], epoch: int) -> dict[str, Tensor]:
        which, thing = batch["row"] // len(labels), batch["row"] % len(labels)
        x = means[complete][thing]
        noise = torch.zeros_like(x)
        for number, subset in enumerate(partial):  # gathered here, so that nothing is kept twice
            rows = which == number
            x[rows] = means[subset][thing[rows]]
            if log_variances:
                noise[rows] = NOISE * (log_variances[subset][thing[rows]] / 2).exp()
        scores = found.layers(torch.normal(x, noise))
        return {"loss": functional.cross_entropy(scores, labels[thing], reduction="none")}

    rows = torch.arange((len(partial) + COMPLETE) * len(labels))
    epochs = max(SCHEDULE.epochs, STEPS * SCHEDULE.batch_size // len(rows))
    schedule = replace(SCHEDULE, epochs=epochs, seed=seed)
    fit(found, loss, {"row": rows}, schedule, title="calibration")
    return found.requires_grad_(False)
