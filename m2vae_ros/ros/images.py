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
from m2vae_ros.sensors.images import check, rgb_with_numpy

try:
    from cv_bridge import CvBridge, CvBridgeError
except ImportError:
    CvBridge = None


def rgb(message: Image) -> np.ndarray:
    """The image of a message.

    Returns:
        uint8 (height, width, 3), red, green, blue.

    Raises:
        ObservationError: names the encoding or the size that does not fit.
    """
    check(message)
    return CONVERTERS[0](message)


def rgb_with_cv_bridge(message: Image) -> np.ndarray:
    """`rgb` of a message whose length is right, by cv_bridge."""
    try:
        image: np.ndarray = CvBridge().imgmsg_to_cv2(message, "rgb8")
    except (CvBridgeError, TypeError, ValueError) as error:
        raise ObservationError(f"encoding: {message.encoding!r}: {error}") from error
    return image


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
