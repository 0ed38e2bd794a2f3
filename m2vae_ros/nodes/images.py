# SPDX-License-Identifier: Apache-2.0
"""From a sensor_msgs/Image to an array of red, green and blue.

Where cv_bridge is installed it converts, and every colour encoding it knows is understood;
elsewhere numpy reads the four that cameras and simulators send most.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from sensor_msgs.msg import Image

from m2vae_ros.sensors import ObservationError

try:
    from cv_bridge import CvBridge, CvBridgeError
except ImportError:
    CvBridge = None

# encoding -> (bytes for each pixel, which of them are red, green and blue)
COLOUR_ENCODINGS = {
    "rgb8": (3, slice(0, 3)),
    "bgr8": (3, slice(2, None, -1)),
    "rgba8": (4, slice(0, 3)),
    "bgra8": (4, slice(2, None, -1)),
}
GREY_ENCODINGS = ("mono8", "mono16", "8UC1", "16UC1", "32FC1")


def rgb(message: Image) -> np.ndarray:
    """The image of a message.

    Returns:
        uint8 (height, width, 3), red, green, blue.

    Raises:
        ObservationError: names the encoding or the size that does not fit.
    """
    if message.encoding in GREY_ENCODINGS:
        raise ObservationError(f"encoding: {message.encoding} has no colour, colour is needed")
    if message.height == 0 or message.width == 0:
        raise ObservationError(f"width, height: {message.width}×{message.height} is no image")
    expected = message.step * message.height
    if len(message.data) != expected:
        raise ObservationError(
            f"data: {len(message.data)} bytes, but step {message.step} × height "
            f"{message.height} are {expected}"
        )
    return CONVERTERS[0](message)


def rgb_with_numpy(message: Image) -> np.ndarray:
    """`rgb` of a message whose length is right, without cv_bridge."""
    try:
        depth, channels = COLOUR_ENCODINGS[message.encoding]
    except KeyError:
        raise ObservationError(
            f"encoding: {message.encoding!r} is not one of {', '.join(COLOUR_ENCODINGS)}"
        ) from None
    if message.step < depth * message.width:
        raise ObservationError(
            f"step: {message.step} bytes, but {message.width} pixels of {message.encoding} need "
            f"{depth * message.width}"
        )
    # Rows may be padded; single bytes have no byte order, so is_bigendian does not matter.
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    pixels = rows[:, : depth * message.width].reshape(message.height, message.width, depth)
    return np.ascontiguousarray(pixels[..., channels])


def rgb_with_cv_bridge(message: Image) -> np.ndarray:
    """`rgb` of a message whose length is right, by cv_bridge."""
    try:
        return CvBridge().imgmsg_to_cv2(message, "rgb8")
    except (CvBridgeError, TypeError, ValueError) as error:
        raise ObservationError(f"encoding: {message.encoding!r}: {error}") from error


CONVERTERS: tuple[Callable[[Image], np.ndarray], ...] = (
    (rgb_with_cv_bridge, rgb_with_numpy) if CvBridge is not None else (rgb_with_numpy,)
)


def image_message(image: np.ndarray) -> Image:
    """An rgb8 message, without its header, of a uint8 image (height, width, 3)."""
    height, width, depth = image.shape
    message = Image(height=height, width=width, encoding="rgb8", step=width * depth)
    message.is_bigendian = sys.byteorder == "big"
    # An array.array is taken over as it is; rclpy would check a list or bytes value by value.
    message.data.frombytes(np.ascontiguousarray(image).data)
    return message
