# SPDX-License-Identifier: Apache-2.0
"""Messages of pictures."""

from __future__ import annotations

import sys

import numpy as np
from sensor_msgs.msg import Image


def image_message(image: np.ndarray) -> Image:
    """An rgb8 message, without its header, of a uint8 image (height, width, 3)."""
    height, width, depth = image.shape
    message = Image(height=height, width=width, encoding="rgb8", step=width * depth)
    message.is_bigendian = sys.byteorder == "big"
    # An array.array is taken over as it is; rclpy would check a list or bytes value by value.
    message.data.frombytes(np.ascontiguousarray(image).data)
    return message
