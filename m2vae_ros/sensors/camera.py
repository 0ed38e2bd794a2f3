# SPDX-License-Identifier: Apache-2.0
"""The camera: a colour image becomes a narrow band around the height of the objects' middle."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np

from m2vae_ros.sensors.images import rgb
from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.view import DecodeImage, View


@dataclass(frozen=True)
class CameraView(View):
    """A band of an image, reduced to a small one by averaging areas.

    The band is given as angles of elevation in the middle column, so it is the same part of the
    world at every resolution. It leaves out the floor, and the top and bottom edges of objects,
    which would give away their shape.

    Attributes:
        width: columns of the result.
        height: rows of the result.
        elevation_min: lower edge of the band, degrees above the optical axis.
        elevation_max: upper edge of the band, degrees above the optical axis.
        horizontal_fov: the camera's horizontal field of view, degrees.
    """

    kind: ClassVar[str] = "camera"
    measures: ClassVar[str] = "image"
    packed: ClassVar[type] = np.uint8

    width: int = 64
    height: int = 16
    elevation_min: float = 0.0
    elevation_max: float = 15.0
    horizontal_fov: float = 80.0

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"width and height must be positive, not {self.width}×{self.height}")
        if not 0.0 < self.horizontal_fov < 180.0:
            raise ValueError(f"horizontal_fov must be in (0, 180), not {self.horizontal_fov}")
        if not -90.0 < self.elevation_min < self.elevation_max < 90.0:
            raise ValueError(
                "elevation_min must be below elevation_max and both in (-90, 90), "
                f"not {self.elevation_min} and {self.elevation_max}"
            )

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
        top = round(height / 2.0 - focal * math.tan(math.radians(self.elevation_max)))
        bottom = round(height / 2.0 - focal * math.tan(math.radians(self.elevation_min)))
        if top < 0 or bottom > height or bottom <= top:
            raise ObservationError(
                f"image: {width}×{height} pixels at {self.horizontal_fov:g}° do not show "
                f"elevations {self.elevation_min:g}° to {self.elevation_max:g}°"
            )
        return top, bottom

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
        if image.ndim != 3 or image.shape[2] != 3:
            raise ObservationError(f"image: shape {image.shape}, expected (rows, columns, 3)")
        if image.dtype != np.uint8:
            raise ObservationError(f"image: values of type {image.dtype}, expected uint8")
        top, bottom = self.rows(image.shape[0], image.shape[1])
        band = np.ascontiguousarray(image[top:bottom])
        small = cv2.resize(band, (self.width, self.height), interpolation=cv2.INTER_AREA)
        planes = np.ascontiguousarray(small.transpose(2, 0, 1), dtype=np.float32)
        shares: np.ndarray = planes / np.float32(255.0)
        return shares

    def read(self, message: Any, decode_image: DecodeImage = rgb) -> np.ndarray:
        """See `View.read`."""
        return self(decode_image(message))

    def pack(self, values: np.ndarray) -> np.ndarray:
        """In steps of 1/255, as uint8."""
        return np.rint(values * 255.0).astype(np.uint8)

    def unpack(self, stored: np.ndarray) -> np.ndarray:
        """See `View.unpack`."""
        shares: np.ndarray = stored.astype(np.float32) / np.float32(255.0)
        return shares
