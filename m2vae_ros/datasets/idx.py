# SPDX-License-Identifier: Apache-2.0
"""The idx format of MNIST and its kin: a big-endian header, then bytes.

Read here and not by a library: the one there is, idx2numpy, has had no release since 2020, comes as
source only and still needs Python 2's six, for what is a page.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from m2vae_ros.datasets.errors import DataError

_UNSIGNED_BYTE = 0x08

LARGEST = 2**28
"""Bytes of an array: five times those of MNIST."""


def parse(path: Path, content: bytes, axes: int) -> np.ndarray:
    """The array in the content of an idx file of unsigned bytes: uint8, with ``axes`` axes.

    Args:
        path: where the content is from, for the message.
        content: all of it, unpacked.
        axes: 3 for images (N, height, width), 1 for labels (N,).

    Raises:
        DataError: another magic number, cut off, or too long.
    """
    expected = bytes([0, 0, _UNSIGNED_BYTE, axes])
    if content[:4] != expected:
        raise DataError(f"{path}: magic number {content[:4].hex()}, expected {expected.hex()}")
    start = 4 + 4 * axes
    if len(content) < start:
        raise DataError(f"{path}: cut off in its header")
    shape = tuple(int(n) for n in np.frombuffer(content[4:start], ">u4"))
    if len(content) != start + math.prod(shape):
        raise DataError(
            f"{path}: {len(content) - start} bytes of data, expected {math.prod(shape)} for {shape}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def unpack(path: Path) -> bytes:
    """The content of a file, unpacked if its name ends in .gz.

    Of a file that is longer than its header says there is one byte too many and no more: whoever
    packs nothing but zeros makes gigabytes of a megabyte.

    Raises:
        DataError: it cannot be read, its packing is damaged, or its array is larger than `LARGEST`.
    """
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:3] != bytes([0, 0, _UNSIGNED_BYTE]):
                return bytes(head)  # nothing that a header says
            head += file.read(4 * head[3])
            whole = len(head) // 4 * 4  # of a header that is cut off
            size = math.prod(int(n) for n in np.frombuffer(head[4:whole], ">u4"))
            if size > LARGEST:
                raise DataError(f"{path}: {size} bytes of data, at most {LARGEST} are read")
            return bytes(head + file.read(size + 1))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: {error}") from error
