# SPDX-License-Identifier: Apache-2.0
"""What the AMiRo robots sense of the eight objects: one sample is one object, sensed three times.

The paper's Sec. IV: primitive objects with a colour, a shape and a material; only who has sensed
all three attributes knows which of the eight objects it is.
"""

import hashlib
import itertools
import os
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from m2vae_ros.datasets.errors import DataError
from m2vae_ros.host.files import replacing

ATTRIBUTES: dict[str, tuple[str, str]] = {
    "colour": ("red", "green"),
    "shape": ("cylinder", "box"),
    "material": ("mat", "shiny"),
}

# The index of a class is 4·colour + 2·shape + material.
CLASSES: tuple[str, ...] = tuple(map(" ".join, itertools.product(*ATTRIBUTES.values())))


def class_named(name: str) -> str | None:
    """The class that the name of an object says, or None if it says none.

    Underscores stand for spaces, and a further object of the class ends on a number:
    `red_box_mat`, `red_box_mat_2`.
    """
    words = name.replace("_", " ").split()
    if words and words[-1].isdigit():
        words.pop()
    said = " ".join(words)
    return said if said in CLASSES else None


_FORMAT = "m2vae_ros AMiRo samples 1"

# Shape of one sample of each field, and its type.
_LAYOUT: dict[str, tuple[tuple[int, ...], type]] = {
    "camera": ((3, 16, 64), np.uint8),
    "lidar": ((227,), np.float32),
    "reflectance": ((8,), np.float32),
    "attributes": ((len(ATTRIBUTES),), np.int64),
}


@dataclass(frozen=True)
class AmiroSamples:
    """N objects, each as the views of the three sensors and its three attributes.

    Attributes:
        camera: uint8 (N, 3, 16, 64), 255 times what `CameraView` gives.
        lidar: float32 (N, 227), what `LidarView` gives.
        reflectance: float32 (N, 8), what `ReflectanceView` gives.
        attributes: int64 (N, 3), 0 or 1, columns in the order of `ATTRIBUTES`.
    """

    camera: np.ndarray
    lidar: np.ndarray
    reflectance: np.ndarray
    attributes: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.attributes)
        for name, (shape, dtype) in _LAYOUT.items():
            values = getattr(self, name)
            if values.shape != (count, *shape):
                raise DataError(f"{name}: shape {values.shape}, expected {(count, *shape)}")
            if values.dtype != dtype:
                raise DataError(f"{name}: type {values.dtype}, expected {np.dtype(dtype)}")
        for name in ("lidar", "reflectance"):
            if not np.isfinite(getattr(self, name)).all():
                raise DataError(f"{name}: holds values that are not finite")
        if not np.isin(self.attributes, (0, 1)).all():
            raise DataError("attributes: holds values other than 0 and 1")

    def __len__(self) -> int:
        return len(self.attributes)

    def __getitem__(self, index: Any) -> "AmiroSamples":
        """Some of the samples; `index` is a slice, a mask or an array of indices."""
        return AmiroSamples(**{name: getattr(self, name)[index] for name in _LAYOUT})

    @property
    def labels(self) -> np.ndarray:
        """Index into `CLASSES` of each sample, int64 (N,)."""
        return self.attributes @ np.array([4, 2, 1], dtype=np.int64)

    def observations(self, modality: str) -> np.ndarray:
        """What the model takes of one modality: float32 (N, *shape of its view), in [0, 1].

        Raises:
            DataError: there is no such modality.
        """
        if modality == "camera":
            return self.camera.astype(np.float32) / np.float32(255.0)
        if modality in ("lidar", "reflectance"):
            return getattr(self, modality)
        raise DataError(f"modality: {modality!r} is none of camera, lidar, reflectance")

    def digest(self) -> str:
        """SHA-256 over every value, as hexadecimal digits: equal samples, equal digest."""
        digest = hashlib.sha256(_FORMAT.encode())
        for name, (_, dtype) in _LAYOUT.items():
            values = np.ascontiguousarray(getattr(self, name), np.dtype(dtype).newbyteorder("<"))
            digest.update(f"{name}{values.shape}".encode())
            digest.update(values)
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the samples as one .npz file; a file of that name is replaced in one step."""
        # an open file: to names that do not end on .npz, numpy appends it
        with replacing(path) as temporary, temporary.open("wb") as file:
            arrays = {name: getattr(self, name) for name in _LAYOUT}
            np.savez_compressed(file, format=np.array(_FORMAT), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "AmiroSamples":
        """Read what `save` wrote.

        Raises:
            DataError: no such file, not samples, cut off or corrupt.
        """
        if not os.path.isfile(path):
            raise DataError(f"{path}: no such file")
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path}: not an .npz file, or cut off")
        try:
            with zipfile.ZipFile(path) as archive:
                # numpy reads to the end of the values, not to the checksum behind them.
                if (spoilt := archive.testzip()) is not None:
                    raise DataError(f"{spoilt.removesuffix('.npy')}: corrupt, its checksum differs")
            with np.load(path, allow_pickle=False) as archive:
                if "format" not in archive:
                    raise DataError("format: missing, these are no AMiRo samples")
                if str(archive["format"]) != _FORMAT:
                    raise DataError(f"format: {str(archive['format'])!r}, expected {_FORMAT!r}")
                missing = [name for name in _LAYOUT if name not in archive]
                if missing:
                    raise DataError(f"{missing[0]}: missing")
                return cls(**{name: np.asarray(archive[name]) for name in _LAYOUT})
        except Exception as error:  # numpy and zipfile have a dozen for a spoilt file
            raise DataError(f"{path}: {error}") from error
