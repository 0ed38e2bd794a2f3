# SPDX-License-Identifier: Apache-2.0
"""Where on the screen what is shown: the blueprint of the viewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rerun as rr
import rerun.blueprint as rrb

from m2vae_ros.apps.view import arena, beliefs, latent, sensors, traffic
from m2vae_ros.apps.view.scene import Scene

TIMELINE = "time"

DARK = (20, 22, 27)

BEHIND = 30.0
"""Seconds before now that curves are given."""

LEGEND, WIDE_LEGEND = 25.0, 36.0
"""Seconds before those, which legends cover; the more, the narrower the plot."""

SHARE = (0.0, 1.02)
"""Of an axis of probabilities: a line at 1 can be seen."""

Key = tuple[tuple[str, str], ...]
"""Robots and the modalities of their sensors, and an object: another layout only for others."""


def key(scene: Scene, chosen: str = "") -> Key:
    """What the layout depends on; `chosen` is the object whose classes are drawn."""
    shown = [(robot.name, sensor.modality.name) for robot, sensor in scene.sensors()]
    return (*shown, ("", chosen or scene.first))


def blueprint(scene: Scene, chosen: str = "") -> rrb.Blueprint:
    """Arena, curves and latent space on the left; sensors, decoded readings and words right."""
    suite = scene.memory.engine.suite
    titles = {name: modality.title or name for name, modality in suite.items()}
    space = rrb.Spatial3DView(
        origin=f"/{arena.ORIGIN}",
        name="Arena: objects by belief, sensing ranges",
        background=[DARK],
        line_grid=rrb.LineGrid3D(spacing=0.5, color=(60, 64, 72, 160)),
        eye_controls=rrb.EyeControls3D(position=(0.0, -2.6, 2.5), look_target=(0.0, -0.1, 0.0)),
    )
    plane = _plane(f"/{latent.ORIGIN}", "Latent space", latent.CANVAS.tolist())
    classes = _classes(chosen or scene.first) if suite.classes else []
    left = rrb.Vertical(space, rrb.Horizontal(*classes, plane), row_shares=[3, 2])
    seen = [
        _plane(f"/{sensors.ORIGIN}/{robot.name}/{sensor.modality.name}",
               f"{robot.name}: {titles[sensor.modality.name]}")
        for robot, sensor in scene.sensors()
    ]  # fmt: skip
    decoded = [_plane(f"/{sensors.CHOSEN}/{name}", f"{titles[name]}, decoded") for name in suite]
    compared = rrb.Vertical(
        rrb.TextDocumentView(origin=f"/{sensors.CHOSEN}/about", name="Sensed beside decoded"),
        _row(decoded),
        row_shares=[2, 5],
    )
    sent = rrb.Vertical(
        _curves(f"/{traffic.ORIGIN}", "Bytes, log₁₀", WIDE_LEGEND),
        rrb.TextDocumentView(origin=f"/{traffic.WORDS}", name="Sent and dropped"),
        row_shares=[3, 2],
    )
    table = rrb.TextDocumentView(origin=f"/{beliefs.TABLE}", name="Beliefs")
    known = rrb.Horizontal(table, sent, column_shares=[5, 3])
    parts: list[Any] = [_row(seen)] if seen else []
    shares = [5, 7, 10] if seen else [7, 10]
    right = rrb.Vertical(*parts, compared, known, row_shares=shares)
    return rrb.Blueprint(
        rrb.Horizontal(left, right, column_shares=[1, 1]),
        rrb.TimePanel(state="collapsed", timeline=TIMELINE, play_state="following"),
        rrb.BlueprintPanel(state="hidden"),
        rrb.SelectionPanel(state="hidden"),
        auto_views=False,
        auto_layout=False,
    )


def _classes(named: str) -> list[rrb.Tabs]:
    """Of one object those of all classes, of all objects that of the likeliest."""
    one = _curves(f"/{beliefs.CLASSES}", named or "One object", LEGEND, SHARE)
    every = _curves(f"/{beliefs.LIKELIEST}", "All objects", LEGEND, SHARE)
    return [rrb.Tabs(one, every)]


def _curves(
    origin: str, name: str, legend: float, values: tuple[float, float] | None = None
) -> rrb.TimeSeriesView:
    """Over the last seconds; `values` are those at the bottom and at the top."""
    now = rr.TimeRangeBoundary.cursor_relative
    span = rr.TimeRange(start=now(seconds=-BEHIND - legend), end=now())
    return rrb.TimeSeriesView(
        origin=origin,
        name=name,
        axis_x=rrb.TimeAxis(view_range=span),
        axis_y=values and rrb.ScalarAxis(range=values),
        plot_legend=rrb.PlotLegend(rrb.Corner2D.LeftTop),
    )


def _plane(origin: str, name: str, size: Sequence[float] | None = None) -> rrb.Spatial2DView:
    """Of what is drawn the part from 0 to `size`, or all."""
    bounds = size and rrb.VisualBounds2D(x_range=[0.0, size[0]], y_range=[0.0, size[1]])
    return rrb.Spatial2DView(origin=origin, name=name, background=[DARK], visual_bounds=bounds)


def _row(views: Sequence[Any]) -> rrb.Container:
    return rrb.Horizontal(*views) if len(views) <= 4 else rrb.Grid(*views)


def shown_in(recording: rr.RecordingStream, scene: Scene, chosen: str = "") -> None:
    """Send the layout to whoever looks."""
    recording.send_blueprint(blueprint(scene, chosen), make_active=True, make_default=True)
