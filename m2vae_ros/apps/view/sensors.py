# SPDX-License-Identifier: Apache-2.0
"""What the sensors see, and beside it what embeddings say they saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import rerun as rr

from m2vae_ros.apps.view.arena import LOOKED_AT
from m2vae_ros.apps.view.colours import Colour
from m2vae_ros.apps.view.scene import Look, Reading, Scene, Sensor
from m2vae_ros.fusion.imagination import imagine
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.images import averaged, picture
from m2vae_ros.sensors.view import View

ORIGIN = "sensors"
CHOSEN = "chosen"

WIDEST = 320
"""Pixels of a picture that is sent to the viewer."""

CANVAS = (200.0, 100.0)
"""Width and height of what curves are drawn in."""

SENSED: Colour = (235, 235, 240)
DECODED: Colour = (64, 196, 255)
SPREAD: Colour = (36, 84, 112)
COLOURS = {"sensed": SENSED, "decoded": DECODED, "spread": SPREAD}
FRAME: Colour = (70, 74, 84)


class Sensors:
    """Draws the newest readings and, of one object, the last looks at it beside its embedding.

    Args:
        recording: of Rerun.
        chosen: the object; "" for whichever was looked at last.
    """

    def __init__(self, recording: rr.RecordingStream, chosen: str = "") -> None:
        self._recording = recording
        self._chosen = chosen
        self._drawn: dict[str, Reading] = {}
        self._framed: set[str] = set()
        self._shown: tuple[Any, ...] = ()

    def draw(self, scene: Scene) -> None:
        """What has changed."""
        for robot, sensor in scene.sensors():
            path = f"{ORIGIN}/{robot.name}/{sensor.modality.name}"
            if sensor.readings and self._drawn.get(path) is not sensor.readings[-1]:
                self._drawn[path] = sensor.readings[-1]
                try:
                    self._reading(path, sensor)
                except ObservationError:  # the robot says so on /diagnostics
                    continue
        self._compare(scene)

    def _reading(self, path: str, sensor: Sensor) -> None:
        view, reading = sensor.modality.view, sensor.readings[-1]
        if view.measures == "image":
            self._picture(path, view, reading)
            return
        values = reading.values()
        if values is None:
            return
        shown = view.display(values)
        if shown.dtype == np.uint8:
            self._recording.log(path, rr.Image(shown))
        else:
            self._curves(path, {"sensed": shown})

    def _picture(self, path: str, view: View, reading: Reading) -> None:
        try:
            whole = picture(reading.message())
        except ObservationError:  # no colours
            whole = picture(reading.message(), "mono8")
        band = view.band(*whole.shape[:2])
        height, width = whole.shape[:2]
        scale = min(1.0, WIDEST / width)
        small = averaged(whole, round(width * scale), round(height * scale))
        self._recording.log(path, rr.Image(small).compress(jpeg_quality=80))
        if band is not None:
            top, bottom = (scale * row for row in band)
            box = rr.Boxes2D(
                mins=[(0.5, top)],
                sizes=[(small.shape[1] - 1.0, bottom - top)],
                colors=[LOOKED_AT],
            )
            self._recording.log(f"{path}/band", box)

    def _compare(self, scene: Scene) -> None:
        """The looks at the chosen object, and what its embedding decodes to."""
        name = self._chosen or scene.last
        held = scene.memory.get(name) if name else None
        if held is None:
            return
        looks = scene.looks.get(held.object_id, {})
        state = (held.digest, {modality: look.stamp for modality, look in looks.items()})
        if state == self._shown:
            return
        self._shown = state
        engine = scene.memory.engine
        for modality, view in engine.suite.views.items():
            mean, spread = imagine(engine, held, modality)
            decoded = view.display(mean)
            sensed = view.display(looks[modality].values) if modality in looks else None
            path = f"{CHOSEN}/{modality}"
            if decoded.dtype == np.uint8:
                pictures = stacked(sensed, decoded, view.display(2.0 * spread))
                self._recording.log(path, rr.Image(pictures))
                continue
            limits = [view.display(mean + side * spread) for side in (-2.0, 2.0)]
            curves = {"spread": np.concatenate(limits)}
            if sensed is not None:
                curves["sensed"] = sensed
            self._curves(path, {**curves, "decoded": decoded})
        self._recording.log(f"{CHOSEN}/about", _about(held.object_id, looks))

    def _curves(self, path: str, curves: Mapping[str, np.ndarray]) -> None:
        if path not in self._framed:
            self._framed.add(path)
            frame = rr.Boxes2D(mins=[(0.0, 0.0)], sizes=[CANVAS], colors=[FRAME])
            self._recording.log(f"{path}/frame", frame, static=True)
        lines, colours = [], []
        for name, strips in curve_lines(curves).items():
            lines += strips
            colours += [COLOURS[name]] * len(strips)
        width = rr.Radius.ui_points(1.5)
        self._recording.log(f"{path}/curves", rr.LineStrips2D(lines, colors=colours, radii=width))


def curve_lines(curves: Mapping[str, np.ndarray]) -> dict[str, list[np.ndarray]]:
    """Curves (k, n) of one unit as lines (n, 2) in the canvas, its origin at the top left.

    0 is at the bottom and 1 at the top, or else what lies farthest outside of that.
    """
    width, height = CANVAS
    every = np.concatenate([np.ravel(curve) for curve in curves.values()])
    every = every[np.isfinite(every)]
    low, high = min(0.0, every.min(initial=0.0)), max(1.0, every.max(initial=1.0))
    lines = {}
    for name, curve in curves.items():
        across = np.linspace(0.0, width, max(2, curve.shape[-1]))
        rows = curve if curve.shape[-1] > 1 else np.repeat(curve, 2, axis=-1)
        lines[name] = [
            np.column_stack([across, height * (1.0 - (row - low) / (high - low))]) for row in rows
        ]
    return lines


def stacked(sensed: np.ndarray | None, decoded: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Pictures of one shape, from top to bottom; where nothing was sensed it is dark."""
    above = np.zeros_like(decoded) if sensed is None else sensed
    gap = np.zeros((max(1, len(decoded) // 12), *decoded.shape[1:]), dtype=np.uint8)
    return np.concatenate([above, gap, decoded, gap, spread])


def _about(name: str, looks: Mapping[str, Look]) -> rr.TextDocument:
    by = ", ".join(sorted({look.robot for look in looks.values()}))
    text = f"**{name}**, looked at by {by or 'nobody since'}"
    return rr.TextDocument(text, media_type=rr.MediaType.MARKDOWN)
