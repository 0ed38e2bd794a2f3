# SPDX-License-Identifier: Apache-2.0
"""Bags of a world: its file says which objects stood where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from m2vae_ros.bags import samples as bag_samples
from m2vae_ros.bags.report import BagReport
from m2vae_ros.datasets.samples import Samples
from m2vae_ros.host.resources import resource
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.world.objects import WorldObject, objects_of
from m2vae_ros.world.sdf import WorldError, read_world
from m2vae_ros.world.suite import AMIRO

WORLD = "world.sdf"
"""A world file of this name that lies in a bag's folder is the one the bag was recorded in."""


def read_bags(
    paths: Iterable[Path | str],
    world: Path | None = None,
    suite: SensorSuite = AMIRO,
    **options: Any,
) -> tuple[Samples, BagReport]:
    """Read the samples of bags, see `bag_samples.read_bags`.

    Args:
        paths: bags, folders of bags, or storage files.
        world: the world file of all of them; by default the `world.sdf` in a bag's folder, or the
            package's worlds/amiro.world.
        suite: whose topics are read.
        options: see `bag_samples.read_bags`.

    Raises:
        DataError, NotEnough: see `bag_samples.read_bags`.
        WorldError: `world` cannot be read.
    """
    if world is not None:
        _objects(world, suite)
    objects = objects_of_bag(world, suite)
    return bag_samples.read_bags(suite, list(map(Path, paths)), objects, **options)


def world_of_bag(bag: Path, world: Path | None = None) -> Path:
    """The world file that tells where a bag's objects stood, which is always `world` if given."""
    beside = bag / WORLD
    return world or (beside if beside.exists() else resource("worlds/amiro.world"))


def objects_of_bag(
    world: Path | None = None, suite: SensorSuite = AMIRO
) -> Callable[[Path], list[WorldObject]]:
    """Bag -> the objects of its world, see `world_of_bag`; a file is read once."""
    objects = lru_cache(maxsize=8)(_objects)  # its own: next time, files may have changed
    return lambda bag: objects(world_of_bag(bag, world), suite)


def _objects(path: Path, suite: SensorSuite) -> list[WorldObject]:
    found = objects_of(read_world(path), suite)
    if not found:
        such_as = suite.classes[0].replace(" ", "_") if suite.classes else "none"
        raise WorldError(f"{path}: no model's name is a class of objects, such as {such_as}")
    return found
