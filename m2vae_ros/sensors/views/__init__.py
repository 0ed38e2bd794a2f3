# SPDX-License-Identifier: Apache-2.0
"""The kinds of views, one module each, and those of installed packages.

A package brings further kinds by the entry-point group `m2vae_ros.views`: the name is the kind, the
object a subclass of `View`. A suite or a card only ever names a kind, never code.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from m2vae_ros.sensors.plain import PlainError, build
from m2vae_ros.sensors.view import View
from m2vae_ros.sensors.views.depth import DepthView
from m2vae_ros.sensors.views.image import ImageView
from m2vae_ros.sensors.views.image_band import ImageBandView
from m2vae_ros.sensors.views.intensities import IntensitiesView
from m2vae_ros.sensors.views.point_cloud import PointCloudView
from m2vae_ros.sensors.views.range import RangeView
from m2vae_ros.sensors.views.scan import ScanView
from m2vae_ros.sensors.views.vector import VectorView
from m2vae_ros.sensors.views.window import WindowView

GROUP = "m2vae_ros.views"

OWN: Mapping[str, type[View]] = {
    view.kind: view
    for view in (
        ImageView,
        ImageBandView,
        DepthView,
        ScanView,
        IntensitiesView,
        PointCloudView,
        RangeView,
        VectorView,
        WindowView,
    )
}
"""The kinds of this package."""


@lru_cache
def view_kinds() -> Mapping[str, type[View]]:
    """Every kind there is: of this package and of installed ones, which cannot replace them.

    Raises:
        PlainError: what a package offers is no view.
    """
    kinds = dict(OWN)
    for entry in entry_points(group=GROUP):
        if entry.name in kinds:
            continue
        found = entry.load()
        if not (isinstance(found, type) and issubclass(found, View)):
            raise PlainError(f"{entry.value}: offered as the view {entry.name!r}, but is no View")
        kinds[entry.name] = found
    return kinds


def view_of(fields: object, where: str = "view") -> View:
    """The view that plain data describe: `kind`, and the fields of the view.

    Raises:
        PlainError: names the field that does not fit.
    """
    if not isinstance(fields, Mapping):
        raise PlainError(f"{where}: not a table of fields")
    given: dict[str, Any] = dict(fields)
    kind = given.pop("kind", None)
    if kind not in (kinds := view_kinds()):
        raise PlainError(f"{where}.kind: {kind!r} is not one of {', '.join(kinds)}")
    return build(kinds[kind], given, where)
