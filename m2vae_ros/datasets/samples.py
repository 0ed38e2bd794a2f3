# SPDX-License-Identifier: Apache-2.0
"""Samples of a sensor suite: one sample is one thing, sensed by every modality."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from m2vae_ros.datasets.errors import DataError
from m2vae_ros.datasets.npz import unpacked
from m2vae_ros.host.files import replacing
from m2vae_ros.host.spill import free_space, gathered, parts
from m2vae_ros.sensors import PlainError, SensorSuite

_FORMAT = "m2vae_ros samples 2"

SHARE = 0.5
"""Of the room on disk that the samples of a file may take."""

UNLABELLED = -1
"""The label of a sample whose class nobody said."""


@dataclass(frozen=True)
class Samples:
    """N things, each as what every modality saw of it, its class, and what it came from.

    Those of bags and files lie on disk, see `host.spill`, as do those chosen from others: what is
    done with all of them is done part by part.

    Attributes:
        suite: whose modalities and classes they are.
        packed: modality -> (N, *shape of its view), as its view packs them: images as uint8.
        labels: int64 (N,), index into the suite's classes, or `UNLABELLED`.
        groups: str (N,): what has to stay in one part when samples are split, such as the bag.
    """

    suite: SensorSuite
    packed: Mapping[str, np.ndarray]
    labels: np.ndarray
    groups: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.str_))

    def __post_init__(self) -> None:
        if not self.groups.size:
            object.__setattr__(self, "groups", np.full(len(self.labels), "", dtype=np.str_))
        if list(self.packed) != list(self.suite):
            raise DataError(f"modalities: {list(self.packed)}, expected {list(self.suite)}")
        count = len(self.labels)
        for name, view in self.suite.views.items():
            values = self.packed[name]
            if values.shape != (count, *view.shape):
                raise DataError(f"{name}: shape {values.shape}, expected {(count, *view.shape)}")
            if values.dtype != view.packed:
                raise DataError(f"{name}: type {values.dtype}, expected {np.dtype(view.packed)}")
            if not all(np.isfinite(values[part]).all() for part in parts(values)):
                raise DataError(f"{name}: holds values that are not finite")
        if self.labels.shape != (count,) or self.labels.dtype != np.int64:
            raise DataError(f"labels: {self.labels.dtype} {self.labels.shape}, expected int64 (N,)")
        if not ((self.labels >= UNLABELLED) & (self.labels < len(self.suite.classes))).all():
            raise DataError("labels: holds values that are no class")
        if self.groups.shape != (count,) or self.groups.dtype.kind != "U":
            raise DataError(f"groups: {self.groups.dtype} {self.groups.shape}, expected text (N,)")

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            **{f"modality/{name}": values for name, values in self.packed.items()},
            "labels": self.labels,
            "groups": self.groups,
        }

    @classmethod
    def _of(cls, suite: SensorSuite, arrays: Mapping[str, np.ndarray]) -> Samples:
        packed = {name: arrays[f"modality/{name}"] for name in suite}
        return cls(suite, packed, arrays["labels"], arrays["groups"])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> Samples:
        """Some of the samples; `index` is a slice, a mask or an array of indices."""
        arrays = self._arrays()
        if isinstance(index, slice):
            return self._of(self.suite, {name: values[index] for name, values in arrays.items()})
        rows = np.arange(len(self))[index]
        return self._of(self.suite, {name: gathered(v, rows) for name, v in arrays.items()})

    def drawn(self, most: int, seed: int) -> np.ndarray:
        """The numbers of that many at most, drawn at random, in their order: int64 (B,)."""
        if len(self) <= most:
            return np.arange(len(self))
        rng = np.random.default_rng(seed)
        return np.sort(rng.choice(len(self), most, replace=False, shuffle=False))

    @property
    def labelled(self) -> bool:
        """Whether the class of every sample is known."""
        return len(self) > 0 and bool((self.labels != UNLABELLED).all())

    @property
    def attributes(self) -> np.ndarray:
        """Of each sample the index of each attribute's value, int64 (N, A)."""
        return self.suite.attributes_of(self.labels)

    def observations(self, modality: str) -> np.ndarray:
        """What the model takes of one modality: float32 (N, *shape of its view).

        Raises:
            DataError: there is no such modality.
        """
        if modality not in self.packed:
            raise DataError(f"modality: {modality!r} is none of {', '.join(self.packed)}")
        return self.suite[modality].view.unpack(self.packed[modality])

    def of(self, suite: SensorSuite) -> Samples:
        """The same samples of a suite that differs in how it is trained alone.

        Raises:
            DataError: its views or classes are others.
        """
        if suite.views != self.suite.views or suite.classes != self.suite.classes:
            raise DataError(f"samples of another suite than {suite.name}: views or classes differ")
        return Samples(suite, self.packed, self.labels, self.groups)

    def digest(self) -> str:
        """SHA-256 over every value, as hexadecimal digits: equal samples, equal digest."""
        digest = hashlib.sha256(_FORMAT.encode())
        for name, array in self._arrays().items():
            if array.dtype.kind == "U":  # its width says nothing
                lines = ["\n".join(array[part].tolist()).encode() for part in parts(array)]
                digest.update(f"{name}({sum(map(len, lines)) + max(0, len(lines) - 1)},)".encode())
                digest.update(b"\n".join(lines))
                continue
            digest.update(f"{name}{array.shape}".encode())
            for part in parts(array):
                digest.update(np.ascontiguousarray(array[part], array.dtype.newbyteorder("<")).data)
        return digest.hexdigest()

    def split(self, share: float, seed: int) -> tuple[Samples, Samples]:
        """Two parts, of which no group has samples in both.

        Args:
            share: of the samples in the second part, as nearly as whole groups allow; groups are
                taken class by class, so that both parts have all classes.
            seed: of the draw.

        Raises:
            DataError: there are too few groups, or one part would be empty.
        """
        rng = np.random.default_rng(seed)
        of_parts = [self.groups[part] for part in parts(self.groups)]
        names = np.unique(np.concatenate([self.groups[:0], *map(np.unique, of_parts)]))
        if len(names) < 2:
            raise DataError("groups: all samples are of one, which cannot be split")
        group = np.concatenate([np.searchsorted(names, part) for part in of_parts])
        counts = np.zeros((len(names), len(self.suite.classes) + 1), dtype=np.int64)
        np.add.at(counts, (group, self.labels + 1), 1)
        sizes, kinds = counts.sum(1), counts.argmax(1)
        set_apart = np.zeros(len(names), dtype=bool)
        for kind in np.unique(kinds):
            mine = rng.permutation(np.flatnonzero(kinds == kind))
            wanted, taken = share * sizes[mine].sum(), 0
            for g in mine[:-1]:  # the first part has at least one
                if taken + sizes[g] / 2 <= wanted:
                    set_apart[g] = True
                    taken += sizes[g]
        if not set_apart.any() or set_apart.all():
            raise DataError(f"groups: {len(names)} are too few to set {share:.0%} apart")
        apart = set_apart[group]
        return self[~apart], self[apart]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the samples as one .npz file; a file of that name is replaced in one step."""
        # an open file: to names that do not end on .npz, numpy appends it
        with replacing(path) as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = self._arrays()
            suite = np.array(json.dumps(self.suite.to_plain()))
            np.savez_compressed(file, format=np.array(_FORMAT), suite=suite, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Samples:
        """Read what `save` wrote.

        Raises:
            DataError: no such file, not samples, cut off or corrupt, or too large for the disk.
        """
        if not os.path.isfile(path):
            raise DataError(f"{path}: no such file")
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path}: not an .npz file, or cut off")
        try:
            with zipfile.ZipFile(path) as archive:
                # As many bytes as are promised here are unpacked of each, and no more.
                size = sum(array.file_size for array in archive.infolist())
                if size > (most := int(SHARE * free_space())):
                    raise DataError(f"unpacks to {size} bytes, there is room for {most} on disk")
                # numpy reads to the end of the values, not to the checksum behind them.
                if (spoilt := archive.testzip()) is not None:
                    raise DataError(f"{spoilt.removesuffix('.npy')}: corrupt, its checksum differs")
            with np.load(path, allow_pickle=False) as archive:
                if "format" not in archive:
                    raise DataError("format: missing, these are no samples")
                if str(archive["format"]) != _FORMAT:
                    raise DataError(f"format: {str(archive['format'])!r}, expected {_FORMAT!r}")
                suite = SensorSuite.from_plain(json.loads(str(archive["suite"])))
            wanted = [*(f"modality/{name}" for name in suite), "labels", "groups"]
            with zipfile.ZipFile(path) as arrays:
                return cls._of(suite, {name: unpacked(arrays, name) for name in wanted})
        except PlainError as error:
            raise DataError(f"{path}: suite: {error}") from error
        except Exception as error:  # numpy and zipfile have a dozen for a spoilt file
            raise DataError(f"{path}: {error}") from error
