# SPDX-License-Identifier: Apache-2.0
"""What all views have in common: a raw reading becomes an array of fixed size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np

from m2vae_ros.sensors.images import rgb

DecodeImage = Callable[[Any], np.ndarray]
"""Makes a uint8 image (rows, columns, 3) of a sensor_msgs/Image."""


class View(ABC):
    """From a raw sensor reading to the array that the model takes.

    The samples for training and the running nodes go through the same views, so what a model was
    trained on is what it is given later. A view is plain data and travels in the card of the
    weights; each is a frozen dataclass.

    Attributes:
        kind: names the class in a card.
        measures: what of a simulated sensor it takes: "image", "ranges" or "intensities".
        packed: the type that samples are stored as.
    """

    kind: ClassVar[str]
    measures: ClassVar[str]
    packed: ClassVar[type] = np.float32
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""

    @abstractmethod
    def read(self, message: Any, decode_image: DecodeImage = rgb) -> np.ndarray:
        """What the model takes of a sensor's message: float32 of the view's shape, in [0, 1].

        Messages are taken by their fields, so those of rclpy and those of rosbags are equally
        welcome.

        Raises:
            ObservationError: names the field of the message and what is wrong with it.
        """

    def pack(self, values: np.ndarray) -> np.ndarray:
        """What `read` gave, as it is stored."""
        return values

    def unpack(self, stored: np.ndarray) -> np.ndarray:
        """The inverse of `pack`, but for rounding."""
        return stored

    def to_card(self) -> dict[str, Any]:
        """The view as plain data, for the card of the weights."""
        return {"kind": self.kind, **asdict(self)}
