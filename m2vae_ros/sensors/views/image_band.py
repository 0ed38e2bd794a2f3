# SPDX-License-Identifier: Apache-2.0
"""A picture of which a band between two angles of elevation counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from m2vae_ros.sensors.images import COMPRESSED, RAW, picture, reduced
from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.view import PictureView, check_positive


@dataclass(frozen=True)
class ImageBandView(PictureView):
    """A band of a colour image, reduced to a small one by averaging areas.

    The band is given as angles of elevation in the middle column, so it is the same part of the
    world at every resolution. It can leave out the floor, for example, and the top and bottom edges
    of objects.

    Attributes:
        width: columns of the result.
        height: rows of the result.
        elevation: lower and upper edge of the band, degrees above the optical axis.
        horizontal_fov: the camera's horizontal field of view, degrees.
    """

    kind: ClassVar[str] = "image_band"
    types: ClassVar[tuple[str, ...]] = (RAW, COMPRESSED)
    measures: ClassVar[str] = "image"

    width: int = 64
    height: int = 16
    elevation: tuple[float, float] = (0.0, 15.0)
    horizontal_fov: float = 80.0

    def __post_init__(self) -> None:
        check_positive(self, "width", "height")
        if not 0.0 < self.horizontal_fov < 180.0:
            raise ValueError(f"horizontal_fov: must be in (0, 180), not {self.horizontal_fov}")
        low, high = self.elevation
        if not -90.0 < low < high < 90.0:
            raise ValueError(f"elevation: must rise and lie in (-90, 90), not from {low} to {high}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the result: channels, rows, columns."""
        return (3, self.height, self.width)

    def rows(self, height: int, width: int) -> tuple[int, int]:
        """First row of the band and the row after its last, in an image of that size (pixels).

        Raises:
            ObservationError: the image is not high enough to show the band.
        """
        focal = width / 2.0 / math.tan(math.radians(self.horizontal_fov) / 2.0)
        bottom, top = (
            round(height / 2.0 - focal * math.tan(math.radians(edge))) for edge in self.elevation
        )
        if top < 0 or bottom > height or bottom <= top:
            low, high = self.elevation
            raise ObservationError(
                f"image: {width}×{height} pixels at {self.horizontal_fov:g}° do not show "
                f"elevations {low:g}° to {high:g}°"
            )
        return top, bottom

    def band(self, height: int, width: int) -> tuple[int, int]:
        """See `View.band`."""
        return self.rows(height, width)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Reduce an image.

        Args:
            image: uint8 (rows, columns, 3), red, green, blue.

        Returns:
            float32 (3, height, width) in [0, 1].

        Raises:
            ObservationError: wrong type or shape, or too small an image.
        """
        image = np.asarray(image)
        if image.ndim != 3:
            raise ObservationError(f"image: shape {image.shape}, expected (rows, columns, 3)")
        top, bottom = self.rows(image.shape[0], image.shape[1])
        return reduced(image[top:bottom], self.shape)

    def read(self, message: Any) -> np.ndarray:
        """See `View.read`."""
        return reduced(picture(message, band=self.rows), self.shape)
