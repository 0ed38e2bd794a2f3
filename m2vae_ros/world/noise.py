# SPDX-License-Identifier: Apache-2.0
"""The noise of the sensors: what a real one would add to what the world is like.

The world file describes sensors without noise, and everything that reads them adds this one, so
that it is the same whatever simulates the world.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np


@dataclass(frozen=True)
class SensorNoise:
    """How strong the noise is.

    Attributes:
        exposure: the brightness of each image is multiplied by a factor drawn evenly from
            1 ± exposure, as by an automatic exposure that is not quite right.
        pixel: standard deviation of each colour of each pixel, of 255 levels.
        range: standard deviation of a LiDAR's range, metres; a Hokuyo URG repeats to a few mm.
        intensity: standard deviation of a proximity sensor's reading, of a full scale of 1, also
            where it sees nothing; a reading is never below 0.
    """

    exposure: float = 0.15
    pixel: float = 4.0
    range: float = 0.004
    intensity: float = 0.04

    def image(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A noisy copy of an image, uint8 (rows, columns, 3)."""
        factor = rng.uniform(1.0 - self.exposure, 1.0 + self.exposure)
        table = _table(self.pixel)
        # A piece of a long table of noise from a random place: drawing a million numbers for each
        # image would take longer than rendering it.
        while image.size > table.size // 2:
            table = np.concatenate([table, table])
        start = rng.integers(table.size - image.size)
        noise = table[start : start + image.size].reshape(image.shape)
        exposed = cv2.convertScaleAbs(image, alpha=factor)
        return cv2.add(exposed, noise, dtype=cv2.CV_8U)

    def ranges(self, ranges: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Noisy ranges, float32 (n,), metres; infinite ones stay infinite."""
        noise = rng.normal(0.0, self.range, ranges.shape)
        return (ranges + noise).astype(np.float32)

    def intensities(self, intensities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Noisy intensities, float32 (n,)."""
        noise = rng.normal(0.0, self.intensity, intensities.shape)
        return np.maximum(intensities + noise, 0.0).astype(np.float32)


NOISELESS = SensorNoise(exposure=0.0, pixel=0.0, range=0.0, intensity=0.0)


def generator(seed: int, robot: str, sensor: str) -> np.random.Generator:
    """The source of one sensor's noise; leaving a robot or a sensor out changes no other's."""
    return np.random.default_rng([seed, *f"{robot}/{sensor}".encode()])


@lru_cache(maxsize=4)
def _table(deviation: float) -> np.ndarray:
    """Rounded normal noise, int16 (2²¹ + a prime,), the same in every process."""
    values = np.random.default_rng(1).normal(0.0, deviation, 2**21 + 7919)
    return np.rint(values).astype(np.int16)
