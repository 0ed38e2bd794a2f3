# SPDX-License-Identifier: Apache-2.0
"""What an embedding imagines: readings decoded from samples of it, and how far they differ.

A modality that was sensed is decoded to what was read, with little spread. Of one that was not, the
samples say what it might have seen: where they differ, nothing is known.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.experiments.figures import PALETTE, panels, save
from m2vae_ros.training.suite import Observations, codes
from m2vae_ros.vae.weights import Weights


class Imagined(NamedTuple):
    """Readings of one modality, each array (things, *shape of the view).

    Attributes:
        reading: what was read.
        mean: of what samples of the embedding decode to.
        spread: their standard deviation.
    """

    reading: np.ndarray
    mean: np.ndarray
    spread: np.ndarray


@torch.no_grad()
def imagine(
    weights: Weights, things: Samples, held: Collection[str], samples: int, seed: int = 0
) -> dict[str, Imagined]:
    """Decode every modality from embeddings that hold some.

    Args:
        weights: of the things' suite.
        things: that were sensed by all modalities.
        held: the modalities that are encoded.
        samples: of each embedding.
        seed: of the samples.

    Raises:
        ValueError: there is no such modality, or none is named.
    """
    unknown = [m for m in held if m not in weights.suite]
    if unknown or not held:
        named = ", ".join(unknown) or "missing"
        raise ValueError(f"modality {named}: one at least of {', '.join(weights.suite)}")
    inputs = codes(weights.beta_vaes, things)
    posterior = weights.m2vae.encode({m: inputs[m] for m in weights.suite if m in held})
    torch.manual_seed(seed)
    drawn = [posterior.sample() for _ in range(samples)]
    found = {}
    for modality, vae in weights.beta_vaes.items():
        shape = (-1, *weights.suite[modality].view.shape)
        decoded = torch.stack([vae.decode_code(weights.m2vae.decode(modality, z)) for z in drawn])
        found[modality] = Imagined(
            Observations.of(things, modality, vae)[:].numpy().reshape(shape),
            decoded.mean(0).numpy().reshape(shape),
            decoded.std(0, correction=0).numpy().reshape(shape),
        )
    return found


def draw(
    found: dict[str, Imagined], held: Collection[str], titles: Collection[str], path: Path
) -> None:
    """Draw it as PNG: a row for each thing, a column for each modality.

    Args:
        found: of `imagine`.
        held: the modalities that were encoded.
        titles: of the things.
        path: of the picture.
    """
    figure, axes = panels(len(titles), len(found), (3.2, 2.0))
    for column, (modality, imagined) in enumerate(found.items()):
        for row, title in enumerate(titles):
            panel = axes[row, column]
            _panel(panel, *(values[row] for values in imagined))
            if column == 0:
                panel.set_ylabel(title, fontsize=8)
            if row == 0:
                what = "sensed" if modality in held else "imagined"
                panel.set_title(f"{modality}, {what}", fontsize=9)
    pictures = "pictures, from top to bottom: read, mean, spread"
    curves = "curves: read (grey), mean and twice its spread (blue)"
    figure.suptitle(f"From {' + '.join(held)} alone. {pictures}; {curves}", fontsize=8)
    save(figure, path)


def _panel(panel: Axes, reading: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> None:
    if reading.ndim == 3:
        gap = np.ones((reading.shape[0], 1, reading.shape[2]))
        stacked = np.concatenate([reading, gap, mean, gap, 2.0 * spread], axis=1)
        picture = np.clip(stacked, 0.0, 1.0).transpose(1, 2, 0)
        panel.imshow(picture.squeeze(), cmap="gray", aspect="auto")
        panel.set_xticks([])
        panel.set_yticks([])
        return
    rows = zip(np.atleast_2d(reading), np.atleast_2d(mean), np.atleast_2d(spread), strict=True)
    for line, middle, sigma in rows:
        at = np.arange(line.size)
        style = "o-" if line.size < 16 else "-"
        panel.plot(at, line, style, lw=0.8, ms=2, color=PALETTE[3])
        panel.plot(at, middle, style, lw=1.0, ms=2, color=PALETTE[0])
        panel.fill_between(
            at, middle - 2 * sigma, middle + 2 * sigma, color=PALETTE[0], alpha=0.25, lw=0
        )
    panel.tick_params(labelsize=6)
