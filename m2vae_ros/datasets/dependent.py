# SPDX-License-Identifier: Apache-2.0
"""Two worlds whose sensors depend on each other, where a class needs more than one sensor apiece.

*Wet objects*: an object's class is its material, colour and shape; besides, it is dry or wet. Wet,
a mat one reflects like a dry shiny one, and a shiny one, whose water mirrors the ray away, like a
dry mat one. The camera sees that something is wet but not its material, and the reflectance alone
may mean either: only both together tell.

*The catalogue*: any two of colour, shape and material imply the third (a Latin square), so what two
sensors tell settles what the third would read.

A reading is a random point in ten dimensions for everything that its sensor can tell apart, plus
Gaussian noise: no attribute is a coordinate, and nothing about a sensor is linear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from m2vae_ros.datasets.labelled import Labelled

DIMENSIONS = 10
"""Of every reading."""

DISTANCE = 5.5
"""Between the two nearest points of a sensor, in standard deviations of the noise (which is 1)."""


@dataclass(frozen=True)
class World:
    """Kinds of objects, equally frequent, and what each sensor sees of them.

    Attributes:
        attributes: name -> the value of each of the K kinds, counted from 0, (K,).
        sees: modality -> the attributes that decide what it reads.
        classes: the attributes that make the class.
    """

    attributes: Mapping[str, np.ndarray]
    sees: Mapping[str, tuple[str, ...]]
    classes: tuple[str, ...]

    def numbered(self, names: Sequence[str]) -> np.ndarray:
        """The combinations of some attributes, numbered from 0: that of each kind, (K,)."""
        values = np.stack([self.attributes[name] for name in names], axis=1)
        numbers: np.ndarray = np.unique(values, axis=0, return_inverse=True)[1].reshape(-1)
        return numbers

    def draw(self, counts: Sequence[int], seed: int) -> list[Labelled]:
        """Sets of so many objects each, of sensors drawn for all of them.

        Equal seeds give equal sensors and objects; with other sensors, other seeds share none. The
        label is the kind.
        """
        rng = np.random.default_rng(seed)
        points = {m: _points(self.numbered(names), rng) for m, names in self.sees.items()}
        sets = []
        for count in counts:
            labels = rng.integers(len(self.numbered(self.classes)), size=count)
            x = {m: rng.normal(of_kind[labels]).astype(np.float32) for m, of_kind in points.items()}
            sets.append(Labelled(x, labels))
        return sets


def wet_objects() -> World:
    """Two materials, three colours and three shapes, dry or wet: 18 classes of 36 kinds."""
    material, wet, colour, shape = (grid.ravel() for grid in np.indices((2, 2, 3, 3)))
    gloss = material ^ wet
    return World(
        {"material": material, "wet": wet, "colour": colour, "shape": shape, "gloss": gloss},
        {"camera": ("colour", "wet"), "lidar": ("shape",), "reflectance": ("gloss",)},
        ("material", "colour", "shape"),
    )


def catalogue(size: int = 3) -> World:
    """``size`` colours, shapes and materials: of each colour and shape there is one material."""
    colour, shape = (grid.ravel() for grid in np.indices((size, size)))
    return World(
        {"colour": colour, "shape": shape, "material": (colour + shape) % size},
        {"camera": ("colour",), "lidar": ("shape",), "reflectance": ("material",)},
        ("colour", "shape", "material"),
    )


def _points(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random point for each number, the nearest two `DISTANCE` apart: that of each kind."""
    points = rng.normal(size=(numbers.max() + 1, DIMENSIONS))
    between = np.linalg.norm(points[:, None] - points[None], axis=-1)
    nearest = between[~np.eye(len(points), dtype=bool)].min()
    scaled: np.ndarray = (DISTANCE / nearest * points)[numbers]
    return scaled
