# SPDX-License-Identifier: Apache-2.0
"""The arena in 3D: robots, where their sensors look, and objects by what they are taken for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import rerun as rr

from m2vae_ros.apps.view.colours import Colour, belief_colour, label, mixed
from m2vae_ros.apps.view.scene import Robot, Scene
from m2vae_ros.fusion.attributes import Marginal, marginals
from m2vae_ros.fusion.belief import Belief
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.sensing_range import SensingRange

ORIGIN = "arena"

ROBOT: Colour = (235, 235, 240)
LOOKED_AT: Colour = (255, 196, 61)
"""What the model looks at, here and in pictures."""

SENSED: Colour = (110, 116, 130)
"""What a sensor tells besides."""

TRAIL: Colour = (120, 124, 136)

ROBOT_SIZE = (0.05, 0.08)
"""Metres: radius and height of what a robot is drawn as."""

SOLIDS = {"box": "box", "cube": "box", "cylinder": "cylinder"}
"""Value of an attribute named shape -> what is drawn; else a ball, as RViz's markers are."""

STEP = math.radians(4.0)
"""From corner to corner of an outline."""


class Arena:
    """Draws into one recording.

    Args:
        recording: of Rerun.
        object_size: metres, width and height of what objects are drawn as.
    """

    def __init__(self, recording: rr.RecordingStream, object_size: float = 0.2) -> None:
        self._recording = recording
        self._size = object_size
        self._drawn: list[Belief] = []
        self._robots: set[str] = set()
        recording.log(ORIGIN, rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)

    def draw(self, scene: Scene) -> None:
        """What has changed."""
        placed = [robot for robot in scene.robots.values() if robot.place is not None]
        if placed:
            for robot in placed:
                self._robot(robot)
            self._lines("trails", [[(*at, 0.005) for at in r.trail] for r in placed], TRAIL)
            self._lines("ranges", list(_ranges(placed)), LOOKED_AT)
            self._scans(placed)
        beliefs = scene.beliefs()
        if [*map(id, beliefs)] != [*map(id, self._drawn)]:
            self._objects(scene, beliefs)
            self._drawn = beliefs

    def _robot(self, robot: Robot) -> None:
        assert robot.place is not None
        path = f"{ORIGIN}/robots/{robot.name}"
        if robot.name not in self._robots:
            self._robots.add(robot.name)
            self._body(path, robot.name)
        self._recording.log(
            path, rr.Transform3D(translation=robot.place[:3, 3], mat3x3=robot.place[:3, :3])
        )

    def _body(self, path: str, name: str) -> None:
        """What moves with a robot, said once."""
        radius, height = ROBOT_SIZE
        body = rr.Cylinders3D(
            centers=[(0.0, 0.0, height / 2)],
            radii=[radius],
            lengths=[height],
            colors=[ROBOT],
            fill_mode="solid",
        )
        ahead = rr.Arrows3D(
            origins=[(0.0, 0.0, height / 2)], vectors=[(0.2, 0.0, 0.0)], colors=[ROBOT], radii=0.014
        )
        above = rr.Points3D(
            [(0.0, 0.0, 2.5 * height)],
            labels=[name],
            colors=[ROBOT],
            radii=0.001,
            show_labels=True,
        )
        for part, drawn in (("body", body), ("ahead", ahead), ("name", above)):
            self._recording.log(f"{path}/{part}", drawn, static=True)

    def _lines(self, name: str, lines: list[Any], colour: Colour) -> None:
        strips = rr.LineStrips3D(lines, colors=[colour] * len(lines), radii=0.006)
        self._recording.log(f"{ORIGIN}/{name}", strips)

    def _scans(self, robots: list[Robot]) -> None:
        points, colours = [np.empty((0, 3))], []
        for robot in robots:
            for name, place in robot.sensor_places.items():
                sensor = robot.sensors[name]
                sector = sensor.modality.view.sector
                if sector is None or not sensor.readings:
                    continue
                try:
                    scan, counts = scan_points(sensor.readings[-1].message(), sector)
                except (ObservationError, AttributeError, ValueError):  # it is the robot's to say
                    continue
                points.append(_placed(place, scan))
                colours += [LOOKED_AT if count else SENSED for count in counts]
        cloud = rr.Points3D(np.concatenate(points), colors=colours, radii=0.012)
        self._recording.log(f"{ORIGIN}/scans", cloud)

    def _objects(self, scene: Scene, beliefs: list[Belief]) -> None:
        suite = scene.memory.engine.suite
        places = np.array([belief.embedding.position for belief in beliefs]).reshape(-1, 3)
        found = [marginals(belief.probabilities, suite.attributes) for belief in beliefs]
        colours = [*map(belief_colour, beliefs, found)]
        said = [*map(label, beliefs, found)]
        size = self._size
        solids = np.array([*map(solid, found)], dtype=str)
        for kind in ("box", "cylinder", "ball"):
            chosen = np.flatnonzero(solids == kind)
            centers = places[chosen] + [0.0, 0.0, size / 2]
            how: dict[str, Any] = {
                "centers": centers,
                "colors": [colours[number] for number in chosen],
                "fill_mode": "solid",
            }
            drawn: rr.AsComponents
            if kind == "box":
                drawn = rr.Boxes3D(sizes=np.full_like(centers, size), **how)
            elif kind == "cylinder":
                many = [size] * len(chosen)
                drawn = rr.Cylinders3D(radii=[size / 2] * len(chosen), lengths=many, **how)
            else:
                drawn = rr.Ellipsoids3D(half_sizes=np.full_like(centers, size / 2), **how)
            self._recording.log(f"{ORIGIN}/objects/{kind}", drawn)
        self._recording.log(
            f"{ORIGIN}/labels",
            rr.Points3D(
                places + [0.0, 0.0, 2.4 * size],
                labels=said,
                colors=[mixed(colour, (255, 255, 255), 0.75) for colour in colours],
                radii=0.001,
                show_labels=True,
            ),
        )


def solid(found: Sequence[Marginal]) -> str:
    """What an object is drawn as: "box" or "cylinder" where that is known, else "ball".

    Args:
        found: its marginals; one of an attribute that is named shape says it.
    """
    for marginal in found:
        if marginal.name == "shape":
            return SOLIDS.get(marginal.known() or "", "ball")
    return "ball"


def _ranges(robots: list[Robot]) -> Iterator[np.ndarray]:
    for robot in robots:
        for name, place in robot.sensor_places.items():
            if (limits := robot.sensors[name].modality.range) is not None:
                yield _placed(place, field_of_view(limits))


def field_of_view(limits: SensingRange) -> np.ndarray:
    """The outline of a sector of a ring, float64 (n, 2), metres, in the plane of the sensor."""
    corners = 2 + math.ceil(2.0 * limits.max_bearing / STEP)
    bearings = np.linspace(-limits.max_bearing, limits.max_bearing, corners)
    far = limits.max_distance * np.stack([np.cos(bearings), np.sin(bearings)], axis=1)
    near = limits.min_distance * np.stack([np.cos(bearings), np.sin(bearings)], axis=1)
    return np.concatenate([far, near[::-1], far[:1]])


def scan_points(scan: object, sector: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """What a LaserScan has hit: float64 (n, 2), metres, in the plane of the sensor.

    Returns:
        The points, and bool (n,): which of them lie in the sector (radians).
    """
    ranges = np.asarray(scan.ranges, dtype=np.float64)  # type: ignore[attr-defined]
    step = float(scan.angle_increment)  # type: ignore[attr-defined]
    bearings = float(scan.angle_min) + step * np.arange(len(ranges))  # type: ignore[attr-defined]
    hit = np.isfinite(ranges) & (ranges > 0.0)
    points = ranges[:, None] * np.stack([np.cos(bearings), np.sin(bearings)], axis=1)
    inside = (bearings >= sector[0]) & (bearings <= sector[1])
    return points[hit], inside[hit]


def _placed(place: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (n, 2) of the plane of a sensor at a place, (n, 3)."""
    flat = np.column_stack([points, np.zeros(len(points))])
    moved: np.ndarray = flat @ place[:3, :3].T + place[:3, 3]
    return moved
