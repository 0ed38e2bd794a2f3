# SPDX-License-Identifier: Apache-2.0
"""A node's ear for /tf and /tf_static: tf2's buffer where it is installed, else our own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from tf2_msgs.msg import TFMessage

from m2vae_ros.robot.frames import (
    KEEP,
    MOST_FRAMES,
    TF,
    TF_STATIC,
    NoTransform,
    TransformBuffer,
    frame_name,
    said_by,
)
from m2vae_ros.ros import qos
from m2vae_ros.ros.drop_log import DropLog
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.messages import NANOSECONDS, rotation

try:
    from tf2_py import BufferCore, TransformException
except ImportError:
    BufferCore = None

SETTLING = 2.0
"""Seconds that transforms are waited for where somebody publishes some."""


class Tf2Buffer:
    """`TransformBuffer` by tf2."""

    def __init__(self) -> None:
        self._core = BufferCore(Duration(seconds=KEEP))
        self._named: set[str] = set()

    def add(self, transform: TransformStamped, is_static: bool) -> None:
        """See `TransformBuffer`."""
        said = said_by(transform)
        new = {said.parent, said.child} - self._named
        if len(self._named) + len(new) > MOST_FRAMES:  # tf2 never forgets a name
            raise ObservationError(f"child_frame_id: {MOST_FRAMES} frames are known already")
        add = self._core.set_transform_static if is_static else self._core.set_transform
        add(transform, "m2vae_ros")
        self._named |= new

    def begin_anew(self) -> None:
        """See `TransformBuffer`."""
        self._core.clear()  # of what moves

    def knows(self, frame: str) -> bool:
        """See `Frames`."""
        return frame_name(frame) in self._named

    def transform(self, target: str, source: str, stamp: int) -> np.ndarray:
        """See `Frames`."""
        target, source = frame_name(target), frame_name(source)
        placed = np.eye(4)
        if target == source:
            return placed
        try:
            found = self._core.lookup_transform_core(target, source, Time(nanoseconds=stamp))
        except TransformException as error:
            raise NoTransform(f"no transform from {source!r} to {target!r}: {error}") from error
        turn, move = found.transform.rotation, found.transform.translation
        placed[:3, :3] = rotation(turn.x, turn.y, turn.z, turn.w)
        placed[:3, 3] = move.x, move.y, move.z
        return placed


class FrameListener:
    """`Frames` by the transforms that are published."""

    def __init__(self, node: Node, drops: DropLog) -> None:
        self._node = node
        self._drops = drops
        self._buffer: Tf2Buffer | TransformBuffer
        self._buffer = TransformBuffer() if BufferCore is None else Tf2Buffer()
        self._since: int | None = None
        self._latest = 0

    def knows(self, frame: str) -> bool:
        """See `Frames`."""
        return self._current.knows(frame)

    def transform(self, target: str, source: str, stamp: int) -> np.ndarray:
        """See `Frames`."""
        return self._current.transform(target, source, stamp)

    def sources(self) -> list[tuple[str, QoSProfile, Callable[[TFMessage], None]]]:
        """To what the node has to subscribe, and how, from now on."""
        self._since = self._now
        return [
            (TF.topic, qos.TRANSFORMS, partial(self._take, False)),
            (TF_STATIC.topic, qos.STATIC_TRANSFORMS, partial(self._take, True)),
        ]

    def is_settling(self, base: str, frame: str | None) -> bool:
        """Whether the place of a sensor on its robot may still come, for a little while.

        Somebody publishes transforms, but none has named either frame. Until then the robot is not
        to be taken for one without; what is heard may be of others.
        """
        if frame is None or frame_name(frame) == base or self._since is None:
            return False
        if self.knows(base) or self.knows(frame):
            return False
        if not 0 <= self._now - self._since < SETTLING * NANOSECONDS:
            return False
        return any(self._node.count_publishers(source.topic) for source in (TF, TF_STATIC))

    def _take(self, is_static: bool, message: TFMessage) -> None:
        for transform in message.transforms:
            topic = (TF_STATIC if is_static else TF).topic
            with self._drops.guard(topic):  # the others are not to blame
                self._current.add(transform, is_static)

    @property
    def _current(self) -> Tf2Buffer | TransformBuffer:
        """The buffer, with nothing in it of before the clock went back."""
        now = self._now
        if now < self._latest:
            self._buffer.begin_anew()
        self._latest = now
        return self._buffer

    @property
    def _now(self) -> int:
        now: int = self._node.get_clock().now().nanoseconds
        return now
