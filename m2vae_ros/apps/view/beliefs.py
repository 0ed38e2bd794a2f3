# SPDX-License-Identifier: Apache-2.0
"""What objects are taken for: a table, and probabilities over time."""

from __future__ import annotations

import math
from collections.abc import Mapping

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
            titles = {name: modality.title or name for name, modality in suite.items()}
            text = table(beliefs, suite.attributes, abbreviated(titles))
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


def abbreviated(names: Mapping[str, str]) -> dict[str, str]:
    """Their first letters, three or as many as tell them apart; of equal ones all letters."""
    longest = max(map(len, names.values()), default=0)
    for letters in range(3, longest):
        short = {key: name[:letters] for key, name in names.items()}
        if len({*short.values()}) == len(names):
            return short
    return dict(names)


def table(
    beliefs: list[Belief], attributes: Mapping[str, tuple[str, ...]], short: Mapping[str, str]
) -> str:
    """What is known of each object and by which modalities, in Markdown.

    Args:
        beliefs: of the objects.
        attributes: name -> values.
        short: modality -> what it is called in the table.
    """
    heads = ["object", *attributes, "by"]
    lines = [heads, ["---"] * len(heads)]
    for belief in beliefs:
        found = marginals(belief.probabilities, attributes)
        cells = [cell(marginal) for marginal in found] or ["?"] * len(attributes)
        if belief.unknown:
            cells = ["unknown"] * len(attributes)
        by = ", ".join(short[modality] for modality in belief.embedding.held)
        lines.append([belief.embedding.object_id, *cells, by])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
