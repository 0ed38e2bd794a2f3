# SPDX-License-Identifier: Apache-2.0
"""Numbers of any message, named by the path of their field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from m2vae_ros.sensors.observation import ObservationError

_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def check_paths(paths: Sequence[str]) -> None:
    """Make sure that these can be paths such as `linear_acceleration.x`.

    Raises:
        ValueError: there are none, or names the one that is no path or that stands there twice.
    """
    if not paths:
        raise ValueError("fields: is empty")
    for path in paths:
        # names with two underscores are Python's own and no field of a message
        if not _PATH.fullmatch(path) or "__" in path:
            raise ValueError(f"fields: {path!r} is no path, such as linear_acceleration.x")
    if len(set(paths)) < len(paths):
        raise ValueError("fields: holds the same path twice")


def values(message: Any, path: str) -> np.ndarray:
    """The number, or the numbers, at a path: float64 (n,).

    Raises:
        ObservationError: the message has no such field, or it is no number or not finite.
    """
    found = message
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ObservationError(f"{path}: the message has no field {name!r}") from None
    if isinstance(found, bytes):  # what rclpy makes of a byte, which rosbags takes for a number
        found = list(found)
    try:
        given = np.atleast_1d(np.asarray(found))
    except ValueError:  # lists of several lengths
        given = np.array([found], dtype=object)
    # not by asking numpy for numbers: it would read them out of texts, too
    if given.dtype.kind not in "biuf":
        raise ObservationError(f"{path}: is a {type(found).__name__}, not a number")
    numbers = given.astype(np.float64)
    if numbers.ndim != 1:
        raise ObservationError(f"{path}: shape {numbers.shape}, expected a number or a list")
    if not np.isfinite(numbers).all():
        raise ObservationError(f"{path}: holds NaN or infinite values")
    return numbers
