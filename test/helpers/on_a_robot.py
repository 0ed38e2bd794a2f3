# SPDX-License-Identifier: Apache-2.0
"""Programs as they run where nothing is installed that only training needs."""

from __future__ import annotations

import os
from pathlib import Path

from m2vae_ros.apps.doctor.software import TRAINING


def environment() -> dict[str, str]:
    """Of such a program and all that it starts."""
    paths = [str(Path(__file__).parent / "as_on_a_robot"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "M2VAE_TEST_NOT_INSTALLED": " ".join(TRAINING),
    }
