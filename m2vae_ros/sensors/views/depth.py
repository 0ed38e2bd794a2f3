# SPDX-License-Identifier: Apache-2.0
"""A depth image: how far away each part of the picture is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from m2vae_ros.sensors.images import RAW, averaged, pixels
from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.view import PictureView, Unit, check_positive

METRES = {"16UC1": 0.001, "mono16": 0.001, "32FC1": 1.0}
"""Encoding -> metres of its unit (REP 118)."""


@dataclass(frozen=True)
class DepthView(PictureView):
    """A depth image, reduced to a small one by averaging areas.

    Attributes:
        width: columns of the result.
        height: rows of the result.
        max_depth: metres that become 1; what is farther, zero or not a number is "nothing there",
            which is 1 too.
    """

    kind: ClassVar[str] = "depth"
    types: ClassVar[tuple[str, ...]] = (RAW,)
    limits: ClassVar[tuple[str, ...]] = ("max_depth",)

    width: int = 64
    height: int = 48
    max_depth: float = 5.0

    def __post_init__(self) -> None:
        check_positive(self, "width", "height", "max_depth")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the result: one channel, rows, columns."""
        return (1, self.height, self.width)

    @property
    def unit(self) -> Unit:
        """See `View.unit`."""
        return Unit("m", self.max_depth)

    def __call__(self, depth: np.ndarray) -> np.ndarray:
        """Reduce a depth image.

        Args:
            depth: (rows, columns), metres.

        Returns:
            float32 (1, height, width) in [0, 1].

        Raises:
            ObservationError: wrong shape, or nothing but NaN.
        """
        depth = np.asarray(depth, dtype=np.float32)
        if depth.ndim != 2 or not depth.size:
            raise ObservationError(f"image: shape {depth.shape}, expected (rows, columns)")
        if np.isnan(depth).all():
            raise ObservationError("data: every depth is NaN")
        seen = np.isfinite(depth) & (depth > 0.0)
        shares = np.where(seen, np.minimum(np.where(seen, depth, 0) / self.max_depth, 1.0), 1.0)
        small = averaged(shares.astype(np.float32), self.width, self.height)
        # the mean of ones may be rounded up
        reduced: np.ndarray = np.minimum(small, 1.0).reshape(self.shape)
        return reduced

    def read(self, message: Any) -> np.ndarray:
        """See `View.read`."""
        return self(metres(message))


def metres(message: Any) -> np.ndarray:
    """The depths of a message: float32 (rows, columns), metres; zero or not a number is nothing.

    Raises:
        ObservationError: names the field that does not fit.
    """
    if message.encoding not in METRES:
        raise ObservationError(
            f"encoding: {message.encoding!r} is no depth, which is one of {', '.join(METRES)}"
        )
    depths: np.ndarray = pixels(message).astype(np.float32) * np.float32(METRES[message.encoding])
    return depths
