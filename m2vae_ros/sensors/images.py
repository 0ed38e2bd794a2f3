# SPDX-License-Identifier: Apache-2.0
"""From a sensor_msgs/Image or CompressedImage, of whatever library read it, to an array.

Where cv_bridge is installed it converts, elsewhere rosbags-image, which knows the same encodings.

OpenCV, which both need, is loaded with the first picture: robots without a camera do without it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from m2vae_ros.sensors.observation import ObservationError

RAW = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"

Encoding = Literal["rgb8", "mono8"]

Band = Callable[[int, int], tuple[int, int]]
"""Of height and width of an image (pixels): the first row that counts, and that after the last."""

NOT_ROW_BY_ROW = ("bayer", "nv")
"""Beginnings of encodings in which the colours of a row are those of other rows, too."""

GREY_ENCODINGS = ("mono8", "mono16", "8UC1", "16UC1", "32FC1")


def whole(height: int, width: int) -> tuple[int, int]:
    """The band that is all of an image."""
    return 0, height


def picture(message: Any, encoding: Encoding = "rgb8", band: Band = whole) -> np.ndarray:
    """The picture of a message, raw or compressed.

    Args:
        message: a sensor_msgs/Image of any encoding that cv_bridge knows, or a CompressedImage.
        encoding: of the result: "rgb8" for red, green, blue; "mono8" for grey.
        band: gives the rows that are wanted; of raw messages the others are not touched.

    Returns:
        uint8 (rows, width, 3) or (rows, width).

    Raises:
        ObservationError: names the field that does not fit; what `band` raises.
    """
    if hasattr(message, "format"):
        shown = _unpacked(message, encoding)
    else:
        check(message)
        _check_encoding(message.encoding, encoding)
        if not message.encoding.startswith(NOT_ROW_BY_ROW):
            rows = _rows(message, *band(message.height, message.width))
            return CONVERTERS[0](rows, encoding)
        shown = CONVERTERS[0](message, encoding)
    return shown[slice(*band(*shown.shape[:2]))]


def _rows(message: Any, first: int, end: int) -> Any:
    """Some rows of a raw message that passed `check`, as a message."""
    return SimpleNamespace(
        height=end - first,
        width=message.width,
        encoding=message.encoding,
        step=message.step,
        is_bigendian=message.is_bigendian,
        data=memoryview(message.data)[first * message.step : end * message.step],
    )


def _check_encoding(given: str, encoding: Encoding) -> None:
    from rosbags.image.image import Format, to_cvtype

    instead = "; the view depth reads its numbers" if given == "32FC1" else ""
    if encoding == "rgb8" and given in GREY_ENCODINGS:
        raise ObservationError(f"encoding: {given} has no colour, colour is needed{instead}")
    _, form, values, channels = to_cvtype(given)
    # what else there may be in 32 bits, say, has no white to be compared with
    if form == Format.GENERIC and values not in ("uint8", "uint16"):
        raise ObservationError(f"encoding: {given} has no brightness of 8 or 16 bits{instead}")
    if form == Format.GENERIC and channels not in (1, 3, 4):
        raise ObservationError(f"encoding: {given!r} has {channels} channels, expected 1, 3 or 4")


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
    small = averaged(np.ascontiguousarray(image), width, height)
    planes = small.reshape(height, width, channels).transpose(2, 0, 1)
    shares: np.ndarray = np.ascontiguousarray(planes, dtype=np.float32) / np.float32(255.0)
    return shares


def averaged(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """An image of another size, whose pixels are means of areas: (height, width, ...)."""
    import cv2

    small: np.ndarray = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return small


def as_message(image: np.ndarray) -> Any:
    """What has the fields of an rgb8 message, of a uint8 image (height, width, 3)."""
    height, width, depth = image.shape
    return SimpleNamespace(
        height=height,
        width=width,
        encoding="rgb8",
        step=width * depth,
        is_bigendian=0,
        data=np.ascontiguousarray(image).reshape(-1),
    )


def check(message: Any) -> None:
    """Make sure that a message can be an image.

    Raises:
        ObservationError: it has no pixels, not as many bytes as it says, or no known encoding.
    """
    if message.height == 0 or message.width == 0:
        raise ObservationError(f"width, height: {message.width}×{message.height} is no image")
    expected = message.step * message.height
    if len(message.data) != expected:
        raise ObservationError(
            f"data: {len(message.data)} bytes, but step {message.step} × height "
            f"{message.height} are {expected}"
        )
    needed = message.width * _bytes_of_a_pixel(message.encoding)
    if message.step < needed:
        raise ObservationError(
            f"step: {message.step} bytes, but {message.width} pixels of {message.encoding} need "
            f"{needed}"
        )


def pixels(message: Any) -> np.ndarray:
    """The pixels of a raw message as they are, (height, width) or (height, width, channels).

    Raises:
        ObservationError: names the field that does not fit.
    """
    from rosbags.image import image_to_cvimage

    check(message)
    found: np.ndarray = image_to_cvimage(_without_padding(message))
    return found


def picture_by_rosbags(message: Any, encoding: Encoding) -> np.ndarray:
    """`picture` of a raw message that passed `check`."""
    import cv2
    from rosbags.image import ImageError, image_to_cvimage

    try:
        found: np.ndarray = image_to_cvimage(_without_padding(message), encoding)
    except (ImageError, cv2.error) as error:
        raise ObservationError(f"encoding: {message.encoding!r}: {error}") from error
    return np.ascontiguousarray(found)


def picture_by_cv_bridge(message: Any, encoding: Encoding) -> np.ndarray:
    """`picture` of a raw message that passed `check`, by cv_bridge."""
    from cv_bridge import CvBridge, CvBridgeError

    try:
        found: np.ndarray = CvBridge().imgmsg_to_cv2(message, encoding)
    except (CvBridgeError, TypeError, ValueError) as error:
        raise ObservationError(f"encoding: {message.encoding!r}: {error}") from error
    return found


CONVERTERS: tuple[Callable[[Any, Encoding], np.ndarray], ...] = (
    (picture_by_cv_bridge, picture_by_rosbags) if find_spec("cv_bridge") else (picture_by_rosbags,)
)


def _bytes_of_a_pixel(encoding: str) -> int:
    from rosbags.image import ImageError
    from rosbags.image.image import to_cvtype

    try:
        depth, _, _, channels = to_cvtype(encoding)
    except ImageError as error:
        raise ObservationError(f"encoding: {encoding!r} is not known") from error
    return depth // 8 * channels


def _without_padding(message: Any) -> Any:
    """The message, its rows one behind the other."""
    needed = message.width * _bytes_of_a_pixel(message.encoding)
    data = np.frombuffer(message.data, np.uint8)
    if message.step > needed:
        data = np.ascontiguousarray(data.reshape(message.height, message.step)[:, :needed])
    return SimpleNamespace(
        height=message.height,
        width=message.width,
        encoding=message.encoding,
        is_bigendian=bool(message.is_bigendian),
        data=data,
    )


def _unpacked(message: Any, encoding: Encoding) -> np.ndarray:
    import cv2

    data = np.frombuffer(message.data, np.uint8)
    if not data.size:
        raise ObservationError("data: is empty")
    mode = cv2.IMREAD_COLOR if encoding == "rgb8" else cv2.IMREAD_GRAYSCALE
    try:
        found = cv2.imdecode(data, mode)
    except cv2.error as error:
        raise ObservationError(f"data: {error}") from error
    if found is None:
        raise ObservationError(f"data: not an image ({message.format!r})")
    picture: np.ndarray = cv2.cvtColor(found, cv2.COLOR_BGR2RGB) if encoding == "rgb8" else found
    return picture
