# SPDX-License-Identifier: Apache-2.0
"""The kinds of views, one module each, and those of installed packages.

A package brings further kinds by the entry-point group `m2vae_ros.views`: the name is the kind, the
object a subclass of `View`. A suite or a card only ever names a kind, never code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
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


def view_kinds() -> Mapping[str, type[View]]:
    """Every kind there is: of this package and of installed ones, which cannot replace them.

    Raises:
        PlainError: what a package offers cannot be loaded, or is no view.
    """
    return {**OWN, **{name: _offered(name) for name in _offers()}}


def view_of(fields: object, where: str = "view") -> View:
    """The view that plain data describe: `kind`, and the fields of the view.

    Raises:
        PlainError: names the field that does not fit.
    """
    if not isinstance(fields, Mapping):
        raise PlainError(f"{where}: not a table of fields")
    given: dict[str, Any] = dict(fields)
    kind = given.pop("kind", None)
    known = (*OWN, *_offers())
    if not isinstance(kind, str) or kind not in known:
        raise PlainError(f"{where}.kind: {kind!r} is not one of {', '.join(known)}")
    # only what is asked for: a package that is broken does not matter to who does not use it
    try:
        found = OWN.get(kind) or _offered(kind)
    except PlainError as error:
        raise PlainError(f"{where}.kind: {error}") from error
    return build(found, given, where)


@lru_cache
def _offers() -> Mapping[str, tuple[EntryPoint, ...]]:
    """Kind -> the installed packages' entry points by that name."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry in entry_points(group=GROUP):
        if entry.name not in OWN and entry not in found.get(entry.name, ()):
            found[entry.name] = (*found.get(entry.name, ()), entry)
    return found


@lru_cache
def _offered(kind: str) -> type[View]:
    """The view of an installed package.

    Raises:
        PlainError: it cannot be loaded, or is no view of that kind, or there are several.
    """
    entry, *others = _offers()[kind]
    if others:
        several = " and ".join(each.value for each in (entry, *others))
        raise PlainError(f"{kind!r} is offered by {several}")
    try:
        found = entry.load()
    except Exception as error:  # whatever is wrong in there
        raise PlainError(f"{entry.value}, offered as {kind!r}, fails: {error}") from error
    if not (is_dataclass(found) and isinstance(found, type) and issubclass(found, View)):
        raise PlainError(f"{entry.value}, offered as {kind!r}, is no dataclass of the class View")
    view: type[View] = found
    if getattr(view, "kind", None) != kind:
        raise PlainError(f"{entry.value}, offered as {kind!r}, has another kind")
    return view
