# SPDX-License-Identifier: Apache-2.0
"""Modalities: where readings come from, and how one becomes the array that the model takes."""

from collections.abc import Mapping
from typing import Any

from m2vae_ros.sensors.amiro import AMIRO
from m2vae_ros.sensors.camera import CameraView
from m2vae_ros.sensors.lidar import LidarView
from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.reflectance import ReflectanceView
from m2vae_ros.sensors.suite import BetaVAESpec, Modality, SensorSuite
from m2vae_ros.sensors.view import View

VIEW_KINDS: Mapping[str, type[View]] = {
    kind.kind: kind for kind in (CameraView, LidarView, ReflectanceView)
}
"""What a card may name."""


def views_from_card(card: Mapping[str, Mapping[str, Any]]) -> dict[str, View]:
    """Build the views that a card describes.

    Args:
        card: for each modality what `view.to_card()` gave: `kind` and the fields of the view.

    Returns:
        One view for each modality, in the order of the card.

    Raises:
        ValueError: names the modality and the field that does not fit.
    """
    views: dict[str, View] = {}
    for modality, fields in card.items():
        if not isinstance(fields, Mapping):
            raise ValueError(f"view of {modality}: not a table of fields")
        fields = dict(fields)
        kind = fields.pop("kind", None)
        if kind not in VIEW_KINDS:
            raise ValueError(
                f"view of {modality}: kind is {kind!r}, it must be one of {', '.join(VIEW_KINDS)}"
            )
        try:
            views[modality] = VIEW_KINDS[kind](**fields)
        except (TypeError, ValueError) as error:
            raise ValueError(f"view of {modality}: {error}") from error
    return views


__all__ = [
    "AMIRO",
    "VIEW_KINDS",
    "BetaVAESpec",
    "CameraView",
    "LidarView",
    "Modality",
    "ObservationError",
    "ReflectanceView",
    "SensorSuite",
    "View",
    "views_from_card",
]
