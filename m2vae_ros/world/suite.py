# SPDX-License-Identifier: Apache-2.0
"""The sensor suite of the world's robots, `config/suites/amiro.yaml`."""

from __future__ import annotations

from m2vae_ros.sensors import Modality, read_suite
from m2vae_ros.sensors.viewpoint import Viewpoint

AMIRO = read_suite("amiro")


def viewpoint(modality: Modality) -> Viewpoint:
    """From where a sensor of the world's robots looks at an object."""
    assert modality.viewpoint is not None  # the suite says one for each
    return modality.viewpoint
