# SPDX-License-Identifier: Apache-2.0
"""A picture, in colour or grey, raw or compressed: the whole of it, made small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from m2vae_ros.sensors.images import COMPRESSED, RAW, picture, reduced
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
