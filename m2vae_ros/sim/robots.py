# SPDX-License-Identifier: Apache-2.0
"""Robots that follow velocity commands in the plane."""

from __future__ import annotations

import math

from m2vae_ros.sim.backend import mujoco
from m2vae_ros.world.commands import Command
from m2vae_ros.world.sdf import Model


class Robot:
    """One robot in a compiled world.

    Args:
        mujoco_model: the compiled world it is part of.
        model: its model in the world; it begins at that pose.
    """

    def __init__(self, mujoco_model: mujoco.MjModel, model: Model) -> None:
        self.name = model.name
        self.model = model
        self._command = Command(model.name)
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

    def place(self, data: mujoco.MjData, x: float, y: float, yaw: float) -> None:
        """Put the robot somewhere (metres, radians), at rest."""
        data.qpos[self._qpos] = x, y, yaw
        data.qvel[self._qvel] = 0.0

    def stop(self) -> None:
        """Forget the command."""
        self._command.forget()

    def command(self, linear: float, angular: float, time: float) -> None:
        """Take a velocity, see `Command.give`.

        Raises:
            ValueError: not finite. The command before still holds.
        """
        self._command.give(linear, angular, time)

    def drive(self, data: mujoco.MjData) -> None:
        """Set the servos for the next step."""
        linear, angular = self._command.at(data.time)
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
