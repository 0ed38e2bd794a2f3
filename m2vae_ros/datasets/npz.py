# SPDX-License-Identifier: Apache-2.0
"""Arrays of an .npz file, unpacked to disk: they may be larger than memory."""

from __future__ import annotations

import zipfile

import numpy as np

from m2vae_ros.datasets.errors import DataError
from m2vae_ros.host.spill import PART, spilled

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def unpacked(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """One array of an archive that numpy wrote.

    Raises:
        DataError: it is missing, or not what numpy writes of numbers and text.
    """
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise DataError(f"{name}: missing") from None
    with archive.open(info) as file:
        header = _HEADERS.get(np.lib.format.read_magic(file))
        if header is None:
            raise DataError(f"{name}: of a later version of numpy")
        shape, by_columns, dtype = header(file)
        size = info.file_size - file.tell()
        if dtype.hasobject or dtype.itemsize * int(np.prod(shape, dtype=object)) != size:
            raise DataError(f"{name}: {dtype} {shape} is not what {size} bytes hold")
        found = spilled(shape[::-1] if by_columns else shape, dtype)
        if size:
            values = found.reshape(-1).view(np.uint8)
            for begin in range(0, size, PART):
                part = values[begin : begin + PART]
                part[:] = np.frombuffer(file.read(len(part)), np.uint8)
    return found.T if by_columns else found
