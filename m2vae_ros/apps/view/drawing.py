# SPDX-License-Identifier: Apache-2.0
"""Draws the scene, again and again."""

from __future__ import annotations

import time

import rerun as rr

from m2vae_ros.apps.view import layout
from m2vae_ros.apps.view.arena import Arena
from m2vae_ros.apps.view.beliefs import Beliefs
from m2vae_ros.apps.view.latent import Latent
from m2vae_ros.apps.view.scene import Scene
from m2vae_ros.apps.view.sensors import Sensors
from m2vae_ros.apps.view.traffic import Traffic


class Drawing:
    """All parts of the view in one recording.

    Args:
        recording: of Rerun.
        scene: to draw.
        chosen: the object that is looked at more closely; "" for the first met and the last seen.
    """

    def __init__(self, recording: rr.RecordingStream, scene: Scene, chosen: str = "") -> None:
        self._recording = recording
        self._scene = scene
        self._chosen = chosen
        self._began = time.monotonic()
        self._parts = (
            Arena(recording),
            Sensors(recording, chosen),
            Beliefs(recording, chosen),
            Latent(recording, scene.memory.engine.latent_dim),
            Traffic(recording),
        )
        self._key: layout.Key | None = None

    def draw(self) -> None:
        """What has changed since, at the seconds that have passed since the view began."""
        elapsed = time.monotonic() - self._began
        self._recording.set_time(layout.TIMELINE, duration=elapsed)
        for part in self._parts:
            part.draw(self._scene)
        key = layout.key(self._scene, self._chosen)
        if key != self._key:  # a robot has come, a sensor, or the first object
            self._key = key
            layout.shown_in(self._recording, self._scene, self._chosen)
