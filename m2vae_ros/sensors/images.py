# SPDX-License-Identifier: Apache-2.0
"""From a sensor_msgs/Image or CompressedImage, of whatever library read it, to an array.

Where cv_bridge is installed it converts, elsewhere rosbags-image, which knows the same encodings.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal

import cv2
import numpy as np
from rosbags.image import ImageError, image_to_cvimage
from rosbags.image.image import Format, to_cvtype

from m2vae_ros.sensors.observation import ObservationError

try:
    from cv_bridge import CvBridge, CvBridgeError
except ImportError:
    CvBridge = None

RAW = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"

Encoding = Literal["rgb8", "mono8"]

GREY_ENCODINGS = ("mono8", "mono16", "8UC1", "16UC1", "32FC1")


def picture(message: Any, encoding: Encoding = "rgb8") -> np.ndarray:
    """The picture of a message, raw or compressed.

    Args:
        message: a sensor_msgs/Image of any encoding that cv_bridge knows, or a CompressedImage.
        encoding: of the result: "rgb8" for red, green, blue; "mono8" for grey.

    Returns:
        uint8 (height, width, 3) or (height, width).

    Raises:
        ObservationError: names the field that does not fit.
    """
    if hasattr(message, "format"):
        return _unpacked(message, encoding)
    check(message)
    if encoding == "rgb8" and message.encoding in GREY_ENCODINGS:
        raise ObservationError(f"encoding: {message.encoding} has no colour, colour is needed")
    _, form, values, _ = to_cvtype(message.encoding)
    # what else there may be in 32 bits, say, has no white to be compared with
    if form == Format.GENERIC and values not in ("uint8", "uint16"):
        raise ObservationError(f"encoding: {message.encoding} has no brightness of 8 or 16 bits")
    return CONVERTERS[0](message, encoding)


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
    check(message)
    found: np.ndarray = image_to_cvimage(_without_padding(message))
    return found


def picture_by_rosbags(message: Any, encoding: Encoding) -> np.ndarray:
    """`picture` of a raw message that passed `check`."""
    try:
        found: np.ndarray = image_to_cvimage(_without_padding(message), encoding)
    except (ImageError, cv2.error) as error:
        raise ObservationError(f"encoding: {message.encoding!r}: {error}") from error
    return np.ascontiguousarray(found)


def picture_by_cv_bridge(message: Any, encoding: Encoding) -> np.ndarray:
    """`picture` of a raw message that passed `check`, by cv_bridge."""
    try:
        found: np.ndarray = CvBridge().imgmsg_to_cv2(message, encoding)
    except (CvBridgeError, TypeError, ValueError) as error:
        raise ObservationError(f"encoding: {message.encoding!r}: {error}") from error
    return found


CONVERTERS: tuple[Callable[[Any, Encoding], np.ndarray], ...] = (
    (picture_by_cv_bridge, picture_by_rosbags) if CvBridge is not None else (picture_by_rosbags,)
)


def _bytes_of_a_pixel(encoding: str) -> int:
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
