# SPDX-License-Identifier: Apache-2.0
"""The latent space: each object's Gaussian, which moves as more is known of it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import rerun as rr

from m2vae_ros.apps.view.beliefs import abbreviated
from m2vae_ros.apps.view.colours import belief_colour, label, mixed
from m2vae_ros.apps.view.scene import Scene
from m2vae_ros.fusion.attributes import Marginal, marginals
from m2vae_ros.fusion.belief import Belief
from m2vae_ros.fusion.latent_plane import LatentPlane

ORIGIN = "latent"

MOST_STEPS = 20
"""Of the way of an object's mean that is drawn."""

EASE = 0.35
"""Share of the way from where it is drawn to where it is that an ellipse goes each time."""

LEAST = 1e-3
"""A step that need not be drawn."""

CANVAS = np.array([200.0, 150.0])
"""Width and height of what is shown: by itself a viewer shows all that there ever was."""

FILLED = np.array([0.6, 0.8])
"""Shares of the canvas that ellipses and ways fill: labels reach beyond them."""

UP = np.array([1.0, -1.0])
"""Pictures have their origin at the top left."""


class Latent:
    """Draws ellipses of two standard deviations, and the ways of their middles.

    Args:
        recording: of Rerun.
        latent_dim: D_z.
    """

    def __init__(self, recording: rr.RecordingStream, latent_dim: int) -> None:
        self._recording = recording
        self._plane = LatentPlane(latent_dim)
        self._ways: defaultdict[str, deque[np.ndarray]]
        self._ways = defaultdict(lambda: deque(maxlen=MOST_STEPS))
        self._known: dict[str, Belief] = {}
        self._at: dict[str, np.ndarray] = {}
        self._window: np.ndarray | None = None

    def draw(self, scene: Scene) -> None:
        """Every object, a step nearer to where it is."""
        suite = scene.memory.engine.suite
        beliefs = {belief.embedding.object_id: belief for belief in scene.beliefs()}
        for name, belief in beliefs.items():
            if self._known.get(name) is not belief:
                self._plane.see(belief.embedding.mean)
                self._ways[name].append(belief.embedding.mean)
        moved = max((self._step(belief) for belief in beliefs.values()), default=0.0)
        moved = max(moved, self._look_at([*beliefs]))
        same = beliefs == self._known  # of a belief, the very same
        self._known = beliefs
        if moved < LEAST and same:
            return
        outlines, middles, colours, labels, ways = [], [], [], [], []
        for name, belief in beliefs.items():
            outlines.append(self._drawn(self._at[name]))
            middles.append(self._drawn(self._at[name][:-1].mean(axis=0)))
            found = marginals(belief.probabilities, suite.attributes)
            colours.append(belief_colour(belief, found))
            labels.append(label(belief, [*map(short, found)]))
            ways.append(self._drawn(self._way(name)))
        bright = [mixed(colour, (255, 255, 255), 0.3) for colour in colours]
        thin, thick = rr.Radius.ui_points(0.7), rr.Radius.ui_points(1.5)
        log = self._recording.log
        log(f"{ORIGIN}/ways", rr.LineStrips2D(ways, colors=colours, radii=thin))
        log(f"{ORIGIN}/gaussians", rr.LineStrips2D(outlines, colors=bright, radii=thick))
        dots = rr.Radius.ui_points(3.0)
        light = [mixed(colour, (255, 255, 255), 0.75) for colour in colours]
        log(f"{ORIGIN}/means", rr.Points2D(middles, colors=light, radii=dots, labels=labels))

    def _step(self, belief: Belief) -> float:
        """Go a step from where an ellipse is drawn to where it is; returns how far."""
        one = belief.embedding
        outline = self._plane.ellipse(one.mean, one.log_variance)
        before = self._at.get(one.object_id, outline)
        step = EASE * (outline - before)
        self._at[one.object_id] = before + step
        return float(np.abs(step).max())

    def _way(self, name: str) -> np.ndarray:
        return np.array([self._plane.project(mean) for mean in self._ways[name]])

    def _look_at(self, names: Sequence[str]) -> float:
        """Go a step to where these can be seen; returns how far, as a share of what is seen."""
        if not names:
            return 0.0
        aim = window([*(self._at[name] for name in names), *map(self._way, names)])
        before = aim if self._window is None else self._window
        step = EASE * (aim - before)
        self._window = before + step
        across = step[:2] / (np.exp(aim[2]) * CANVAS)
        return float(np.abs([*across, step[2]]).max())

    def _drawn(self, points: np.ndarray) -> np.ndarray:
        """Where on the canvas points of the plane are, (..., 2)."""
        assert self._window is not None
        middle, size = self._window[:2], np.exp(self._window[2])
        drawn: np.ndarray = CANVAS / 2.0 + (points - middle) * UP / size
        return drawn


def short(marginal: Marginal) -> Marginal:
    """With its values abbreviated: names stand close to each other here."""
    values = abbreviated({value: value for value in marginal.values})
    return replace(marginal, values=tuple(values.values()))


def window(parts: Sequence[np.ndarray]) -> np.ndarray:
    """What has to be seen for all parts, each (n, 2), to be seen.

    Returns:
        float64 (3,): the middle, and the logarithm of the length that a unit of the canvas shows.
    """
    every = np.concatenate(parts)
    low, high = every.min(axis=0), every.max(axis=0)
    size = ((high - low) / (FILLED * CANVAS)).max()
    return np.array([*(low + high) / 2.0, np.log(max(size, LEAST))])
