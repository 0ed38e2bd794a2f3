# SPDX-License-Identifier: Apache-2.0
"""An evaluation at a glance: accuracies, calibration, and readings beside what was made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.experiments.evaluation import TELLERS, told_codes
from m2vae_ros.experiments.figures import PALETTE, panels, save
from m2vae_ros.sensors import View
from m2vae_ros.training.suite import Observations, codes
from m2vae_ros.vae.weights import Weights

SHOWN = 3
"""Samples whose readings are shown where nobody says the class."""

MOST_SHOWN = 8
"""Classes of which a sample is shown."""


def draw(numbers: Mapping[str, Any], weights: Weights, samples: Samples, path: Path) -> None:
    """Draw an evaluation as PNG.

    The upper row has the numbers; below it, for each modality, readings of a few samples: as they
    are, as its own β-VAE shows them, as the embedding of everything does, and as the embedding of
    all others, which have not sensed it, imagine them. The scale is that of the readings, in the
    sensor's unit.

    Args:
        numbers: of `evaluation.evaluate`.
        weights: that were evaluated.
        samples: from which a few are shown.
        path: of the picture.
    """
    rows = 1 + len(weights.suite)
    some = samples[_one_of_each(samples)]
    figure, axes = panels(rows, 1 + len(some), (2.2, 2.0))
    _numbers(figure, axes[0], numbers)
    for number, (modality, shown) in enumerate(_readings(weights, some).items()):
        row = axes[1 + number]
        row[0].set_axis_off()
        view = weights.suite[modality].view
        unit = f"\nin {view.unit.symbol}" if view.unit.symbol and len(view.shape) < 3 else ""
        text = f"{modality}{unit}\n\nfrom top to bottom:\n" + "\n".join(shown)
        row[0].text(0.0, 0.5, text, va="center", fontsize=8).set_in_layout(False)
        for index, panel in enumerate(row[1:]):
            _show(panel, {title: values[index] for title, values in shown.items()}, view)
            if some.labelled and number == 0:
                panel.set_title(weights.suite.classes[some.labels[index]], fontsize=8)
    save(figure, path)


def _numbers(figure: Figure, row: np.ndarray, numbers: Mapping[str, Any]) -> None:
    """Accuracies of each subset, or bounds where there are no classes."""
    grid = row[0].get_gridspec()
    for panel in row:
        panel.remove()
    wide = figure.add_subplot(grid[0, :])
    if not numbers["subsets"]:
        bounds = numbers["lower_bound"]
        wide.bar(list(bounds), list(bounds.values()), color=PALETTE[0])
        wide.set_ylabel("lower bound, nats")
        wide.set_title(f"{numbers['suite']}: how well all modalities follow from some (Eq. 20)")
        wide.tick_params(axis="x", labelsize=6)
        return
    names = list(numbers["subsets"])
    place = np.arange(len(names))
    for shift, (key, title) in enumerate(
        (("raw", "raw codes"), ("embedding", "embedding"), ("product", "product of singles"))
    ):
        found = [numbers["subsets"][name][key] for name in names]
        heights = [one["accuracy"] if one else 0.0 for one in found]
        wide.bar(place + 0.25 * (shift - 1), heights, 0.24, color=PALETTE[shift], label=title)
    in_place = [one["accuracy"] for one in numbers["in_place"].values()]
    wide.hlines(
        [min(in_place), max(in_place)],
        place[-1] - 0.4,
        place[-1] + 0.4,
        color=PALETTE[4],
        label="in place, worst and best order",
    )
    errors = [numbers["subsets"][name]["calibration_error"] for name in names]
    wide.set_xticks(
        place, [f"{n}\nECE {e:.3f}" for n, e in zip(names, errors, strict=True)], fontsize=6
    )
    wide.set_ylim(0.0, 1.3)
    wide.set_ylabel("accuracy")
    wide.set_title(f"{numbers['suite']}: {numbers['n']} samples, weights {numbers['fingerprint']}")
    wide.legend(fontsize=6, loc="upper left", ncols=4)


@torch.no_grad()
def _readings(weights: Weights, some: Samples) -> dict[str, dict[str, np.ndarray]]:
    """Modality -> what is shown -> (samples, *shape of the view), curves in the sensor's unit."""
    shown: dict[str, dict[str, np.ndarray]] = {}
    for modality, told in told_codes(weights, codes(weights.beta_vaes, some)).items():
        vae, view = weights.beta_vaes[modality], weights.suite[modality].view
        values = {"the reading": Observations.of(some, modality, vae)[:]}
        values |= {TELLERS[teller]: vae.decode_code(code) for teller, code in told.items()}
        curves = len(view.shape) < 3
        offset, scale = (view.unit.offset, view.unit.scale) if curves else (0.0, 1.0)
        shown[modality] = {
            title: offset + scale * one.numpy().reshape(-1, *view.shape)
            for title, one in values.items()
        }
    return shown


def _show(panel: Axes, values: Mapping[str, np.ndarray], view: View) -> None:
    first = next(iter(values.values()))
    if first.ndim == 3:
        stacked = np.concatenate([np.clip(one, 0.0, 1.0) for one in values.values()], axis=1)
        picture = stacked.transpose(1, 2, 0)
        panel.imshow(
            picture[..., 0] if picture.shape[2] == 1 else picture, cmap="gray", aspect="auto"
        )
        panel.set_axis_off()
        return
    name, at = view.axis
    for place, one in enumerate(values.values()):
        for line in np.atleast_2d(one):
            style = "o-" if line.size < 16 else "-"
            panel.plot(
                at, line - 1.2 * place * _height(first), style, lw=0.8, ms=2, color=PALETTE[place]
            )
    ends = [float(first.min()), float(first.max())]  # the others are drawn below, on its scale
    panel.set_yticks(ends, [f"{end:.3g}" for end in ends])
    panel.set_xlabel(name, fontsize=6)
    panel.tick_params(labelsize=6)


def _height(values: np.ndarray) -> float:
    return float(max(np.ptp(values), 1e-3))


def _one_of_each(samples: Samples) -> np.ndarray:
    """Which samples are shown: one of each class that is there, or a few of any."""
    draw = np.random.default_rng(0)
    if not samples.labelled:
        return np.sort(draw.choice(len(samples), min(SHOWN, len(samples)), replace=False))
    classes = np.unique(samples.labels)[:MOST_SHOWN]
    return np.array([draw.choice(np.flatnonzero(samples.labels == each)) for each in classes])
