# SPDX-License-Identifier: Apache-2.0
"""Point clouds of any layout become the nearest point in each direction."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.views.point_cloud import PointCloudView

VIEW = PointCloudView(8, 4, azimuth=(-90.0, 90.0), elevation=(-20.0, 20.0), max_range=10.0)
FLOAT32, FLOAT64, UINT8 = 7, 8, 2


def field(name: str, offset: int, datatype: int = FLOAT32, count: int = 1) -> object:
    return SimpleNamespace(name=name, offset=offset, datatype=datatype, count=count)


def cloud(
    points: np.ndarray,
    *,
    double: bool = False,
    big: bool = False,
    rows: int = 1,
    padding: int = 0,
    before: int = 0,
    behind: int = 0,
) -> object:
    """A message of points (n, 3), with other fields around them and bytes behind rows."""
    size, datatype = (8, FLOAT64) if double else (4, FLOAT32)
    values = points.astype(f"{'>' if big else '<'}f{size}")
    coordinates = np.ascontiguousarray(values).view(np.uint8).reshape(len(points), 3 * size)
    step = before + 3 * size + behind
    packed = np.pad(coordinates, ((0, 0), (before, behind)), constant_values=201)
    width = len(points) // rows
    lines = packed.reshape(rows, width * step)
    lines = np.pad(lines, ((0, 0), (0, padding)), constant_values=202)
    others = [field("ring", 0, UINT8)] if before else []
    return SimpleNamespace(
        height=rows,
        width=width,
        fields=[*others, *(field(n, before + i * size, datatype) for i, n in enumerate("xyz"))],
        is_bigendian=big,
        point_step=step,
        row_step=lines.shape[1],
        data=lines.reshape(-1),
        is_dense=True,
    )


coordinates = st.floats(-20.0, 20.0, width=32)
clouds = st.integers(0, 30).flatmap(lambda n: arrays(np.float32, (n, 3), elements=coordinates))


def expected(points: np.ndarray, view: PointCloudView = VIEW) -> np.ndarray:
    """Point by point, by the words of the docstring."""
    grid = np.full(view.shape, 1.0)
    (right, left), (low, high) = view.azimuth, view.elevation
    for x, y, z in points.astype(float):
        distance = math.hypot(x, y, z)
        if not 0.0 < distance < math.inf:
            continue
        azimuth = math.degrees(math.atan2(y, x))
        elevation = math.degrees(math.asin(z / distance))
        if right <= azimuth <= left and low <= elevation <= high:
            column = min(int((left - azimuth) / (left - right) * view.width), view.width - 1)
            row = min(int((high - elevation) / (high - low) * view.height), view.height - 1)
            share = min(distance / view.max_range, 1.0)
            grid[0, row, column] = min(grid[0, row, column], share)
    return grid


@given(clouds)
def test_each_cell_has_its_nearest_point_and_points_outside_are_left_out(points) -> None:
    result = VIEW.read(cloud(points))
    assert result.shape == VIEW.shape == (1, 4, 8)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected(points), atol=1e-5)


@given(
    points=clouds,
    double=st.booleans(),
    big=st.booleans(),
    padding=st.integers(0, 9),
    before=st.integers(0, 5),
    behind=st.integers(0, 5),
    organised=st.booleans(),
)
def test_the_layout_of_a_cloud_makes_no_difference(
    points, double, big, padding, before, behind, organised
) -> None:
    rows = 2 if organised and len(points) % 2 == 0 else 1
    message = cloud(
        points,
        double=double,
        big=big,
        rows=rows,
        padding=padding,
        before=before,
        behind=behind,
    )
    np.testing.assert_array_equal(VIEW.read(message), VIEW(points))


def test_coordinates_may_come_in_any_order() -> None:
    points = np.array([[3.0, 1.0, 0.2], [2.0, -1.0, 0.1]])
    message = cloud(points[:, [2, 0, 1]])
    for coordinate, offset in (("z", 0), ("x", 4), ("y", 8)):
        next(f for f in message.fields if f.name == coordinate).offset = offset
    np.testing.assert_array_equal(VIEW.read(message), VIEW(points.astype(np.float32)))


@pytest.mark.parametrize("rows", [1, 3])
def test_in_an_empty_cloud_nothing_is_there(rows) -> None:
    assert (VIEW.read(cloud(np.empty((0, 3)), rows=rows)) == 1.0).all()
    nothing = cloud(np.empty((0, 3)))
    nothing.height, nothing.data = 0, b""
    assert (VIEW.read(nothing) == 1.0).all()


@given(
    arrays(np.float64, (20, 3), elements=st.floats(width=64)),
    st.booleans(),
)
def test_whatever_a_cloud_holds_the_result_is_shares(points, double) -> None:
    with np.errstate(over="ignore"):
        result = PointCloudView(6, 3, max_range=2.0).read(cloud(points, double=double))
    assert np.isfinite(result).all()
    assert (result >= 0.0).all()
    assert (result <= 1.0).all()


@pytest.mark.parametrize("point", [(0, 0, 0), (np.nan, 1, 0), (1, np.inf, 0), (-3, 0, 0)])
def test_what_is_no_point_ahead_is_left_out(point) -> None:
    points = np.array([(2.0, 0.1, 0.1), point])
    np.testing.assert_array_equal(VIEW(points), VIEW(points[:1]))


def test_a_cell_is_where_its_direction_is() -> None:
    """Left of straight ahead is left of the middle, above it is above."""
    (row, column) = np.argwhere(VIEW(np.array([[2.0, 0.5, 0.2]]))[0] < 1.0)[0]
    assert (row, column) == (1, 3)
    (row, column) = np.argwhere(VIEW(np.array([[2.0, -0.5, -0.2]]))[0] < 1.0)[0]
    assert (row, column) == (2, 4)


def test_a_whole_turn_has_no_seam_behind() -> None:
    view = PointCloudView(8, 1, max_range=10.0)
    for y in (-1e-9, 0.0, 1e-9, -0.0):
        assert (view(np.array([[-2.0, y, 0.0]])) < 1.0).sum() == 1


def changed(**fields) -> object:
    return SimpleNamespace(**{**vars(cloud(np.ones((4, 3)), rows=2)), **fields})


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (changed(fields=[]), "fields: no 'x' among none"),
        (changed(fields=[field("x", 0), field("y", 4)]), "fields: no 'z' among x, y"),
        (changed(fields=[field(n, 0, UINT8) for n in "xyz"]), "fields: x must be one float32"),
        (changed(fields=[field(n, 0, 99) for n in "xyz"]), "fields: x must be one float32"),
        (changed(fields=[field(n, 0, count=3) for n in "xyz"]), "fields: x must be one float32"),
        (changed(fields=[field(n, 9) for n in "xyz"]), "fields: x ends at byte 13 of a point"),
        (changed(point_step=0), "fields: x ends at byte 4 of a point of 0"),
        (changed(row_step=23), "row_step: 23 bytes, but 2 points need 24"),
        (changed(width=3), "row_step: 24 bytes, but 3 points need 36"),
        (changed(height=3), "data: 48 bytes, but 3 rows of 24 are 72"),
        (changed(data=b""), "data: 0 bytes"),
        (changed(width=2**31), "row_step: "),
    ],
)
def test_a_message_that_does_not_fit_names_the_field(message, reason) -> None:
    with pytest.raises(ObservationError, match=reason):
        VIEW.read(message)
