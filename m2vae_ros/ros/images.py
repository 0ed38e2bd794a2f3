# SPDX-License-Identifier: Apache-2.0
"""Messages of pictures."""

from __future__ import annotations

import sys

import numpy as np
from sensor_msgs.msg import Image


def image_message(image: np.ndarray) -> Image:
    """A message, without its header, of a uint8 image.

    Args:
        image: (height, width, 3), which is rgb8, or (height, width), which is mono8.
    """
    height, width = image.shape[:2]
    message = Image(height=height, width=width, step=image[0].nbytes)
    message.encoding = "rgb8" if image.ndim == 3 else "mono8"
    message.is_bigendian = sys.byteorder == "big"
    # An array.array is taken over as it is; rclpy would check a list or bytes value by value.
    message.data.frombytes(np.ascontiguousarray(image).data)
    return message
