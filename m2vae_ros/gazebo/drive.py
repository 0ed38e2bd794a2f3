# SPDX-License-Identifier: Apache-2.0
"""Drives a robot in Gazebo by pushing it, as wheels under it would.

gazebo_ros's planar_move sets velocities inside of Gazebo, which no topic can. What topics can do is
to set poses, but Gazebo reads those five times a second only and a body that was put into another
flies off, or to push: a wrench takes hold in the next step of the physics. So with each pose that
Gazebo tells, the robot is pushed by what it lacks in momentum, no harder than wheels can. Nothing
holds it otherwise, for robots stand without friction; and what it bumps into stops it.
"""

from __future__ import annotations

import math
from time import monotonic
from typing import Any

from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.messages import message
from m2vae_ros.gazebo.world import GazeboWorld, Pose
from m2vae_ros.world.commands import MAX_ANGULAR, MAX_LINEAR, Command

GAIN = 0.4
"""Of the momentum that is lacking. A pose is sent before the last push shows in it: above 0.6 the
pushes would build up."""

MAX_FORCE, MAX_TORQUE = 3.0, 0.05
"""N and N·m, averaged over the time from pose to pose: wheels under 0.6 kg slip beyond that."""

MAX_RATE = 60.0
"""Poses in each second of a clock on the wall that Gazebo tells at most. Those that come faster
have waited somewhere together: none of them can show what was pushed at the first."""

AT_REST = 1e-4
"""m/s and rad/s that are not worth a push."""

STILL = 0.005
"""m/s and rad/s below which nobody sees it move."""

TELEPORTED = 3.0
"""Times its highest speed: who was that much faster has been put somewhere else."""


class Drive:
    """One robot that follows commands.

    `update` and what `world` calls back are of the client's thread; `command` may come from any.

    Args:
        world: where the robot may be, now or later.
        robot: its name.
    """

    def __init__(self, world: GazeboWorld, robot: str) -> None:
        self.robot = robot
        self._world = world
        self._command = Command(robot)
        self._before: tuple[float, Pose] | None = None
        self._twist = (0.0, 0.0, 0.0)
        self._pushed_at = -math.inf

    @property
    def twist(self) -> tuple[float, float, float]:
        """How it moves, in its own frame: forwards, leftwards (m/s), counter-clockwise (rad/s)."""
        return self._twist

    @property
    def moves(self) -> bool:
        """Whether it does, noticeably."""
        return max(map(abs, self._twist)) > STILL

    def command(self, linear: float, angular: float) -> None:
        """Take a velocity, see `Command.give`.

        Raises:
            ValueError: not finite. The command before still holds.
        """
        self._command.give(linear, angular, self._world.time)

    def forget(self) -> None:
        """It is another Gazebo now, or another time."""
        self._command.forget()
        self._before = None
        self._twist = (0.0, 0.0, 0.0)

    def update(self, time: float, pose: Pose) -> None:
        """Push it, if it does not move as it should.

        Args:
            time: simulated seconds.
            pose: where it is then.

        Raises:
            GazeboError: it has no body that could be pushed.
        """
        if self._before is not None and time < self._before[0]:  # the world was reset
            self.forget()
        before, self._before = self._before, (time, pose)
        if before is None or not before[0] < time:
            return
        elapsed = time - before[0]
        self._twist = twist(before[1], pose, elapsed)
        forwards, leftwards, turn = self._twist
        if math.hypot(forwards, leftwards) > TELEPORTED * MAX_LINEAR or (
            abs(turn) > TELEPORTED * MAX_ANGULAR
        ):
            self._twist = (0.0, 0.0, 0.0)
            return
        linear, angular = self._command.at(time)
        lacking = (linear - forwards, -leftwards, angular - turn)
        now = monotonic()
        if max(map(abs, lacking)) > AT_REST and now - self._pushed_at > 0.5 / MAX_RATE:
            self._pushed_at = now
            self._push(lacking, elapsed)

    def _push(self, lacking: tuple[float, float, float], elapsed: float) -> None:
        """Give the robot momentum.

        Args:
            lacking: m/s forwards and leftwards, rad/s.
            elapsed: for which that must suffice, seconds.
        """
        step = self._world.step_size
        try:
            model = self._world.model(self.robot)
        except GazeboError:  # it is being removed, or Gazebo ends
            return
        if not step:
            return
        link, mass, inertia = body(model)
        # What is to last for a while is given in one step of the physics.
        share = elapsed / step
        push = [GAIN * mass * speed / elapsed for speed in lacking[:2]]
        scale = share * min(1.0, MAX_FORCE / max(math.hypot(*push), 1e-9))
        torque = GAIN * inertia * lacking[2] / elapsed
        torque = share * min(max(torque, -MAX_TORQUE), MAX_TORQUE)
        topic = f"~/{link}/wrench"
        self._world.client.advertise(topic, "Wrench")
        self._world.client.publish(
            topic,
            message("Wrench")(
                force={"x": scale * push[0], "y": scale * push[1], "z": 0.0},
                torque={"x": 0.0, "y": 0.0, "z": torque},
            ),
        )


def twist(before: Pose, after: Pose, elapsed: float) -> tuple[float, float, float]:
    """The motion between two poses, in the robot's frame halfway: forwards, leftwards, turning."""
    dx, dy = (after[0] - before[0]) / elapsed, (after[1] - before[1]) / elapsed
    turned = math.remainder(after[2] - before[2], math.tau)
    cosine, sine = math.cos(before[2] + turned / 2.0), math.sin(before[2] + turned / 2.0)
    return cosine * dx + sine * dy, cosine * dy - sine * dx, turned / elapsed


def body(model: Any) -> tuple[str, float, float]:
    """The body of a robot, `gazebo.msgs.Model`: path of its link, mass (kg), inertia about z.

    Raises:
        GazeboError: it has none; those of models within it do not count.
    """
    if not model.link:
        raise GazeboError(f"{model.name} has no link of its own")
    link = model.link[0]
    inertial = link.inertial
    return link.name.replace("::", "/"), inertial.mass, inertial.izz
