# SPDX-License-Identifier: Apache-2.0
"""Fits the ROS 2 wheels in this Python's environment to this machine.

The CMake files in the wheels name the include folders of the machine that built them; CMake
refuses folders that do not exist. They are replaced by this Python's own.
"""

import re
import sys
import sysconfig
from pathlib import Path

import numpy


def fit(text: str) -> str:
    """Returns a CMake file's `text` with the include folders of this Python and its numpy."""
    python = sysconfig.get_path("include")
    text = re.sub(r'[^";]+/include/python3\.\d+(?=[";])', lambda _: python, text)
    return re.sub(r'[^";]+/numpy/(_core|core)/include', lambda _: numpy.get_include(), text)


def main() -> None:
    """Fit all exports of this environment."""
    exports = Path(sys.prefix).glob("share/*/cmake/export_*__rosidl_generator_pyExport.cmake")
    for path in exports:
        text = path.read_text()
        fitted = fit(text)
        if fitted != text:
            path.write_text(fitted)


if __name__ == "__main__":
    main()
