# SPDX-License-Identifier: Apache-2.0
"""What the AMiRo robots sense of the eight objects: one sample is one object, sensed three times.

The suite (`m2vae_ros.sensors.amiro`) says what its sensors, attributes and classes are.
"""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from m2vae_ros.datasets.errors import DataError
from m2vae_ros.host.files import replacing
from m2vae_ros.sensors import AMIRO


def class_named(name: str) -> str | None:
    """The class that the name of an object says, or None if it says none.

    Underscores stand for spaces, and a further object of the class ends on a number:
    `red_box_mat`, `red_box_mat_2`.
    """
    words = name.replace("_", " ").split()
    if words and words[-1].isdigit():
        words.pop()
    said = " ".join(words)
    return said if said in AMIRO.classes else None


_FORMAT = "m2vae_ros AMiRo samples 1"

# Shape of one sample of each array, and its type.
_LAYOUT: dict[str, tuple[tuple[int, ...], type]] = {
    **{name: (view.shape, view.packed) for name, view in AMIRO.views.items()},
    "attributes": ((len(AMIRO.attributes),), np.int64),
}


@dataclass(frozen=True)
class AmiroSamples:
    """N objects, each as what every sensor saw of it and its attributes.

    Attributes:
        packed: modality -> (N, *shape of its view), as its view packs them: images as uint8.
        attributes: int64 (N, 3), 0 or 1, columns in the order of the suite's attributes.
    """

    packed: Mapping[str, np.ndarray]
    attributes: np.ndarray

    def __post_init__(self) -> None:
        if list(self.packed) != list(AMIRO):
            raise DataError(f"modalities: {list(self.packed)}, expected {list(AMIRO)}")
        count = len(self.attributes)
        arrays = self._arrays()
        for name, (shape, dtype) in _LAYOUT.items():
            values = arrays[name]
            if values.shape != (count, *shape):
                raise DataError(f"{name}: shape {values.shape}, expected {(count, *shape)}")
            if values.dtype != dtype:
                raise DataError(f"{name}: type {values.dtype}, expected {np.dtype(dtype)}")
            if not np.isfinite(values).all():
                raise DataError(f"{name}: holds values that are not finite")
        if not np.isin(self.attributes, (0, 1)).all():
            raise DataError("attributes: holds values other than 0 and 1")

    def _arrays(self) -> dict[str, np.ndarray]:
        return {**self.packed, "attributes": self.attributes}

    @classmethod
    def _of(cls, arrays: Mapping[str, np.ndarray]) -> "AmiroSamples":
        return cls({name: arrays[name] for name in AMIRO}, arrays["attributes"])

    def __len__(self) -> int:
        return len(self.attributes)

    def __getitem__(self, index: Any) -> "AmiroSamples":
        """Some of the samples; `index` is a slice, a mask or an array of indices."""
        return self._of({name: values[index] for name, values in self._arrays().items()})

    @property
    def labels(self) -> np.ndarray:
        """Index into the suite's classes of each sample, int64 (N,)."""
        return self.attributes @ np.array([4, 2, 1], dtype=np.int64)

    def observations(self, modality: str) -> np.ndarray:
        """What the model takes of one modality: float32 (N, *shape of its view), in [0, 1].

        Raises:
            DataError: there is no such modality.
        """
        if modality not in self.packed:
            raise DataError(f"modality: {modality!r} is none of {', '.join(self.packed)}")
        return AMIRO[modality].view.unpack(self.packed[modality])

    def digest(self) -> str:
        """SHA-256 over every value, as hexadecimal digits: equal samples, equal digest."""
        digest = hashlib.sha256(_FORMAT.encode())
        for name, array in self._arrays().items():
            values = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            digest.update(f"{name}{values.shape}".encode())
            digest.update(values.data)
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the samples as one .npz file; a file of that name is replaced in one step."""
        # an open file: to names that do not end on .npz, numpy appends it
        with replacing(path) as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = self._arrays()
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
                return cls._of({name: np.asarray(archive[name]) for name in _LAYOUT})
        except Exception as error:  # numpy and zipfile have a dozen for a spoilt file
            raise DataError(f"{path}: {error}") from error
