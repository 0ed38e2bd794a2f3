# SPDX-License-Identifier: Apache-2.0
"""A picture, in colour or grey, raw or compressed: the whole of it, made small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np

from m2vae_ros.sensors.images import COMPRESSED, RAW, picture
from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.view import PictureView, check_positive


@dataclass(frozen=True)
class ImageView(PictureView):
    """A picture, reduced to a small one by averaging areas.

    Attributes:
        width: columns of the result.
        height: rows of the result.
        colour: whether it is red, green and blue, or else grey.
    """

    kind: ClassVar[str] = "image"
    types: ClassVar[tuple[str, ...]] = (RAW, COMPRESSED)
    measures: ClassVar[str] = "image"

    width: int = 64
    height: int = 48
    colour: bool = True

    def __post_init__(self) -> None:
        check_positive(self, "width", "height")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the result: channels, rows, columns."""
        return (3 if self.colour else 1, self.height, self.width)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Reduce an image.

        Args:
            image: uint8 (rows, columns, 3), red, green, blue; (rows, columns) of a grey view.

        Returns:
            float32 (3 or 1, height, width) in [0, 1].

        Raises:
            ObservationError: wrong type or shape.
        """
        return reduced(image, self.shape)

    def read(self, message: Any) -> np.ndarray:
        """See `View.read`."""
        return self(picture(message, "rgb8" if self.colour else "mono8"))


def reduced(image: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """An image made small by averaging areas, its planes one behind the other.

    Args:
        image: uint8 (rows, columns, 3), or (rows, columns) for one channel.
        shape: channels (3 or 1), rows, columns of the result.

    Returns:
        float32 of that shape, in [0, 1].

    Raises:
        ObservationError: wrong type or shape.
    """
    channels, height, width = shape
    image = np.asarray(image)
    if image.shape[2:] != ((3,) if channels == 3 else ()) or image.ndim < 2 or not image.size:
        expected = "(rows, columns, 3)" if channels == 3 else "(rows, columns)"
        raise ObservationError(f"image: shape {image.shape}, expected {expected}")
    if image.dtype != np.uint8:
        raise ObservationError(f"image: values of type {image.dtype}, expected uint8")
    small = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_AREA)
    planes = small.reshape(height, width, channels).transpose(2, 0, 1)
    shares: np.ndarray = np.ascontiguousarray(planes, dtype=np.float32) / np.float32(255.0)
    return shares
