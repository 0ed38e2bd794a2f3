# SPDX-License-Identifier: Apache-2.0
"""The executables: one ROS 2 node each, with its parameters."""

import os

# What a node multiplies is too small for several threads. OpenBLAS, of NumPy and of OpenCV, makes
# one for each core when it is loaded, and asks only then; so it is said here, before that.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# rcl's log file, beside what a node prints at once, needs no thread of its own to be flushed.
os.environ.setdefault("RCL_LOGGING_SPDLOG_EXPERIMENTAL_OLD_FLUSHING_BEHAVIOR", "1")
