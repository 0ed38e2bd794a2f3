# SPDX-License-Identifier: Apache-2.0
"""Transforms as /tf and /tf_static have them, by their fields."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from m2vae_ros.robot.frames import TransformBuffer

SECOND = 1_000_000_000
Place = tuple[float, float, float, tuple[float, ...]]
HERE: Place = (0.0, 0.0, 0.0, (0.0, 0.0, 0.0, 1.0))


def transform(parent: str, child: str, place: Place = HERE, stamp: int = 0) -> SimpleNamespace:
    x, y, z, turn = place
    return SimpleNamespace(
        header=SimpleNamespace(
            frame_id=parent,
            stamp=SimpleNamespace(sec=stamp // SECOND, nanosec=stamp % SECOND),
        ),
        child_frame_id=child,
        transform=SimpleNamespace(
            translation=SimpleNamespace(x=x, y=y, z=z),
            rotation=SimpleNamespace(**dict(zip("xyzw", turn, strict=True))),
        ),
    )


def heard(moving: Iterable[Any], fixed: Iterable[Any]) -> TransformBuffer:
    """What the messages of /tf and /tf_static tell."""
    buffer = TransformBuffer()
    for is_static, messages in ((False, moving), (True, fixed)):
        for message in messages:
            for each in message.transforms:
                buffer.add(each, is_static)
    return buffer
