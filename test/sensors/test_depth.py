# SPDX-License-Identifier: Apache-2.0
"""Depth images: how far away each part of the picture is."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.views.depth import METRES, DepthView

TYPES = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4"}


def message(depth: np.ndarray, encoding: str, big: bool = False, padding: int = 0) -> object:
    """A message of depths in metres, with bytes of no meaning behind each row."""
    order = ">" if big else "<"
    unit = METRES[encoding]
    if TYPES[encoding] == "u2":
        depth = np.rint(depth / unit)
    values = np.ascontiguousarray(depth.astype(order + TYPES[encoding]))
    rows = np.pad(values.view(np.uint8), ((0, 0), (0, padding)), constant_values=99)
    return SimpleNamespace(
        height=depth.shape[0],
        width=depth.shape[1],
        encoding=encoding,
        is_bigendian=int(big),
        step=rows.shape[1],
        data=rows.reshape(-1),
    )


sizes = st.tuples(st.integers(1, 30), st.integers(1, 30))


@pytest.mark.parametrize("encoding", METRES)
@given(depth=st.floats(0.01, 20.0), size=sizes, big=st.booleans(), padding=st.integers(0, 4))
def test_a_wall_is_as_far_as_it_is_in_every_encoding(encoding, depth, size, big, padding) -> None:
    view = DepthView(5, 3, max_depth=10.0)
    result = view.read(message(np.full(size, depth), encoding, big, padding))
    assert result.shape == view.shape == (1, 3, 5)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, min(depth / 10.0, 1.0), atol=1e-4)


@given(
    blocks=arrays(np.float64, (3, 5), elements=st.floats(0.1, 9.0)),
    scale=st.integers(1, 6),
    encoding=st.sampled_from(sorted(METRES)),
)
def test_what_lies_in_one_area_is_averaged(blocks, scale, encoding) -> None:
    view = DepthView(5, 3, max_depth=10.0)
    larger = np.kron(blocks, np.ones((scale, scale)))
    result = view.read(message(larger, encoding))
    np.testing.assert_allclose(result[0], blocks / 10.0, atol=1e-4)


@pytest.mark.parametrize("nothing", [0.0, -1.0, np.nan, np.inf, -np.inf, 11.0])
def test_where_nothing_is_seen_nothing_is_there(nothing) -> None:
    depth = np.full((6, 10), 2.0)
    depth[:, 5:] = nothing
    result = DepthView(10, 6, max_depth=10.0).read(message(depth, "32FC1"))
    np.testing.assert_allclose(result[0, :, :5], 0.2)
    np.testing.assert_array_equal(result[0, :, 5:], 1.0)


@given(
    depth=arrays(np.float32, sizes, elements=st.floats(width=32)),
    small=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_any_floats_are_shares_or_refused(depth, small) -> None:
    view = DepthView(*small, max_depth=3.0)
    if np.isnan(depth).all():
        with pytest.raises(ObservationError, match="data: every depth is NaN"):
            view.read(message(depth, "32FC1"))
        return
    result = view.read(message(depth, "32FC1"))
    assert result.shape == view.shape
    assert (result >= 0.0).all()
    assert (result <= 1.0).all()
    np.testing.assert_allclose(view.unpack(view.pack(result)), result, atol=0.51 / 255)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"encoding": "rgb8"}, "encoding: 'rgb8' is no depth, which is one of 16UC1, mono16, 32F"),
        ({"encoding": "no_such"}, "encoding: 'no_such' is no depth"),
        ({"encoding": "32FC1"}, "step: 6 bytes, but 3 pixels of 32FC1 need 12"),
        ({"data": b""}, "data: 0 bytes, but step 6 × height 2 are 12"),
        ({"width": 0}, "width, height: 0×2 is no image"),
        ({"height": 0, "data": b""}, "width, height: 3×0 is no image"),
    ],
)
def test_a_message_that_does_not_fit_names_the_field(fields, reason) -> None:
    whole = message(np.ones((2, 3)), "16UC1")
    with pytest.raises(ObservationError, match=reason):
        DepthView().read(SimpleNamespace(**{**vars(whole), **fields}))


@pytest.mark.parametrize("depth", [np.ones(3), np.ones((2, 3, 1)), np.ones((0, 3))])
def test_an_array_that_is_no_depth_image_names_its_shape(depth) -> None:
    with pytest.raises(ObservationError, match="image: shape"):
        DepthView()(depth)
