# SPDX-License-Identifier: Apache-2.0
"""From a sensor_msgs/Image, of whatever library read it, to an array of red, green and blue."""

from __future__ import annotations

from typing import Any

import numpy as np

from m2vae_ros.sensors.observation import ObservationError

# encoding -> (bytes for each pixel, which of them are red, green and blue)
COLOUR_ENCODINGS = {
    "rgb8": (3, slice(0, 3)),
    "bgr8": (3, slice(2, None, -1)),
    "rgba8": (4, slice(0, 3)),
    "bgra8": (4, slice(2, None, -1)),
}
GREY_ENCODINGS = ("mono8", "mono16", "8UC1", "16UC1", "32FC1")


def rgb(message: Any) -> np.ndarray:
    """The image of a message in one of `COLOUR_ENCODINGS`.

    Returns:
        uint8 (height, width, 3), red, green, blue.

    Raises:
        ObservationError: names the encoding or the size that does not fit.
    """
    check(message)
    return rgb_with_numpy(message)


def check(message: Any) -> None:
    """Make sure that a message can be a colour image, whatever its encoding is.

    Raises:
        ObservationError: it has no colour, no pixels, or not as many bytes as it says.
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


def rgb_with_numpy(message: Any) -> np.ndarray:
    """`rgb` of a message that passed `check`."""
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
