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

BEHIND, AHEAD = 60.0, 45.0
"""Seconds before and behind now that curves are given."""

Key = tuple[tuple[str, str], ...]
"""Robots and the modalities of their sensors, and an object: another layout only for others."""


def key(scene: Scene, chosen: str = "") -> Key:
    """What the layout depends on; `chosen` is the object whose classes are drawn."""
    shown = [(robot.name, sensor.modality.name) for robot, sensor in scene.sensors()]
    return (*shown, ("", chosen or scene.first))


def blueprint(scene: Scene, chosen: str = "") -> rrb.Blueprint:
    """The arena and curves on the left; sensors, decoded readings and the latent space right."""
    suite = scene.memory.engine.suite
    titles = {name: modality.title or name for name, modality in suite.items()}
    space = rrb.Spatial3DView(
        origin=f"/{arena.ORIGIN}",
        name="Arena: objects by belief, sensing ranges",
        background=[DARK],
        line_grid=rrb.LineGrid3D(spacing=0.5, color=(60, 64, 72, 160)),
        eye_controls=rrb.EyeControls3D(position=(0.0, -3.3, 3.3), look_target=(0.0, -0.15, 0.0)),
    )
    left = rrb.Vertical(space, _curves(scene, chosen or scene.first), row_shares=[3, 2])
    seen = [
        _plane(f"/{sensors.ORIGIN}/{robot.name}/{sensor.modality.name}",
               f"{robot.name}: {titles[sensor.modality.name]}")
        for robot, sensor in scene.sensors()
    ]  # fmt: skip
    decoded = [_plane(f"/{sensors.CHOSEN}/{name}", f"{titles[name]}, decoded") for name in suite]
    compared = rrb.Vertical(
        rrb.TextDocumentView(origin=f"/{sensors.CHOSEN}/about", name="Sensed beside decoded"),
        _row(decoded),
        row_shares=[1, 3],
    )
    known = rrb.Horizontal(
        _plane(f"/{latent.ORIGIN}", "Latent space"),
        rrb.Vertical(
            rrb.TextDocumentView(origin=f"/{beliefs.TABLE}", name="Beliefs"),
            rrb.TextDocumentView(origin=f"/{traffic.WORDS}", name="Sent and dropped"),
            row_shares=[3, 1],
        ),
        column_shares=[1, 2],
    )
    parts: list[Any] = [_row(seen)] if seen else []
    shares = [3, 4, 6] if seen else [4, 6]
    right = rrb.Vertical(*parts, compared, known, row_shares=shares)
    return rrb.Blueprint(
        rrb.Horizontal(left, right, column_shares=[1, 1]),
        rrb.TimePanel(state="collapsed", timeline=TIMELINE, play_state="following"),
        rrb.BlueprintPanel(state="hidden"),
        rrb.SelectionPanel(state="hidden"),
        auto_views=False,
        auto_layout=False,
    )


def _curves(scene: Scene, named: str) -> rrb.Horizontal:
    share = rrb.ScalarAxis(range=(0.0, 1.02))
    legend = rrb.PlotLegend(rrb.Corner2D.RightBottom)
    # The legend stands where no curve is: in what is still to come.
    now = rr.TimeRangeBoundary.cursor_relative
    span = rrb.TimeAxis(view_range=rr.TimeRange(start=now(seconds=-BEHIND), end=now(seconds=AHEAD)))
    classes = rrb.TimeSeriesView(
        origin=f"/{beliefs.CLASSES}",
        name=f"Classes of {named}" if named else "Classes of one object",
        axis_x=span,
        axis_y=share,
        plot_legend=legend,
    )
    likeliest = rrb.TimeSeriesView(
        origin=f"/{beliefs.LIKELIEST}",
        name="All objects",
        axis_x=span,
        axis_y=share,
        plot_legend=legend,
    )
    sent = rrb.TimeSeriesView(
        origin=f"/{traffic.ORIGIN}", name="Bytes, log₁₀", axis_x=span, plot_legend=legend
    )
    if not scene.memory.engine.suite.classes:
        return rrb.Horizontal(sent)
    return rrb.Horizontal(rrb.Tabs(classes, likeliest), sent, column_shares=[3, 2])


def _plane(origin: str, name: str) -> rrb.Spatial2DView:
    return rrb.Spatial2DView(origin=origin, name=name, background=[DARK])


def _row(views: Sequence[Any]) -> rrb.Container:
    return rrb.Horizontal(*views) if len(views) <= 4 else rrb.Grid(*views)


def shown_in(recording: rr.RecordingStream, scene: Scene, chosen: str = "") -> None:
    """Send the layout to whoever looks."""
    recording.send_blueprint(blueprint(scene, chosen), make_active=True, make_default=True)
