# SPDX-License-Identifier: Apache-2.0
"""MuJoCo, drawing in software: no window, no GPU, the same pixels on every machine.

Who has a GPU and wants it sets the environment variable MUJOCO_GL (to `egl`, say) beforehand.
"""

import os

os.environ.setdefault("MUJOCO_GL", "osmesa")

try:
    import mujoco
except (ImportError, AttributeError) as error:
    # Without the library PyOpenGL fails with an AttributeError that does not say what is missing.
    raise ImportError(
        f"MuJoCo does not load with MUJOCO_GL={os.environ['MUJOCO_GL']}: {error}. Drawing in "
        "software takes Debian's libosmesa6 (apt-get install libosmesa6) and PyPI's mujoco."
    ) from error

__all__ = ["mujoco"]
