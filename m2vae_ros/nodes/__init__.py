# SPDX-License-Identifier: Apache-2.0
"""The executables: one ROS 2 node each, with its parameters."""

import os

# What a node multiplies is too small for several threads. OpenBLAS, of NumPy and of OpenCV, makes
# one for each core when it is loaded, and asks only then; so it is said here, before that.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
