# SPDX-License-Identifier: Apache-2.0
"""Modalities: where readings come from, and how one becomes the array that the model takes."""

from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.plain import PlainError
from m2vae_ros.sensors.suite import (
    About,
    BetaVAESpec,
    FusionSpec,
    Modality,
    Sampling,
    SensorSuite,
)
from m2vae_ros.sensors.suite_file import SuiteError, read_suite
from m2vae_ros.sensors.view import Unit, View
from m2vae_ros.sensors.views import view_kinds, view_of

__all__ = [
    "About",
    "BetaVAESpec",
    "FusionSpec",
    "Modality",
    "ObservationError",
    "PlainError",
    "Sampling",
    "SensorSuite",
    "SuiteError",
    "Unit",
    "View",
    "read_suite",
    "view_kinds",
    "view_of",
]
