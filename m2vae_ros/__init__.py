# SPDX-License-Identifier: Apache-2.0
"""Multi-modal embeddings of objects, fused in place by robots over ROS 2."""

import os
from pkgutil import extend_path

# The messages are generated into the installed package, the code may be imported from a checkout:
# both halves are one package, whichever of them Python meets first.
__path__ = extend_path(__path__, __name__)

# A compressed image of a few kilobytes can say that it is gigabytes large. OpenCV refuses what has
# more pixels than this before it takes memory, but asks for the number only once, when it is
# loaded; so it is said here, before anything of the package loads it. 8192 × 8192 are 0.2 GB.
# Whoever has larger images sets the variable.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))

# ONNX Runtime of PyPI tells its makers how it is used, by a thread of its own, unless this is set
# when it is loaded. What robots do is nobody else's business.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
