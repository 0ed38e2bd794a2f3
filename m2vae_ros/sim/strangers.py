# SPDX-License-Identifier: Apache-2.0
"""Things that are none of the classes, sensed as the samples are: what a robot should not name.

Each kind differs from the eight objects by what it is called after alone. What a sensor cannot
tell of a kind, no sensor of this world can: a LiDAR sees a blue box as a box, and the cross-section
of a sphere as that of a cylinder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from m2vae_ros.datasets.samples import UNLABELLED, Samples
from m2vae_ros.host.resources import resource
from m2vae_ros.sim.sampler import NOTHING, SPHERE, SampleRenderer
from m2vae_ros.world.noise import SensorNoise
from m2vae_ros.world.objects import DrawnObject, ObjectVariety, Range, attributes_of
from m2vae_ros.world.sdf import read_world
from m2vae_ros.world.suite import AMIRO

COLOURS: Mapping[str, Range] = {
    "blue": Range(np.array([0.05, 0.1, 0.6]), np.array([0.2, 0.3, 0.9])),
    "yellow": Range(np.array([0.75, 0.65, 0.05]), np.array([0.9, 0.8, 0.2])),
    "white": Range(np.array([0.85, 0.85, 0.85]), np.array([0.95, 0.95, 0.95])),
}
"""Of pillars that are neither red nor green; red, green and blue in [0, 1]."""

POLE = Range(np.array(0.015), np.array(0.03))
"""Diameter of a pole, metres; the thinnest object has 0.15."""

CAN_TELL: Mapping[str, tuple[str, ...]] = {
    "sphere": ("camera",),
    **dict.fromkeys(COLOURS, ("camera",)),
    "pole": tuple(AMIRO),
    "nothing": tuple(AMIRO),
}
"""Kind -> the sensors to which it looks like no object; to the others it looks like one."""

KINDS = tuple(CAN_TELL)


def sample_strangers(kind: str, count: int, seed: int) -> Samples:
    """Draw things of one of `KINDS`; the same seed gives the same, none has a label.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    world = read_world(resource("worlds/amiro.world"))
    variety = ObjectVariety.of(world)
    renderer = SampleRenderer(world, variety.height, SensorNoise())
    packed: dict[str, list[np.ndarray]] = {name: [] for name in AMIRO}
    try:
        for index in range(count):
            rng = np.random.default_rng([seed, 2 + KINDS.index(kind), index])
            like = attributes_of(int(rng.integers(len(AMIRO.classes))))
            renderer.show(_stranger(kind, variety.draw(like, rng), rng))
            for name, modality in AMIRO.items():
                packed[name].append(modality.view.pack(renderer.render(modality, rng)))
    finally:
        renderer.close()
    return Samples(
        AMIRO,
        {name: np.stack(values) for name, values in packed.items()},
        np.full(count, UNLABELLED, dtype=np.int64),
        np.array([f"{kind} {index}" for index in range(count)]),
    )


def _stranger(kind: str, like: DrawnObject, rng: np.random.Generator) -> DrawnObject:
    """An object that is made one of a kind."""
    colour, _, material = like.attributes
    if kind in COLOURS:
        return replace(like, colour=COLOURS[kind].draw(rng))
    if kind == "pole":
        return replace(like, attributes=(colour, 0, material), width=float(POLE.draw(rng)))
    shape = SPHERE if kind == "sphere" else NOTHING
    return replace(like, attributes=(colour, shape, material))
