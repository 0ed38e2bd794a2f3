# SPDX-License-Identifier: Apache-2.0
"""World files whose objects are drawn anew, for who wants more than the eight of one world.

What was learnt from one world alone is learnt by heart: a certain red is the cylinder. In worlds
drawn from the same variety as the samples (`ObjectVariety`), only the attributes stay the same.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

import numpy as np

from m2vae_ros.world.objects import DrawnObject, ObjectVariety, attributes_of, class_of
from m2vae_ros.world.sdf import World, read_world
from m2vae_ros.world.suite import AMIRO


def draw_world(path: str | os.PathLike[str], seed: int | Sequence[int]) -> str:
    """The world of a file with each of its objects drawn anew, and put in another's place.

    Everything else, the names and classes of the objects too, stays as it is in the file.

    Args:
        path: the world file.
        seed: equal seeds draw equal worlds.

    Returns:
        The new world file (SDF).

    Raises:
        WorldError: the world cannot be read, or lacks objects of a class.
    """
    world = read_world(path)
    variety = ObjectVariety.of(world)
    rng = np.random.default_rng(seed)
    root = ElementTree.parse(path).getroot()
    models = _objects(root, world)
    places = rng.permutation(np.array([_numbers(model, "pose")[:2] for _, model in models]))
    for (name, model), (x, y) in zip(models, places, strict=True):
        item = variety.draw(attributes_of(AMIRO.classes.index(name)), rng)
        _redraw(model, item, (float(x), float(y)), variety.height)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _objects(root: ElementTree.Element, world: World) -> list[tuple[str, ElementTree.Element]]:
    """Class and element of each object."""
    classes = {model.name: class_of(model) for model in world.models}
    return [
        (name, element)
        for element in root.iter("model")
        if (name := classes.get(element.get("name", ""))) is not None
    ]


def _redraw(
    model: ElementTree.Element, item: DrawnObject, place: tuple[float, float], height: float
) -> None:
    width = item.width
    _set(model, "pose", *place, height / 2.0, 0.0, 0.0, item.yaw)
    for cylinder in model.iter("cylinder"):
        _set(cylinder, "radius", width / 2.0)
    for box in model.iter("box"):
        _set(box, "size", width, width, height)
    for material in model.iter("material"):
        _set(material, "emissive", *item.colour, 1.0)
    for collision in model.iter("collision"):
        _set(collision, "laser_retro", item.laser_retro)


def _set(parent: ElementTree.Element, tag: str, *numbers: float) -> None:
    element = parent.find(tag)
    if element is None:
        element = ElementTree.SubElement(parent, tag)
    element.text = " ".join(f"{number:.6g}" for number in numbers)


def _numbers(parent: ElementTree.Element, tag: str) -> list[float]:
    return [float(word) for word in (parent.findtext(tag) or "0 0 0 0 0 0").split()]
