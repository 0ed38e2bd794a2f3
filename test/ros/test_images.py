# SPDX-License-Identifier: Apache-2.0
"""Images of every encoding that is supported come out as the same red, green and blue."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import Image

from m2vae_ros.ros.images import image_message
from m2vae_ros.sensors import ObservationError, images
from m2vae_ros.sensors.images import GREY_ENCODINGS

ORDERS = {"rgb8": "rgb", "bgr8": "bgr", "rgba8": "rgba", "bgra8": "bgra"}

by_converter = pytest.mark.parametrize("convert", images.CONVERTERS, ids=lambda f: f.__name__)


def message_of(picture: np.ndarray, encoding: str, padding: int) -> Image:
    """A message with `padding` bytes at the end of each row."""
    height, width, _ = picture.shape
    channels = {"r": 0, "g": 1, "b": 2}
    opaque = np.full((height, width, 1), 255, np.uint8)
    pixels = np.concatenate([picture, opaque], axis=2)[
        ..., [channels.get(c, 3) for c in ORDERS[encoding]]
    ]
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (0, padding)), constant_values=7)
    message = Image(height=height, width=width, encoding=encoding, step=rows.shape[1])
    message.data.frombytes(rows.tobytes())
    return message


@by_converter
@given(
    seed=st.integers(0, 2**31),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    encoding=st.sampled_from(sorted(ORDERS)),
    padding=st.integers(0, 5),
    big_endian=st.booleans(),
)
def test_any_encoding_row_length_and_byte_order_gives_the_same_picture(
    convert, seed, size, encoding, padding, big_endian
) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    message = message_of(picture, encoding, padding)
    message.is_bigendian = int(big_endian)
    np.testing.assert_array_equal(convert(message, "rgb8"), picture)
    np.testing.assert_array_equal(images.picture(message), picture)


def test_a_picture_survives_the_way_into_a_message_and_back() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(images.picture(image_message(picture)), picture)
    grey = np.ascontiguousarray(picture[..., 0])
    np.testing.assert_array_equal(images.picture(image_message(grey), "mono8"), grey)


def test_an_unknown_encoding_is_named() -> None:
    message = image_message(np.zeros((4, 4, 3), np.uint8))
    message.encoding = "no_such_encoding"
    with pytest.raises(ObservationError, match="no_such_encoding"):
        images.picture(message)


@pytest.mark.parametrize("encoding", GREY_ENCODINGS)
def test_an_image_without_colour_is_refused_by_name(encoding: str) -> None:
    with pytest.raises(ObservationError, match=f"encoding: {encoding} has no colour"):
        images.picture(Image(height=1, width=1, step=4, encoding=encoding, data=[0] * 4))
