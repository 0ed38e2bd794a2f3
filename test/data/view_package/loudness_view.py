# SPDX-License-Identifier: Apache-2.0
"""How loud a recording of a microphone is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from m2vae_ros.sensors import ObservationError, View


@dataclass(frozen=True)
class LoudnessView(View):
    """The mean square of the samples, in units of the loudest.

    Attributes:
        loudest: what becomes 1.
    """

    kind: ClassVar[str] = "loudness"
    types: ClassVar[tuple[str, ...]] = ("audio_common_msgs/msg/AudioData",)

    loudest: float = 1.0

    @property
    def shape(self) -> tuple[int]:
        """Shape of the result."""
        return (1,)

    def read(self, message: Any) -> np.ndarray:
        """See `View.read`."""
        samples = np.asarray(message.data, dtype=np.float32)
        if not samples.size:
            raise ObservationError("data: is empty")
        return np.minimum(np.square(samples).mean(keepdims=True) / self.loudest, 1.0)
