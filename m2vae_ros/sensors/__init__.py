# SPDX-License-Identifier: Apache-2.0
"""From a raw sensor reading to the array of fixed size that the model takes.

The samples for training and the running nodes go through the same views, so what a model was
trained on is what it is given later. A view is plain data and travels in the card of the weights.
"""

from collections.abc import Mapping
from typing import Any

from m2vae_ros.sensors.camera import CameraView
from m2vae_ros.sensors.lidar import LidarView
from m2vae_ros.sensors.observation import ObservationError
from m2vae_ros.sensors.reflectance import ReflectanceView

MODALITIES = ("camera", "lidar", "reflectance")

View = CameraView | LidarView | ReflectanceView

VIEWS: dict[str, View] = {
    "camera": CameraView(),
    "lidar": LidarView(),
    "reflectance": ReflectanceView(),
}

_KINDS: dict[str, type[View]] = {view.kind: type(view) for view in VIEWS.values()}


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
        if kind not in _KINDS:
            raise ValueError(
                f"view of {modality}: kind is {kind!r}, it must be one of {', '.join(_KINDS)}"
            )
        try:
            views[modality] = _KINDS[kind](**fields)
        except (TypeError, ValueError) as error:
            raise ValueError(f"view of {modality}: {error}") from error
    return views


__all__ = [
    "MODALITIES",
    "VIEWS",
    "CameraView",
    "LidarView",
    "ObservationError",
    "ReflectanceView",
    "View",
    "views_from_card",
]
