# SPDX-License-Identifier: Apache-2.0
"""What objects are taken for: a table, and probabilities over time."""

from __future__ import annotations

import math

import rerun as rr

from m2vae_ros.apps.view.colours import cell, palette_colour
from m2vae_ros.apps.view.scene import Scene
from m2vae_ros.fusion.attributes import marginals
from m2vae_ros.fusion.belief import Belief

TABLE = "beliefs/table"
LIKELIEST = "beliefs/likeliest"
CLASSES = "beliefs/classes"


class Beliefs:
    """Draws the table, the probability of each object's likeliest class, and all of one object.

    Args:
        recording: of Rerun.
        chosen: the object whose classes are drawn; "" for the first that is met.
    """

    def __init__(self, recording: rr.RecordingStream, chosen: str = "") -> None:
        self._recording = recording
        self._chosen = chosen
        self._drawn: list[Belief] = []
        self._met: tuple[str, ...] = ()
        self._named: dict[str, tuple[str, ...]] = {}

    def draw(self, scene: Scene) -> None:
        """The table if it has changed, and a point of each curve."""
        suite = scene.memory.engine.suite
        beliefs = scene.beliefs()
        if [*map(id, beliefs)] != [*map(id, self._drawn)]:
            self._drawn = beliefs
            text = table(beliefs, suite.attributes)
            document = rr.TextDocument(text, media_type=rr.MediaType.MARKDOWN)
            self._recording.log(TABLE, document)
        if suite.classes and beliefs:
            self._curve(LIKELIEST, *self._likeliest(beliefs))
        chosen = scene.memory.get(self._chosen or scene.first)
        for belief in beliefs:
            if chosen is not None and belief.embedding.object_id == chosen.object_id:
                self._curve(CLASSES, suite.classes, belief.probabilities.tolist())

    def _likeliest(self, beliefs: list[Belief]) -> tuple[tuple[str, ...], list[float]]:
        """Objects, in the order in which they were met, and the probability of what each is."""
        held = {belief.embedding.object_id: float(belief.probabilities.max()) for belief in beliefs}
        self._met = tuple(dict.fromkeys((*self._met, *held)))
        return self._met, [held.get(name, math.nan) for name in self._met]

    def _curve(self, path: str, names: tuple[str, ...], values: list[float]) -> None:
        if self._named.get(path) != names:
            self._named[path] = names
            colours = [palette_colour(number) for number in range(len(names))]
            lines = rr.SeriesLines(names=names, colors=colours, widths=[2.0] * len(names))
            self._recording.log(path, lines, static=True)
        self._recording.log(path, rr.Scalars(values))


def table(beliefs: list[Belief], attributes: dict[str, tuple[str, ...]]) -> str:
    """What is known of each object and by which modalities, in Markdown."""
    heads = ["object", *attributes, "sensed by"]
    lines = [heads, ["---"] * len(heads)]
    for belief in beliefs:
        found = marginals(belief.probabilities, attributes)
        cells = [cell(marginal) for marginal in found] or ["?"] * len(attributes)
        if belief.unknown:
            cells = ["unknown"] * len(attributes)
        lines.append([belief.embedding.object_id, *cells, ", ".join(belief.embedding.held)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
