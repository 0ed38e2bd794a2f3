# SPDX-License-Identifier: Apache-2.0
"""Unpacking what bags hold compressed, into no more than was to be expected.

Whoever packs nothing but zeros makes gigabytes of a hundred kilobytes. So of each piece that is
unpacked in memory no more is taken than it may have, and of a file no more is written.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import lz4.frame  # type: ignore[import-untyped]
from backports import zstd
from rosbags.rosbag2 import storage_mcap

from m2vae_ros.datasets.errors import DataError

LARGEST = 2**27
"""Bytes of one message, or of the messages in one chunk of a file: an image of 6000×6000 pixels."""

MOST_TIMES = 100
"""Of its size that a compressed file may have when it is unpacked, if that is more than `LARGEST`:
what sensors measure has noise, and packs to a tenth."""

_PIECE = 2**20
"""Bytes that are unpacked at once."""


def unpacked_message(data: bytes) -> bytes:
    """A message that was packed with zstd.

    Raises:
        DataError: it is larger than `LARGEST`.
        Exception: it is damaged; zstd has several.
    """
    size = 0
    with zstd.open(BytesIO(data), "rb") as file:  # once through, as nothing says how much it is
        while piece := file.read(_PIECE):
            size += len(piece)
            if size > LARGEST:
                raise DataError(f"a message unpacks to more than {LARGEST} bytes")
    return zstd.decompress(data)


def unpack_file(path: Path, unpacked: Path) -> None:
    """Unpack a file that was packed with zstd.

    Args:
        path: of the file.
        unpacked: where the other one goes.

    Raises:
        DataError: it becomes larger than may be.
        Exception: it is damaged; zstd has several.
    """
    most = max(LARGEST, MOST_TIMES * path.stat().st_size)
    with zstd.open(path, "rb") as packed, unpacked.open("wb") as file:
        while piece := packed.read(_PIECE):
            file.write(piece)
            if file.tell() > most:
                raise DataError(
                    f"unpacks to more than {most} bytes; if you trust it, unpack it with zstd -d"
                )


def _unpacked_zstd(data: bytes, size: int) -> bytes:
    _check_chunk(size)
    with zstd.open(BytesIO(data), "rb") as file:
        return file.read(size + 1)


def _unpacked_lz4(data: bytes, size: int) -> bytes:
    _check_chunk(size)
    with lz4.frame.open(BytesIO(data), "rb") as file:
        content: bytes = file.read(size + 1)
        return content


def _check_chunk(size: int) -> None:
    if size > LARGEST:
        raise DataError(f"a chunk of {size} bytes, at most {LARGEST} are unpacked")


# rosbags unpacks all there is, and then compares its size with that of the chunk: so it gets one
# byte more than there should be, if there are more.
storage_mcap.DECOMPRESSORS.update({"zstd": _unpacked_zstd, "lz4": _unpacked_lz4})
