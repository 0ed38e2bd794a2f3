# SPDX-License-Identifier: Apache-2.0
"""A point cloud becomes a range image: how far away the nearest point is in each direction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.view import PictureView, Unit, check_positive

_TYPES = {7: "f4", 8: "f8"}
"""Of a sensor_msgs/PointField with coordinates, in numpy's letters."""


@dataclass(frozen=True)
class PointCloudView(PictureView):
    """The nearest point in each cell of a grid of directions, seen from the cloud's origin.

    Attributes:
        width: columns, from left to right.
        height: rows, from top to bottom.
        azimuth: from the right edge to the left one, degrees counter-clockwise from the x axis.
        elevation: from the lower edge to the upper one, degrees above the horizon.
        max_range: metres that become 1; a cell without a point is 1 too.
    """

    kind: ClassVar[str] = "point_cloud"
    types: ClassVar[tuple[str, ...]] = ("sensor_msgs/msg/PointCloud2",)
    limits: ClassVar[tuple[str, ...]] = ("max_range",)

    width: int = 64
    height: int = 16
    azimuth: tuple[float, float] = (-180.0, 180.0)
    elevation: tuple[float, float] = (-15.0, 15.0)
    max_range: float = 10.0

    def __post_init__(self) -> None:
        check_positive(self, "width", "height", "max_range")
        for name, limit in (("azimuth", 180.0), ("elevation", 90.0)):
            low, high = getattr(self, name)
            if not -limit <= low < high <= limit:
                raise ValueError(
                    f"{name}: must rise and lie in [-{limit:g}, {limit:g}], "
                    f"not from {low} to {high}"
                )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the result: one channel, rows, columns."""
        return (1, self.height, self.width)

    @property
    def unit(self) -> Unit:
        """See `View.unit`."""
        return Unit("m", self.max_range)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Sort points into the grid.

        Args:
            points: (n, 3), metres; those that are not finite are left out.

        Returns:
            float32 (1, height, width) in [0, 1].
        """
        points = np.asarray(points, dtype=np.float64)
        x, y, z = points[np.isfinite(points).all(1)].T
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            distance = np.sqrt(x * x + y * y + z * z)
            elevation = np.degrees(np.arcsin(np.clip(z / distance, -1.0, 1.0)))
        column = _cell(self.azimuth[1] - np.degrees(np.arctan2(y, x)), self.azimuth, self.width)
        row = _cell(self.elevation[1] - elevation, self.elevation, self.height)
        inside = (distance > 0.0) & (column >= 0) & (row >= 0)
        grid = np.full((self.height, self.width), self.max_range)
        np.minimum.at(grid, (row[inside], column[inside]), distance[inside])
        shares: np.ndarray = (grid / self.max_range).astype(np.float32).reshape(self.shape)
        return shares

    def read(self, message: Any) -> np.ndarray:
        """See `View.read`."""
        check(message)
        return self(points(message))


def check(message: Any) -> None:
    """Make sure that a sensor_msgs/PointCloud2 has points with coordinates.

    Raises:
        ObservationError: names the field that does not fit.
    """
    fields = {field.name: field for field in message.fields}
    for name in "xyz":
        if name not in fields:
            raise ObservationError(f"fields: no {name!r} among {', '.join(fields) or 'none'}")
        field = fields[name]
        if field.datatype not in _TYPES or field.count > 1:
            raise ObservationError(f"fields: {name} must be one float32 or float64 of each point")
        end = field.offset + int(_TYPES[field.datatype][1])
        if end > message.point_step:
            raise ObservationError(
                f"fields: {name} ends at byte {end} of a point of {message.point_step}"
            )
    if message.row_step < message.width * message.point_step:
        raise ObservationError(
            f"row_step: {message.row_step} bytes, but {message.width} points need "
            f"{message.width * message.point_step}"
        )
    if len(message.data) != message.height * message.row_step:
        raise ObservationError(
            f"data: {len(message.data)} bytes, but {message.height} rows of {message.row_step} are "
            f"{message.height * message.row_step}"
        )


def points(message: Any) -> np.ndarray:
    """The coordinates (n, 3) in a message that passed `check`.

    sensor_msgs_py takes messages of rclpy alone, and knows no bytes between the rows.
    """
    order = ">" if message.is_bigendian else "<"
    fields = {field.name: field for field in message.fields}
    layout = np.dtype(
        {
            "names": list("xyz"),
            "formats": [order + _TYPES[fields[name].datatype] for name in "xyz"],
            "offsets": [fields[name].offset for name in "xyz"],
            "itemsize": message.point_step,
        }
    )
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.row_step)
    packed = np.ascontiguousarray(rows[:, : message.width * message.point_step])
    found = packed.reshape(-1).view(layout)
    return np.stack([found[name].astype(np.float64) for name in "xyz"], axis=1)


def _cell(behind: np.ndarray, limits: tuple[float, float], cells: int) -> np.ndarray:
    """The cell of each angle, counted from the upper limit; -1 outside."""
    span = limits[1] - limits[0]
    if math.isclose(span, 360.0):
        behind = np.mod(behind, 360.0)
    with np.errstate(invalid="ignore"):
        found = np.floor(behind / span * cells)
    # the lower limit itself belongs to the last cell
    found = np.where((found == cells) & (behind <= span), cells - 1, found)
    inside = (found >= 0) & (found < cells)
    return np.where(inside, found, -1).astype(int)
