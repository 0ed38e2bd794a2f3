# SPDX-License-Identifier: Apache-2.0
"""Coordinate frames: where one lies in another at a time, by what /tf and /tf_static tell.

Where ROS is installed, tf2's own buffer answers (`ros.frames`); this one answers everywhere, for
bags too. Libraries that could do so were measured: pytransform3d adds 35 MB and .4 s to a node,
and computes all paths between all frames anew for each frame that a team has.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from m2vae_ros.robot.odometry import Unplaced
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.messages import NANOSECONDS, Source, nanoseconds, rotation

TF = Source("/tf", "tf2_msgs/msg/TFMessage")
TF_STATIC = Source("/tf_static", "tf2_msgs/msg/TFMessage")

KEEP = 10.0
"""Seconds of transforms that are remembered, as tf2 does."""

NOT_UNIT = 0.01
"""By which the square of a quaternion's length may differ from 1, as in tf2."""

MOST_FRAMES = 10_000
"""Frames that are remembered; a robot has about a hundred."""


class NoTransform(Unplaced):
    """No transform leads from one frame to the other at that time, so far; the message says why."""


class Frames(Protocol):
    """Something that knows where frames lie."""

    def knows(self, frame: str) -> bool:
        """Whether any transform has named a frame."""
        ...

    def transform(self, target: str, source: str, stamp: int) -> np.ndarray:
        """Where a frame lies in another.

        Args:
            target: the frame in which the result is.
            source: the frame whose place is asked for.
            stamp: when, nanoseconds.

        Returns:
            (4, 4) homogeneous, metres: a point in ``source`` becomes one in ``target``.

        Raises:
            NoTransform: none leads from one to the other at that time.
        """
        ...


def frame_name(name: str) -> str:
    """The name of a frame without the slash that ROS 1 put before it."""
    return name.removeprefix("/")


class Said(NamedTuple):
    """Where a frame lies in its parent at a time: x, y, z and the quaternion x, y, z, w."""

    parent: str
    child: str
    stamp: int
    place: np.ndarray


def said_by(transform: Any) -> Said:
    """What a geometry_msgs/TransformStamped says.

    Raises:
        ObservationError: names the field that does not fit.
    """
    parent = frame_name(transform.header.frame_id)
    child = frame_name(transform.child_frame_id)
    if not parent or not child or parent == child:
        raise ObservationError(f"child_frame_id: {child!r} cannot lie in {parent!r}")
    move, turn = transform.transform.translation, transform.transform.rotation
    place = np.array([move.x, move.y, move.z, turn.x, turn.y, turn.z, turn.w])
    if not np.all(np.isfinite(place)):
        raise ObservationError("transform: holds NaN or infinite values")
    if abs(place[3:] @ place[3:] - 1.0) > NOT_UNIT:
        raise ObservationError("transform.rotation: not a unit quaternion")
    return Said(parent, child, nanoseconds(transform.header.stamp), place)


class _Link:
    """Where one frame lies in its parent, over time."""

    def __init__(self, parent: str, is_static: bool) -> None:
        self.parent = parent
        self.is_static = is_static
        self._stamps: list[int] = []
        self._places: list[np.ndarray] = []  # x, y, z and the quaternion x, y, z, w

    def add(self, stamp: int, place: np.ndarray, keep: float) -> None:
        if self.is_static:
            self._stamps, self._places = [stamp], [place]
            return
        index = bisect_left(self._stamps, stamp)
        if self._stamps[index : index + 1] == [stamp]:
            return  # as in tf2, what was said first counts
        self._stamps.insert(index, stamp)
        self._places.insert(index, place)
        if keep < math.inf:
            old = bisect_left(self._stamps, self._stamps[-1] - int(keep * NANOSECONDS))
            del self._stamps[:old], self._places[:old]

    @property
    def newest(self) -> int:
        return self._stamps[-1]

    def at(self, stamp: int) -> np.ndarray | None:
        """(4, 4), between the two transforms of before and after; None if one is missing."""
        if self.is_static:
            return _matrix(self._places[0])
        after = bisect_left(self._stamps, stamp)
        if after == len(self._stamps):
            return None
        later = self._places[after]
        if self._stamps[after] == stamp:
            return _matrix(later)
        if after == 0:
            return None
        earlier = self._places[after - 1]
        span = self._stamps[after] - self._stamps[after - 1]
        share = (stamp - self._stamps[after - 1]) / span
        return _matrix(
            np.concatenate(
                (
                    (1.0 - share) * earlier[:3] + share * later[:3],
                    _between(earlier[3:], later[3:], share),
                )
            )
        )


class TransformBuffer:
    """Remembers what /tf and /tf_static tell; see `Frames`.

    Each frame has one parent, the one named last, as in tf2.

    Args:
        keep: seconds before the newest transform of a frame that are remembered.
    """

    def __init__(self, keep: float = KEEP) -> None:
        self._keep = keep
        self._links: dict[str, _Link] = {}
        self._parents: dict[str, int] = {}  # frame -> of how many it is the parent

    def add(self, transform: Any, is_static: bool) -> None:
        """Take in a geometry_msgs/TransformStamped; nothing changes if it is refused.

        Raises:
            ObservationError: names the field that does not fit.
        """
        parent, child, stamp, place = said_by(transform)
        if child not in self._links and len(self._links) >= MOST_FRAMES:
            raise ObservationError(f"child_frame_id: {MOST_FRAMES} frames are known already")
        if child in self._ancestors(parent):
            raise ObservationError(f"child_frame_id: {parent!r} lies in {child!r} already")
        link = self._links.get(child)
        if (
            link is None
            or (link.parent, link.is_static) != (parent, is_static)
            or (not is_static and stamp < link.newest - self._keep * NANOSECONDS)  # began anew
        ):
            self._forget(child)
            link = self._links[child] = _Link(parent, is_static)
            self._parents[parent] = self._parents.get(parent, 0) + 1
        link.add(stamp, place, self._keep)

    def begin_anew(self) -> None:
        """Forget what moves: the clock went back, and stamps of before mean other times."""
        for child in [child for child, link in self._links.items() if not link.is_static]:
            self._forget(child)

    def knows(self, frame: str) -> bool:
        """See `Frames`."""
        frame = frame_name(frame)
        return frame in self._links or frame in self._parents

    def transform(self, target: str, source: str, stamp: int) -> np.ndarray:
        """See `Frames`."""
        target, source = frame_name(target), frame_name(source)
        if target == source:
            return np.eye(4)
        up = [source, *self._ancestors(source)]
        down = [target, *self._ancestors(target)]
        met = next((frame for frame in up if frame in down), None)
        if met is None:
            unknown = [name for name in (target, source) if not self.knows(name)]
            reason = f"/tf tells nothing of {unknown[0]!r}" if unknown else "nothing joins them"
            raise NoTransform(f"no transform from {source!r} to {target!r}: {reason}")
        upwards = self._climb(up[: up.index(met)], stamp)
        downwards = self._climb(down[: down.index(met)], stamp)
        inverse = np.eye(4)
        inverse[:3, :3] = downwards[:3, :3].T
        inverse[:3, 3] = -inverse[:3, :3] @ downwards[:3, 3]
        found: np.ndarray = inverse @ upwards
        return found

    def _climb(self, path: list[str], stamp: int) -> np.ndarray:
        """From the first frame of a path to the parent of its last."""
        whole = np.eye(4)
        for frame in path:
            link = self._links[frame]
            step = link.at(stamp)
            if step is None:
                late = (stamp - link.newest) / NANOSECONDS
                reason = f"the last is of {late:.3g} s before" if late > 0 else "the first is later"
                raise NoTransform(
                    f"no transform from {frame!r} to {link.parent!r} at that time: {reason}"
                )
            whole = step @ whole
        return whole

    def _ancestors(self, frame: str) -> Iterator[str]:
        while (link := self._links.get(frame)) is not None:
            frame = link.parent
            yield frame

    def _forget(self, child: str) -> None:
        link = self._links.pop(child, None)
        if link is not None:
            self._parents[link.parent] -= 1
            if not self._parents[link.parent]:
                del self._parents[link.parent]


def _between(earlier: np.ndarray, later: np.ndarray, share: float) -> np.ndarray:
    """A quaternion (4,) on the shorter arc between two (spherical linear interpolation)."""
    cosine = float(earlier @ later) / float(np.linalg.norm(earlier) * np.linalg.norm(later))
    if cosine < 0.0:  # the same turn, the other way round
        later, cosine = -later, -cosine
    angle = math.acos(min(cosine, 1.0))
    if angle < 1e-6:
        return later
    found: np.ndarray = math.sin((1.0 - share) * angle) * earlier + math.sin(share * angle) * later
    return found


def _matrix(place: np.ndarray) -> np.ndarray:
    """Position and quaternion as a (4, 4) homogeneous matrix."""
    whole = np.eye(4)
    whole[:3, :3] = rotation(*place[3:])
    whole[:3, 3] = place[:3]
    return whole
