# SPDX-License-Identifier: Apache-2.0
"""Robots that follow velocity commands in the plane."""

from __future__ import annotations

import math

import numpy as np

from m2vae_ros.sim.backend import mujoco
from m2vae_ros.sim.world import Model

MAX_LINEAR = 0.5  # m/s, forwards and backwards; a faster command is carried out at this speed
MAX_ANGULAR = 3.0  # rad/s, either way
COMMAND_TIMEOUT = 0.5  # seconds of simulated time; without a newer command the robot stops


class Robot:
    """One robot in a compiled world.

    Args:
        mujoco_model: the compiled world it is part of.
        model: its model in the world; it begins at that pose.
    """

    def __init__(self, mujoco_model: mujoco.MjModel, model: Model) -> None:
        self.name = model.name
        self.model = model
        self._qpos = [
            int(mujoco_model.joint(f"{model.name}/{axis}").qposadr[0]) for axis in ("x", "y", "yaw")
        ]
        self._qvel = [
            int(mujoco_model.joint(f"{model.name}/{axis}").dofadr[0]) for axis in ("x", "y", "yaw")
        ]
        self._servos = [
            mujoco_model.actuator(f"{model.name}/{motion}").id
            for motion in ("forwards", "sideways", "turn")
        ]
        self.stop()

    def place(self, data: mujoco.MjData, x: float, y: float, yaw: float) -> None:
        """Put the robot somewhere (metres, radians), at rest."""
        data.qpos[self._qpos] = x, y, yaw
        data.qvel[self._qvel] = 0.0

    def stop(self) -> None:
        """Forget the command."""
        self._command = (0.0, 0.0)
        self._commanded_at = -math.inf

    def command(self, linear: float, angular: float, time: float) -> None:
        """Take a velocity in the robot's own frame, m/s forwards and rad/s counter-clockwise.

        Args:
            linear: cut off at ± `MAX_LINEAR`.
            angular: cut off at ± `MAX_ANGULAR`.
            time: when it was given, simulated seconds; it holds for `COMMAND_TIMEOUT`.

        Raises:
            ValueError: not finite. The command before still holds.
        """
        for name, value in (("linear", linear), ("angular", angular)):
            if not math.isfinite(value):
                raise ValueError(f"command of {self.name}: {name} velocity is {value}")
        self._command = (
            float(np.clip(linear, -MAX_LINEAR, MAX_LINEAR)),
            float(np.clip(angular, -MAX_ANGULAR, MAX_ANGULAR)),
        )
        self._commanded_at = time

    def drive(self, data: mujoco.MjData) -> None:
        """Set the servos for the next step."""
        linear, angular = self._command
        # Simulated time is a sum of many steps, so not exactly what it should be.
        if data.time - self._commanded_at > COMMAND_TIMEOUT - 1e-9:
            linear, angular = 0.0, 0.0
        data.ctrl[self._servos] = linear, 0.0, angular

    def pose(self, data: mujoco.MjData) -> tuple[float, float, float]:
        """Where it is in the world: x, y (metres), yaw (radians, in [-pi, pi])."""
        x, y, yaw = data.qpos[self._qpos]
        return float(x), float(y), math.remainder(float(yaw), 2.0 * math.pi)

    def twist(self, data: mujoco.MjData) -> tuple[float, float, float]:
        """How it moves, in its own frame: forwards, leftwards (m/s), counter-clockwise (rad/s)."""
        vx, vy, rate = data.qvel[self._qvel]
        yaw = data.qpos[self._qpos[2]]
        cosine, sine = math.cos(yaw), math.sin(yaw)
        return (
            float(cosine * vx + sine * vy),
            float(cosine * vy - sine * vx),
            float(rate),
        )
