# SPDX-License-Identifier: Apache-2.0
"""Which models of a world are objects to be recognised, and how objects of each kind vary."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from m2vae_ros.sensors import SensorSuite
from m2vae_ros.world.sdf import Box, Collision, Cylinder, Geometry, Model, Visual, World, WorldError
from m2vae_ros.world.suite import AMIRO


@dataclass(frozen=True)
class WorldObject:
    """An object: its name in the world, the class it belongs to, where it stands (metres)."""

    name: str
    class_name: str
    x: float
    y: float

    @property
    def object_id(self) -> str:
        """Its name, as `sensors.sensing_range` asks for it."""
        return self.name

    @property
    def position(self) -> tuple[float, float, float]:
        """Where it stands, as `sensors.sensing_range` asks for it: metres, on the floor."""
        return (self.x, self.y, 0.0)


def objects_of(world: World, suite: SensorSuite = AMIRO) -> list[WorldObject]:
    """The models that are objects, in the order of the world: those whose name says a class."""
    return [
        WorldObject(model.name, name, *model.pose.position[:2])
        for model in world.models
        if (name := class_of(model, suite)) is not None
    ]


def class_of(model: Model, suite: SensorSuite = AMIRO) -> str | None:
    """The class that a model's name says, or None for what is no object."""
    return suite.class_named(model.name) if model.static else None


@dataclass(frozen=True)
class Range:
    """Numbers between `low` and `high`, float64 arrays of one shape."""

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def around(cls, values: Iterable[ArrayLike]) -> Range:
        """The smallest range that holds all the values."""
        array = np.array(list(values), dtype=float)
        return cls(array.min(axis=0), array.max(axis=0))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """A number, or an array of them, drawn evenly."""
        return rng.uniform(self.low, self.high)


@dataclass(frozen=True)
class DrawnObject:
    """An object to be sensed.

    Attributes:
        attributes: 0 or 1 for each of `AMIRO.attributes`.
        width: edge of a box, diameter of a cylinder, metres.
        yaw: radians.
        colour: red, green, blue in [0, 1].
        laser_retro: intensity it reflects.
        x, y: where it stands, metres.
    """

    attributes: tuple[int, int, int]
    width: float
    yaw: float
    colour: np.ndarray
    laser_retro: float
    x: float
    y: float


@dataclass(frozen=True)
class ObjectVariety:
    """How the objects of a world vary; objects drawn from it could stand in that world.

    Colours vary as those of the world's objects of that colour do, the intensities as those of that
    material, the edges of boxes as those of its boxes, and places are its places. All of it is
    drawn whatever the other attributes are. A cylinder is as wide as a box looks from a random
    side: a box of edge s, turned by ψ, is s·(|cos ψ| + |sin ψ|) wide, so the width that a camera
    sees does not tell the shape.
    """

    colours: tuple[Range, Range]
    retros: tuple[Range, Range]
    edge: Range
    height: float
    places: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, world: World) -> ObjectVariety:
        """What the objects of a world, square pillars and cylinders, tell of their kind.

        Raises:
            WorldError: the world lacks a class, or an object is not as its class says.
        """
        pillars: dict[str, list[tuple[Visual, Collision]]] = {name: [] for name in AMIRO.classes}
        heights: set[float] = set()
        for model in world.models:
            name = class_of(model)
            if name is not None:
                visual, collision = _pillar(world, model)
                shape = _checked_shape(world, model, visual.geometry, name)
                pillars[name].append((visual, collision))
                heights.add(_height(shape))
        for name, found in pillars.items():
            if not found:
                raise WorldError(f"{world.name}: there is no {name}")
        if len(heights) != 1:
            raise WorldError(f"{world.name}: the objects' heights differ")

        def having(attribute: str, value: int) -> list[tuple[Visual, Collision]]:
            word = AMIRO.attributes[attribute][value]
            return [p for name, found in pillars.items() if word in name.split() for p in found]

        def colours(value: int) -> Range:
            return Range.around(visual.colour for visual, _ in having("colour", value))

        def retros(value: int) -> Range:
            return Range.around(hit.laser_retro for _, hit in having("material", value))

        boxes = (visual.geometry for visual, _ in having("shape", 1))
        return cls(
            colours=(colours(0), colours(1)),
            retros=(retros(0), retros(1)),
            edge=Range.around(box.size[0] for box in boxes if isinstance(box, Box)),
            height=heights.pop(),
            places=tuple((item.x, item.y) for item in objects_of(world)),
        )

    def draw(self, attributes: tuple[int, int, int], rng: np.random.Generator) -> DrawnObject:
        """Draw an object with these attributes (0 or 1, in the order of `AMIRO.attributes`)."""
        colour, shape, material = attributes
        # As many numbers whatever the attributes, so that nothing but them differs.
        edge, yaw, side = self.edge.draw(rng), *rng.uniform(0.0, math.pi / 2.0, 2)
        width = edge * (abs(math.cos(side)) + abs(math.sin(side))) if shape == 0 else edge
        x, y = self.places[rng.integers(len(self.places))]
        return DrawnObject(
            attributes=attributes,
            width=float(width),
            yaw=float(yaw),
            colour=self.colours[colour].draw(rng),
            laser_retro=float(self.retros[material].draw(rng)),
            x=x,
            y=y,
        )


def attributes_of(index: int) -> tuple[int, int, int]:
    """The attributes of the class with that index in `AMIRO.classes`."""
    colour, shape, material = map(int, AMIRO.attributes_of(index))
    return colour, shape, material


def _pillar(world: World, model: Model) -> tuple[Visual, Collision]:
    (link,) = model.links if len(model.links) == 1 else (None,)
    if link is None or len(link.visuals) != 1 or len(link.collisions) != 1:
        raise WorldError(
            f"{world.name}: {model.name} must be one link with one visual and one collision"
        )
    if link.visuals[0].geometry != link.collisions[0].geometry:
        raise WorldError(f"{world.name}: {model.name} looks other than what a ray hits")
    return link.visuals[0], link.collisions[0]


def _checked_shape(world: World, model: Model, geometry: Geometry, name: str) -> Box | Cylinder:
    kinds: Mapping[str, type[Box | Cylinder]] = {"cylinder": Cylinder, "box": Box}
    shape = name.split()[1]
    if not isinstance(geometry, kinds[shape]):
        raise WorldError(f"{world.name}: {model.name} is no {shape}")
    if isinstance(geometry, Box) and geometry.size[0] != geometry.size[1]:
        raise WorldError(f"{world.name}: {model.name} is not square")
    return geometry


def _height(geometry: Box | Cylinder) -> float:
    return geometry.size[2] if isinstance(geometry, Box) else geometry.length
