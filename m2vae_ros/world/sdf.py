# SPDX-License-Identifier: Apache-2.0
"""Reads a world file in Gazebo's format, SDF, into plain data.

The reader is strict. It honours the elements its functions ask for, it leaves out those in
`IGNORED`, which mean nothing here, and every other element or attribute is a `WorldError` that
names it: a world looks and measures here as it does in Gazebo, or it is not accepted.
"""

from __future__ import annotations

import math
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from m2vae_ros.host.files import read_bounded

# What is left out, by the element it stands in, and why.
IGNORED: dict[str, frozenset[str]] = {
    # Gazebo's solver, its window and its plugins: MuJoCo and the nodes have their own.
    "world": frozenset({"physics", "gravity", "gui", "plugin"}),
    "scene": frozenset({"grid", "origin_visual"}),
    "model": frozenset({"plugin"}),
    # Robots move in the plane and touch without friction.
    "link": frozenset({"gravity"}),
    "collision": frozenset({"surface", "max_contacts"}),
    "visual": frozenset({"cast_shadows"}),
    # Only light brings these out, and a light is not accepted.
    "material": frozenset({"diffuse", "specular"}),
    "sensor": frozenset({"always_on", "visualize", "plugin"}),
    "range": frozenset({"resolution"}),
}

VERSIONS = ("1.5", "1.6", "1.7")

LARGEST_WORLD = 2**20
"""Bytes of a file: forty times `worlds/amiro.world`."""

Vector = tuple[float, float, float]
_T = TypeVar("_T")


class WorldError(ValueError):
    """A world that cannot be read; the message names the file, the element and the reason."""


@dataclass(frozen=True)
class Pose:
    """A position (metres) and a turn (roll, pitch, yaw about fixed axes, radians)."""

    position: Vector = (0.0, 0.0, 0.0)
    roll_pitch_yaw: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Box:
    """A box with its edge lengths (metres)."""

    size: Vector


@dataclass(frozen=True)
class Cylinder:
    """An upright cylinder (metres)."""

    radius: float
    length: float


@dataclass(frozen=True)
class Sphere:
    """A sphere (metres)."""

    radius: float


@dataclass(frozen=True)
class Plane:
    """A level plane seen from above; its size (metres) is what is drawn, it goes on for ever."""

    size: tuple[float, float]


Geometry = Box | Cylinder | Sphere | Plane


@dataclass(frozen=True)
class Visual:
    """What a camera sees: a shape in one flat colour (red, green, blue in [0, 1])."""

    name: str
    pose: Pose
    geometry: Geometry
    colour: Vector


@dataclass(frozen=True)
class Collision:
    """What a ray hits and a robot bumps into; `laser_retro` is the intensity a ray reports."""

    name: str
    pose: Pose
    geometry: Geometry
    laser_retro: float


@dataclass(frozen=True)
class CameraSensor:
    """A pinhole camera that looks along x, with z up. Angles in radians, clips in metres."""

    name: str
    pose: Pose
    update_rate: float
    horizontal_fov: float
    width: int
    height: int
    near: float
    far: float


@dataclass(frozen=True)
class RaySensor:
    """Rays in the plane of x and y, the angles from x counter-clockwise. Radians and metres."""

    name: str
    pose: Pose
    update_rate: float
    rays: int
    angle_min: float
    angle_max: float
    range_min: float
    range_max: float

    @property
    def angle_increment(self) -> float:
        """Angle from ray to ray, radians."""
        return (self.angle_max - self.angle_min) / max(self.rays - 1, 1)


Sensor = CameraSensor | RaySensor


@dataclass(frozen=True)
class Link:
    """A rigid body. Mass in kg and inertia about x, y, z in kg·m²; a fixed one needs neither."""

    name: str
    pose: Pose
    mass: float | None
    inertia: Vector | None
    visuals: tuple[Visual, ...]
    collisions: tuple[Collision, ...]
    sensors: tuple[Sensor, ...]


@dataclass(frozen=True)
class Model:
    """Something in the world: fixed (`static`), or a robot, which then is one link."""

    name: str
    static: bool
    pose: Pose
    links: tuple[Link, ...]


@dataclass(frozen=True)
class World:
    """A world. `background` is the colour of the sky."""

    name: str
    background: Vector
    models: tuple[Model, ...]


def read_world(path: str | os.PathLike[str]) -> World:
    """Read the one world of an SDF file.

    Raises:
        WorldError: no such file, too large, not XML, or something in it that cannot be honoured.
    """
    path = Path(path)
    try:
        root = ElementTree.fromstring(read_bounded(path, LARGEST_WORLD))
    except OSError as error:
        raise WorldError(f"{path}: {error.strerror}") from error
    except ElementTree.ParseError as error:
        raise WorldError(f"{path}: not XML: {error}") from error
    sdf = _Element(path, "", root)
    if root.tag != "sdf":
        raise sdf.error("the outermost element must be <sdf>")
    version = sdf.attribute("version")
    if version not in VERSIONS:
        raise sdf.error(f"version {version} is none of {', '.join(VERSIONS)}")
    world = _world(sdf.child("world"))
    sdf.finish()
    return world


class _Element:
    """An XML element that knows where it stands and which of its parts nobody asked for yet."""

    def __init__(self, file: Path, parent: str, element: ElementTree.Element) -> None:
        name = element.get("name")
        self._file = file
        self._element = element
        self.path = f"{parent}/{element.tag}" + (f"[{name}]" if name else "")
        self._asked_elements: set[str] = set()
        self._asked_attributes: set[str] = set()

    def error(self, reason: str) -> WorldError:
        return WorldError(f"{self._file}: {self.path}: {reason}")

    def attribute(self, name: str) -> str:
        self._asked_attributes.add(name)
        value = self._element.get(name)
        if not value:
            raise self.error(f"attribute {name} is missing")
        return value

    def children(self, tag: str) -> Iterator[_Element]:
        self._asked_elements.add(tag)
        for element in self._element.findall(tag):
            yield _Element(self._file, self.path, element)

    def optional(self, tag: str) -> _Element | None:
        found = list(self.children(tag))
        if len(found) > 1:
            raise found[1].error("stands here more than once")
        return found[0] if found else None

    def child(self, tag: str) -> _Element:
        found = self.optional(tag)
        if found is None:
            raise self.error(f"<{tag}> is missing")
        return found

    def named(self, tag: str, read: Callable[[_Element], _T]) -> tuple[_T, ...]:
        """Read every child of that tag; their names must differ."""
        elements = list(self.children(tag))
        names: set[str] = set()
        for element in elements:
            name = element.attribute("name")
            if name in names:
                raise element.error("another element has this name")
            names.add(name)
        return tuple(read(element) for element in elements)

    def text(self) -> str:
        """The text of an element that holds nothing else."""
        self.finish()
        return (self._element.text or "").strip()

    def numbers(self, count: int) -> tuple[float, ...]:
        text = self.text()
        try:
            values = tuple(float(word) for word in text.split())
        except ValueError as error:
            raise self.error(f"{text!r} are not numbers") from error
        if len(values) != count or not all(map(math.isfinite, values)):
            raise self.error(f"{text!r}, expected {count} finite number{'s' * (count > 1)}")
        return values

    def number(self, minimum: float = -math.inf) -> float:
        (value,) = self.numbers(1)
        if value < minimum:
            raise self.error(f"{value:g} is below {minimum:g}")
        return value

    def positive(self, count: int = 1) -> tuple[float, ...]:
        values = self.numbers(count)
        if min(values) <= 0:
            raise self.error(f"{' '.join(f'{value:g}' for value in values)}: must be positive")
        return values

    def integer(self) -> int:
        (value,) = self.positive()
        if value != int(value):
            raise self.error(f"{value:g} is not a whole number")
        return int(value)

    def boolean(self) -> bool:
        text = self.text().lower()
        if text not in ("true", "1", "false", "0"):
            raise self.error(f"{text!r} is neither true nor false")
        return text in ("true", "1")

    def finish(self) -> None:
        """Refuse whatever was not asked for and is not to be ignored.

        Raises:
            WorldError: names the first such element or attribute.
        """
        ignored = IGNORED.get(self._element.tag, frozenset())
        for element in self._element:
            if element.tag not in self._asked_elements and element.tag not in ignored:
                raise _Element(self._file, self.path, element).error("cannot be honoured")
        for name in self._element.attrib:
            if name not in self._asked_attributes:
                raise self.error(f"attribute {name} cannot be honoured")


def _world(element: _Element) -> World:
    name = element.attribute("name")
    scene = element.child("scene")
    ambient = scene.optional("ambient")
    light = _colour(ambient) if ambient else (0.0, 0.0, 0.0)
    background = _colour(scene.child("background"))
    shadows = scene.child("shadows")
    if shadows.boolean():
        raise shadows.error("cannot be honoured, it must be false")
    scene.finish()
    models = element.named("model", lambda child: _model(child, light))
    element.finish()
    return World(name, background, models)


def _model(element: _Element, light: Vector) -> Model:
    name = element.attribute("name")
    static = element.optional("static")
    fixed = static.boolean() if static else False
    pose = _pose(element)
    links = element.named("link", lambda child: _link(child, light))
    element.finish()
    if not fixed:
        if len(links) != 1:
            raise element.error(f"has {len(links)} links; what is not static must be one link")
        if any(pose.roll_pitch_yaw[:2]):
            raise element.error("what is not static must stand upright")
        if links[0].pose != Pose():
            raise element.error("the link of what is not static must have no pose of its own")
        if links[0].mass is None:
            raise element.error("what is not static must have an <inertial>")
    return Model(name, fixed, pose, links)


def _link(element: _Element, light: Vector) -> Link:
    name = element.attribute("name")
    pose = _pose(element)
    mass, inertia = _inertial(element)
    visuals = element.named("visual", lambda child: _visual(child, light))
    collisions = element.named("collision", _collision)
    sensors = element.named("sensor", _sensor)
    element.finish()
    return Link(name, pose, mass, inertia, visuals, collisions, sensors)


def _inertial(element: _Element) -> tuple[float | None, Vector | None]:
    inertial = element.optional("inertial")
    if inertial is None:
        return None, None
    (mass,) = inertial.child("mass").positive()
    inertia = inertial.child("inertia")
    ixx, iyy, izz = (inertia.child(axis).positive()[0] for axis in ("ixx", "iyy", "izz"))
    inertia.finish()
    inertial.finish()
    return mass, (ixx, iyy, izz)


def _visual(element: _Element, light: Vector) -> Visual:
    name = element.attribute("name")
    pose = _pose(element)
    geometry = _geometry(element.child("geometry"))
    material = element.child("material")
    emissive, ambient = (
        _colour(part) if part else (0.0, 0.0, 0.0)
        for part in (material.optional("emissive"), material.optional("ambient"))
    )
    material.finish()
    element.finish()
    # All that is left of Gazebo's (and OpenGL's) lighting without lights.
    red, green, blue = (
        min(own + reflected * scene, 1.0)
        for own, reflected, scene in zip(emissive, ambient, light, strict=True)
    )
    return Visual(name, pose, geometry, (red, green, blue))


def _collision(element: _Element) -> Collision:
    name = element.attribute("name")
    pose = _pose(element)
    geometry = _geometry(element.child("geometry"))
    retro = element.optional("laser_retro")
    collision = Collision(name, pose, geometry, retro.number(0.0) if retro else 0.0)
    element.finish()
    return collision


def _sensor(element: _Element) -> Sensor:
    name = element.attribute("name")
    kind = element.attribute("type")
    pose = _pose(element)
    (rate,) = element.child("update_rate").positive()
    sensor: Sensor
    if kind == "camera":
        sensor = _camera(element.child("camera"), name, pose, rate)
    elif kind == "ray":
        sensor = _rays(element.child("ray"), name, pose, rate)
    else:
        raise element.error(f"a sensor of type {kind} cannot be honoured, only camera and ray")
    element.finish()
    return sensor


def _camera(element: _Element, name: str, pose: Pose, rate: float) -> CameraSensor:
    fov = element.child("horizontal_fov")
    (horizontal_fov,) = fov.positive()
    if horizontal_fov >= math.pi:
        raise fov.error(f"{horizontal_fov:g} is not below pi")
    image = element.child("image")
    width, height = image.child("width").integer(), image.child("height").integer()
    layout = image.optional("format")
    if layout and layout.text() != "R8G8B8":
        raise layout.error("cannot be honoured, only R8G8B8")
    image.finish()
    clip = element.child("clip")
    (near,), (far,) = clip.child("near").positive(), clip.child("far").positive()
    if near >= far:
        raise clip.error(f"near {near:g} is not below far {far:g}")
    clip.finish()
    element.finish()
    return CameraSensor(name, pose, rate, horizontal_fov, width, height, near, far)


def _rays(element: _Element, name: str, pose: Pose, rate: float) -> RaySensor:
    scan = element.child("scan")
    horizontal = scan.child("horizontal")
    rays = horizontal.child("samples").integer()
    resolution = horizontal.optional("resolution")
    if resolution and resolution.number() != 1.0:
        raise resolution.error("cannot be honoured, it must be 1")
    angle_min = horizontal.child("min_angle").number()
    angle_max = horizontal.child("max_angle").number()
    if angle_min > angle_max:
        raise horizontal.error(f"min_angle {angle_min:g} is above max_angle {angle_max:g}")
    horizontal.finish()
    scan.finish()
    reach = element.child("range")
    range_min = reach.child("min").number(0.0)
    (range_max,) = reach.child("max").positive()
    if range_min >= range_max:
        raise reach.error(f"min {range_min:g} is not below max {range_max:g}")
    reach.finish()
    element.finish()
    return RaySensor(name, pose, rate, rays, angle_min, angle_max, range_min, range_max)


def _geometry(element: _Element) -> Geometry:
    readers: dict[str, Callable[[_Element], Geometry]] = {
        "box": _box,
        "cylinder": _cylinder,
        "sphere": _sphere,
        "plane": _plane,
    }
    found = [
        (child, reader)
        for tag, reader in readers.items()
        if (child := element.optional(tag)) is not None
    ]
    element.finish()
    if len(found) != 1:
        raise element.error(f"must be one of {', '.join(readers)}")
    child, reader = found[0]
    geometry = reader(child)
    child.finish()
    return geometry


def _box(element: _Element) -> Box:
    x, y, z = element.child("size").positive(3)
    return Box((x, y, z))


def _cylinder(element: _Element) -> Cylinder:
    (radius,), (length,) = element.child("radius").positive(), element.child("length").positive()
    return Cylinder(radius, length)


def _sphere(element: _Element) -> Sphere:
    return Sphere(element.child("radius").positive()[0])


def _plane(element: _Element) -> Plane:
    normal = element.optional("normal")
    if normal and normal.numbers(3) != (0.0, 0.0, 1.0):
        raise normal.error("cannot be honoured, it must be 0 0 1")
    x, y = element.child("size").positive(2)
    return Plane((x, y))


def _pose(element: _Element) -> Pose:
    pose = element.optional("pose")
    if pose is None:
        return Pose()
    x, y, z, roll, pitch, yaw = pose.numbers(6)
    return Pose((x, y, z), (roll, pitch, yaw))


def _colour(element: _Element) -> Vector:
    """Red, green, blue; an alpha is accepted if it is 1, for nothing here is transparent."""
    count = len((element._element.text or "").split())
    values = element.numbers(4 if count == 4 else 3)
    if not all(0.0 <= value <= 1.0 for value in values):
        raise element.error("a colour's parts are in [0, 1]")
    if len(values) == 4 and values[3] != 1.0:
        raise element.error("cannot be honoured, alpha must be 1")
    red, green, blue = values[:3]
    return red, green, blue
