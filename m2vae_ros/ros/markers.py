# SPDX-License-Identifier: Apache-2.0
"""Objects and fields of view as visualization_msgs/MarkerArray.

An object is a ball in the colour of its likeliest class, the more see-through the less certain that
is, with a label that says what is known of it and by which modalities. What is none of the classes
has the colour of none. A sensor's field of view is the outline of where it looks at objects, fixed
to the robot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from geometry_msgs.msg import Point, Quaternion, Vector3
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from m2vae_ros.fusion.belief import Belief
from m2vae_ros.robot.placement import is_optical
from m2vae_ros.sensors.sensing_range import SensingRange

PALETTE = (
    "#1845fb",
    "#ff5e02",
    "#c91f16",
    "#c849a9",
    "#adad7d",
    "#86c8dd",
    "#578dff",
    "#656364",
)
"""Eight classes, in the colours of Petroff (2021, arXiv:2107.02270), which colour-blind people tell
apart; they begin anew after the eighth, and the label says which it is."""

UNKNOWN = "#e8e8e8"
"""What nothing says the class of, and whatever is no object."""

FAINTEST = 0.25
"""Opacity of an object of which every class is as likely."""

_ARC = math.radians(5.0)
"""From corner to corner of an outline."""


class MarkerIds:
    """A number for each object, for as long as it is held; those of objects that are gone are free.

    Whoever reads markers knows them by namespace and number. As every array has all numbers ever
    used, those that are free to be deleted, one array says everything, whatever was missed before.
    """

    def __init__(self) -> None:
        self._names: list[str | None] = []

    def assign(self, beliefs: Sequence[Belief]) -> list[Belief | None]:
        """By number, what is held of the object that has it, or None where it is free."""
        held = {belief.embedding.object_id: belief for belief in beliefs}
        self._names = [name if name in held else None for name in self._names]
        known = set(self._names)
        free = [number for number, name in enumerate(self._names) if name is None]
        for name in held:
            if name in known:
                continue
            if free:
                self._names[free.pop(0)] = name
            else:
                self._names.append(name)
        return [None if name is None else held[name] for name in self._names]


def marker_array(
    robot: str,
    frame: str,
    objects: Sequence[Belief | None],
    attributes: Mapping[str, Sequence[str]],
    size: float,
    frames: Mapping[str, str],
    ranges: Mapping[str, SensingRange | None],
    *,
    anew: bool = False,
) -> MarkerArray:
    """All markers of a robot.

    Namespaces begin with the robot's name: `ROBOT/objects`, `ROBOT/labels`, and `ROBOT/view of
    MODALITY`, so that a viewer can hide each.

    Args:
        robot: its name.
        frame: of all positions.
        objects: see `MarkerIds.assign`.
        attributes: of the suite, name -> values.
        size: metres, diameter of an object.
        frames: modality -> that of its sensor; without one, or "", its field of view is not shown.
        ranges: modality -> from where its sensor looks at objects.
        anew: whether what a viewer may still show of an earlier process has to go.
    """
    markers: list[Marker] = []
    if anew:
        namespaces = ["objects", "labels", *(f"view of {name}" for name in ranges)]
        markers += [_marker(f"{robot}/{name}", 0, frame, Marker.DELETEALL) for name in namespaces]
    for number, belief in enumerate(objects):
        markers += _object(robot, frame, number, belief, attributes, size)
    for name, limits in ranges.items():
        if limits is not None:
            markers.append(_view(f"{robot}/view of {name}", frames.get(name, ""), limits))
    return MarkerArray(markers=markers)


def colour(index: int | None, opacity: float = 1.0) -> ColorRGBA:
    """Of a class, by its index, or of what is of none."""
    digits = UNKNOWN if index is None else PALETTE[index % len(PALETTE)]
    red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return ColorRGBA(r=red, g=green, b=blue, a=opacity)


def _marker(namespace: str, number: int, frame: str, action: int = Marker.ADD) -> Marker:
    """Without a stamp, and locked to its frame: where the frame is now, whatever its time."""
    marker = Marker(ns=namespace, id=number, action=action, frame_locked=True)
    marker.header.frame_id = frame
    marker.pose.orientation.w = 1.0
    return marker


def _object(
    robot: str,
    frame: str,
    number: int,
    belief: Belief | None,
    attributes: Mapping[str, Sequence[str]],
    size: float,
) -> Iterator[Marker]:
    action = Marker.DELETE if belief is None else Marker.ADD
    ball = _marker(f"{robot}/objects", number, frame, action)
    label = _marker(f"{robot}/labels", number, frame, action)
    if belief is not None:
        x, y, z = belief.embedding.position
        likeliest = next(iter(belief.likeliest), None)
        ball.type = Marker.SPHERE
        ball.pose.position = Point(x=x, y=y, z=z)
        ball.scale = Vector3(x=size, y=size, z=size)
        opacity = FAINTEST + (1.0 - FAINTEST) * belief.certainty
        ball.color = colour(None) if belief.unknown else colour(likeliest, opacity)
        label.type = Marker.TEXT_VIEW_FACING
        label.pose.position = Point(x=x, y=y, z=z + 1.25 * size)
        label.scale.z = size / 3.0  # the height of a letter
        label.color = colour(None)
        said = belief.described(attributes) or belief.embedding.object_id
        label.text = f"{said}\n{', '.join(belief.embedding.held)}"
    yield ball
    yield label


def _view(namespace: str, frame: str, limits: SensingRange) -> Marker:
    """The outline of a sector of a ring, in the plane of the sensor."""
    if not frame:
        return _marker(namespace, 0, frame, Marker.DELETE)
    marker = _marker(namespace, 0, frame)
    if is_optical(frame):
        marker.pose.orientation = Quaternion(x=0.5, y=-0.5, z=0.5, w=0.5)  # x ahead
    marker.type = Marker.LINE_STRIP
    marker.scale.x = 0.01  # the width of the line, metres
    marker.color = colour(None, 0.7)
    corners = 2 + math.ceil(2.0 * limits.max_bearing / _ARC)
    far = np.linspace(-limits.max_bearing, limits.max_bearing, corners)
    around = [(limits.max_distance, bearing) for bearing in far]
    around += [(limits.min_distance, bearing) for bearing in far[::-1]]
    marker.points = [
        Point(x=distance * math.cos(bearing), y=distance * math.sin(bearing))
        for distance, bearing in [*around, around[0]]
    ]
    return marker
