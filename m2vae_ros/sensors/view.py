# SPDX-License-Identifier: Apache-2.0
"""What all views have in common: a raw reading becomes an array of fixed size."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

Stream = Callable[[Any, int], "np.ndarray | None"]
"""Takes the messages of one topic with their stamps (nanoseconds), one after the other, and gives
what the model takes, or None where a message alone makes no reading."""


@dataclass(frozen=True)
class Unit:
    """How the values of a view become numbers of the sensor: offset + scale · value.

    Attributes:
        symbol: of the sensor's unit, such as "m"; "" where its messages name none.
        scale: how much above `offset` 1 is.
        offset: what 0 is.
    """

    symbol: str = ""
    scale: float = 1.0
    offset: float = 0.0


class View(ABC):
    """From a raw sensor reading to the array that the model takes.

    The samples for training and the running nodes go through the same views, so what a model was
    trained on is what it is given later. A view is plain data and travels in the card of the
    weights; each is a frozen dataclass.

    Attributes:
        kind: names the class in a suite and in a card.
        types: the types of messages it reads; none: of any type that has its fields.
        measures: what of a simulated sensor it takes: "image", "ranges" or "intensities".
        packed: the type that samples are stored as.
        limits: its fields, if any, beyond which a reading becomes 1.
    """

    kind: ClassVar[str]
    types: ClassVar[tuple[str, ...]] = ()
    measures: ClassVar[str] = ""
    packed: ClassVar[type] = np.float32
    limits: ClassVar[tuple[str, ...]] = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""

    @property
    def span(self) -> float:
        """Seconds that a reading takes; if any, none of its messages should be missed."""
        return 0.0

    @property
    def period(self) -> float:
        """Seconds from one reading to the next, at least; 0 where each message makes one."""
        return 0.0

    @property
    def unit(self) -> Unit:
        """What its values are to the sensor; by default they are the sensor's own numbers."""
        return Unit()

    @property
    def axis(self) -> tuple[str, np.ndarray]:
        """What lies along the last axis of curves, and of each value where: float64 (n,)."""
        return "number", np.arange(self.shape[-1], dtype=np.float64)

    @abstractmethod
    def read(self, message: Any) -> np.ndarray:
        """What the model takes of a sensor's message: float32 of the view's shape.

        Messages are taken by their fields, so those of rclpy and those of rosbags are equally
        welcome.

        Raises:
            ObservationError: names the field of the message and what is wrong with it.
        """

    def stream(self) -> Stream:
        """What reads the messages of one topic in order; by default each is a reading."""
        return lambda message, stamp: self.read(message)

    def pack(self, values: np.ndarray) -> np.ndarray:
        """What `read` gave, as it is stored."""
        return values

    def unpack(self, stored: np.ndarray) -> np.ndarray:
        """The inverse of `pack`, but for rounding."""
        return stored

    def display(self, values: np.ndarray) -> np.ndarray:
        """What people are shown of values, those of a decoder, too.

        Args:
            values: in the shape of the view.

        Returns:
            A picture, uint8 (rows, columns) or (rows, columns, 3), or curves, float32 (curves, n).
            By default values of one or two axes are curves, and those of more are a grey picture,
            one plane below the other, from their least to their greatest.
        """
        if len(self.shape) <= 2:
            return np.asarray(values, dtype=np.float32).reshape(-1, self.shape[-1])
        rows = np.asarray(values, dtype=np.float64).reshape(-1, self.shape[-1])
        low, high = rows.min(), rows.max()
        grey: np.ndarray = np.rint(255.0 * (rows - low) / max(high - low, 1e-12)).astype(np.uint8)
        return grey

    def band(self, height: int, width: int) -> tuple[int, int] | None:
        """Which rows of a picture of that size (pixels) the model looks at.

        Returns:
            The first, and that after the last; None if all, or if it looks at no picture.

        Raises:
            ObservationError: the picture does not show them.
        """
        return None

    @property
    def sector(self) -> tuple[float, float] | None:
        """Between which bearings (radians) the model looks at a scan; None if at no scan."""
        return None

    def to_card(self) -> dict[str, Any]:
        """The view as plain data, for the card of the weights."""
        return {"kind": self.kind, **asdict(self)}


class PictureView(View):
    """A view whose values are those of a picture, (channels, rows, columns) in [0, 1].

    One channel is grey, three are red, green and blue. They are stored as shares of 255.
    """

    packed: ClassVar[type] = np.uint8

    @property
    def unit(self) -> Unit:
        """See `View.unit`: levels of brightness, from 0 to 255."""
        return Unit("1/255", 255.0)

    def pack(self, values: np.ndarray) -> np.ndarray:
        """In steps of 1/255, as uint8."""
        return np.rint(values * 255.0).astype(np.uint8)

    def unpack(self, stored: np.ndarray) -> np.ndarray:
        """See `View.unpack`."""
        shares: np.ndarray = stored.astype(np.float32) / np.float32(255.0)
        return shares

    def display(self, values: np.ndarray) -> np.ndarray:
        """See `View.display`."""
        return self.picture(values)

    def picture(self, values: np.ndarray) -> np.ndarray:
        """What values look like, those of a decoder, too, which may lie outside [0, 1].

        Args:
            values: in the shape of the view.

        Returns:
            uint8 (rows, columns) of one channel, (rows, columns, 3) of three.
        """
        planes = self.pack(np.clip(values, 0.0, 1.0))
        shown: np.ndarray = planes[0] if len(planes) == 1 else planes.transpose(1, 2, 0)
        return shown


def check_finite(view: Any, *names: str) -> None:
    """Make sure that fields of a view are finite.

    Raises:
        ValueError: names the first that is not.
    """
    for name in names:
        if not math.isfinite(getattr(view, name)):
            raise ValueError(f"{name}: must be finite, not {getattr(view, name)}")


def check_positive(view: Any, *names: str) -> None:
    """Make sure that fields of a view are positive and finite; whole numbers stay whole.

    Raises:
        ValueError: names the first that is not.
    """
    for name in names:
        if not 0 < getattr(view, name) < float("inf"):
            raise ValueError(f"{name}: must be positive, not {getattr(view, name)}")
