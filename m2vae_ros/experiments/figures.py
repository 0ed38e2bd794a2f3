# SPDX-License-Identifier: Apache-2.0
"""How the figures look, and how they come to disk. No pyplot: nothing is global, nothing opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from m2vae_ros.host.files import replacing

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

DPI = 150

PALETTE = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
"""Ten classes, in the colours of Petroff (2021, arXiv:2107.02270): colour-blind people tell them
apart better than matplotlib's own, but ten are many; so classes are also named where they lie."""

_STYLE: dict[RcKeyType, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.linewidth": 0.6,
}


def panels(
    rows: int, columns: int, size: tuple[float, float], **subplots: Any
) -> tuple[Figure, np.ndarray]:
    """An empty figure.

    Args:
        rows, columns: of panels.
        size: of one panel, width and height in inches.
        subplots: further options of `matplotlib.figure.Figure.subplots`, e.g. ``sharex``.

    Returns:
        The figure and its axes, an array (rows, columns).
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure((columns * size[0], rows * size[1]), layout="constrained")
        return figure, figure.subplots(rows, columns, squeeze=False, **subplots)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG; whoever reads the path finds the old picture or the new one."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)


def image_grid(grids: Mapping[str, Sequence[np.ndarray]], side: int = 28) -> Figure:
    """Grids of grey images side by side, as in Fig. 3b.

    Args:
        grids: title -> rows, each (N, side²) with values in [0, 1]. All rows of one grid have the
            same N; pairs stand one above the other.
        side: of an image, in pixels.

    Raises:
        ValueError: the rows of a grid cannot be stacked; the message names the grid.
    """
    figure, axes = panels(1, len(grids), (4.2, 4.2))
    for panel, (title, rows) in zip(axes[0], grids.items(), strict=True):
        panel.imshow(_montage(title, rows, side), cmap="gray", vmin=0, vmax=1)
        panel.set_title(title)
        panel.set_axis_off()
    return figure


def _montage(title: str, rows: Sequence[np.ndarray], side: int) -> np.ndarray:
    shapes = {np.shape(row) for row in rows}
    if len(shapes) != 1 or next(iter(shapes))[1:] != (side * side,):
        raise ValueError(f"{title}: rows of {sorted(shapes)}, needed is (N, {side * side}) for all")
    images = np.reshape(rows, (len(rows), -1, side, side))
    framed = np.pad(images, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=1.0)  # a white seam
    montage: np.ndarray = framed.transpose(0, 2, 1, 3).reshape(len(rows) * (side + 2), -1)
    return montage
