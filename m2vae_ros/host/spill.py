# SPDX-License-Identifier: Apache-2.0
"""Arrays that lie on disk, so that they may be larger than memory.

Their files have no name (O_TMPFILE): nothing stays of them, however the process ends. What is used
of them is held by the kernel's page cache, and given up when memory is short.
"""

from __future__ import annotations

import errno
import math
import mmap
import os
import tempfile
import weakref
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike

PART = 2**24
"""Bytes that are in memory at a time, of what is copied from one array to another."""


def folder() -> str:
    """Where the arrays lie: TMPDIR, or /var/tmp, for /tmp is in memory on many machines."""
    return os.environ.get("TMPDIR", "/var/tmp")


def free_space() -> int:
    """Bytes that may still be written there."""
    found = os.statvfs(folder())
    return found.f_bavail * found.f_frsize


def spilled(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """An array of zeros, on disk.

    Raises:
        OSError: there is no room for it; or the folder cannot be written to, which is named.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not size:
        return np.zeros(shape, dtype)
    if size > free_space():
        raise OSError(errno.ENOSPC, f"no room for {size / 1e9:.3g} GB, see TMPDIR", folder())
    with _unnamed() as file:
        os.posix_fallocate(file.fileno(), 0, size)  # said now, not by a signal at the first write
        return _mapped(file, shape, dtype, mmap.ACCESS_WRITE)


def gathered(source: np.ndarray, index: np.ndarray) -> np.ndarray:
    """``source[index]`` along the first axis, on disk; `index` is int64 (N,)."""
    found = spilled((len(index), *source.shape[1:]), source.dtype)
    for part in parts(found):
        found[part] = source[index[part]]
    return found


def parts(array: np.ndarray) -> Iterator[slice]:
    """Slices of the first axis, in order and together all, of `PART` bytes or of one row."""
    step = max(1, PART // max(1, array.itemsize * math.prod(array.shape[1:])))
    return (slice(begin, begin + step) for begin in range(0, len(array), step))


class Rows:
    """An array on disk that grows row by row.

    Args:
        shape: of a row.
        dtype: of the values.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._file = _unnamed()
        weakref.finalize(self, self._file.close)  # `array` maps it by itself
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, row: Any) -> None:
        """One more row.

        Raises:
            ValueError: it has another shape.
            OSError: there is no room for it.
        """
        values = np.asarray(row, self._dtype)
        if values.shape != self._shape:
            raise ValueError(f"a row of shape {values.shape}, expected {self._shape}")
        self._file.write(values.tobytes())
        self._count += 1

    def array(self) -> np.ndarray:
        """All rows there are now, (N, *shape); not to be written to."""
        self._file.flush()
        shape = (self._count, *self._shape)
        if not self._dtype.itemsize * math.prod(shape):  # nothing cannot be mapped
            return np.zeros(shape, self._dtype)
        return _mapped(self._file, shape, self._dtype, mmap.ACCESS_READ)


def _mapped(file: BinaryIO, shape: tuple[int, ...], dtype: DTypeLike, access: int) -> np.ndarray:
    """Not as `np.memmap`, which joblib sends to other processes by the name of its file."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = mmap.mmap(file.fileno(), size, access=access)
    return np.frombuffer(memory, dtype).reshape(shape)


def _unnamed() -> BinaryIO:
    return tempfile.TemporaryFile(dir=folder())
