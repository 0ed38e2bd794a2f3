# SPDX-License-Identifier: Apache-2.0
"""Multi-modal embeddings of objects, fused in place by robots over ROS 2."""

from pkgutil import extend_path

# The messages are generated into the installed package, the code may be imported from a checkout:
# both halves are one package, whichever of them Python meets first.
__path__ = extend_path(__path__, __name__)

__version__ = "0.1.0"
