# SPDX-License-Identifier: Apache-2.0
"""Drives one robot from object to object and waits at each until it has sensed it.

A robot with several sensors stops at each object once for each, where that sensor sees it best.
While a planner is there, it goes where that sends it, and else stays; without one it goes on with
its own round.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from m2vae_ros.msg import ObjectClassification
from m2vae_ros.nodes.known_objects import KnownObjects
from m2vae_ros.robot.driving import STILL, Driver, Goal, Velocity
from m2vae_ros.robot.frames import NoTransform
from m2vae_ros.robot.placement import Placement, pose_of
from m2vae_ros.ros import messages, qos, topics
from m2vae_ros.ros.drop_log import DropLog
from m2vae_ros.ros.frames import FrameListener
from m2vae_ros.ros.parameters import ParameterError, declare, follow, parameter, read
from m2vae_ros.ros.process import run
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.messages import GLOBAL_FRAME, NANOSECONDS, Motion
from m2vae_ros.sensors.sensing_range import Pose
from m2vae_ros.world.suite import AMIRO, viewpoint


@dataclass(frozen=True)
class PatrolParameters:
    """See the descriptions; `ros2 param describe` shows them too."""

    robot: str = parameter("", "Name of the robot; empty: the node's namespace.", fixed=True)
    modalities: tuple[str, ...] = parameter(
        tuple(AMIRO)[:1], f"With which it looks, of {', '.join(AMIRO)}."
    )
    order: tuple[str, ...] = parameter((), "Names of the objects in order; empty: all, as given.")
    speed: float = parameter(0.4, "m/s at most.", minimum=0.01, maximum=5.0)
    turn: float = parameter(2.5, "rad/s at most.", minimum=0.05, maximum=10.0)
    patience: float = parameter(
        3.0, "Seconds to wait at an object; one that was not sensed is visited again.", minimum=0.1
    )
    stay: float = parameter(
        0.0, "Seconds to stay at each object and go on looking at it.", minimum=0.0
    )
    global_frame: str = parameter(
        GLOBAL_FRAME, "Frame of the objects' places; transforms lead to it.", fixed=True
    )
    objects: KnownObjects = KnownObjects()

    def __post_init__(self) -> None:
        for modality in self.modalities:
            if modality not in AMIRO:
                raise ParameterError(
                    f"parameter modalities: {modality!r} is not one of {', '.join(AMIRO)}"
                )
        for name in self.order:
            if name not in self.objects.names:
                raise ParameterError(f"parameter order: {name!r} is not among objects.names")


LAG = 1.0
"""Seconds by which localisation may lag behind odometry, which drifts little meanwhile."""

MOST_STAMPS = 100
"""Of odometry that are remembered, of at most `LAG`."""

LOST = 10
"""Times its patience that a robot which stays waits for its next look: a busy machine is late."""


class Stop(NamedTuple):
    """An object to be sensed, and the modality."""

    name: str
    modality: str

    def __str__(self) -> str:
        return f"{self.name} by {self.modality}"


class PatrolNode(Node):
    """Odometry in, velocity out; `~/progress` says in words how far it is.

    `~/wanted` names the object at which it is to look next.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("patrol", **options)
        declare(self, PatrolParameters)
        self._settings = settings = read(self, PatrolParameters)
        self._robot = settings.robot or self.get_namespace().strip("/")
        if not self._robot:
            raise ParameterError("parameter robot: is empty, and so is the node's namespace")
        self._begun = False
        self._begin_round()
        drops = DropLog(self.get_logger())
        self._velocity = topics.publisher(self, Twist, "cmd_vel", qos.STATE)
        self._progress = topics.publisher(self, String, "~/progress", qos.EVERY_ONE)
        topics.subscription(
            self,
            ObjectClassification,
            "classification",
            self._on_classification,
            qos.EVERY_ONE,
            drops,
        )
        self._wanted = topics.subscription(
            self, String, "~/wanted", self._on_wanted, qos.STATE, drops
        )
        frames = FrameListener(self, drops)
        for topic, profile, take in frames.sources():
            topics.subscription(self, TFMessage, topic, take, profile, drops)
        self._placement = Placement(frames, settings.global_frame)
        self._stamps: deque[int] = deque(maxlen=MOST_STAMPS)  # of odometry
        topics.subscription(self, Odometry, "odom", self._on_odometry, qos.STATE, drops)
        follow(self, partial(read, self, PatrolParameters), self._adjust)

    def _begin_round(self) -> None:
        """Set out for all stops."""
        settings, objects = self._settings, self._settings.objects
        self._places = dict(zip(objects.names, zip(objects.x, objects.y, strict=True), strict=True))
        self._waiting = [
            Stop(name, modality)
            for name in settings.order or self._places
            for modality in settings.modalities
        ]
        self._count = len(self._waiting)
        self._driver: Driver | None = None
        self._there_since: float | None = None
        self._looks: list[float] = []  # at the stop where the robot is, since it is there
        self._asked = ""  # the object to which a planner has sent it

    def _adjust(self, settings: PatrolParameters) -> None:
        before, self._settings = self._settings, settings
        if _stops(settings) != _stops(before):
            self._begin_round()
        elif self._driver is not None:
            self._driver.limit(settings.speed, settings.turn)

    def _on_wanted(self, message: String) -> None:
        """Look at an object next, whatever the order."""
        name = message.data
        if name not in self._places:
            raise ObservationError(f"data: {name!r} is not among objects.names")
        if self._has_sensed():
            self._next(f"has sensed {self._waiting[0]}")
        self._asked = name
        if self._waiting and self._waiting[0].name == name:
            return  # it is on its way, or there
        stops = [Stop(name, modality) for modality in self._settings.modalities]
        self._waiting = [*stops, *(stop for stop in self._waiting if stop not in stops)]
        self._driver = self._there_since = None

    def _on_classification(self, message: ObjectClassification) -> None:
        """Note when this robot looked at the object before which it stands."""
        if self._there_since is None or not self._waiting:
            return
        stop, looked = self._waiting[0], messages.nanoseconds(message.header.stamp) * 1e-9
        seen = message.object_id == stop.name and stop.modality in message.sensed
        if seen and looked >= self._there_since:
            self._looks.append(looked)

    def _on_odometry(self, message: Odometry) -> None:
        """One step of the patrol, in the time of the odometry."""
        motion = messages.motion(message)
        try:
            pose = self._pose(motion)
        except NoTransform as error:
            self._velocity.publish(Twist())  # who does not know where it is stands
            raise ObservationError(f"header.frame_id: {error}") from error
        linear, angular = self._step(motion.stamp * 1e-9, pose)
        command = Twist()
        command.linear.x, command.angular.z = linear, angular
        self._velocity.publish(command)

    def _pose(self, motion: Motion) -> Pose:
        """Where the robot is, by odometry from where it was last localised.

        Raises:
            NoTransform: see `Placement.base`; it was not localised for a while.
        """
        if self._stamps and motion.stamp < self._stamps[-1]:
            self._stamps.clear()  # time began anew
        self._stamps.append(motion.stamp)
        reason: NoTransform | None = None
        for stamp in reversed(self._stamps):
            if motion.stamp - stamp > LAG * NANOSECONDS:
                break
            try:
                return pose_of(self._placement.base(motion, stamp))
            except NoTransform as error:
                reason = reason or error
        assert reason is not None  # its own stamp was tried
        raise reason

    def _step(self, now: float, pose: Pose) -> Velocity:
        if not self._waiting or not (self._asked or self._is_its_own_master()):
            return STILL
        stop = self._waiting[0]
        # No use in going anywhere before anybody looks through the robot's sensor.
        topic = self.resolve_topic_name(AMIRO[stop.modality].topic)
        self._begun = self._begun or self.count_subscribers(topic) > 0
        if not self._begun:
            return STILL
        if self._driver is None:
            self._driver = Driver(self._goal(stop), self._settings.speed, self._settings.turn, now)
            self._there_since = None
            self._say(f"drives to {stop}")
        command = self._driver.command(now, pose)
        if command is not None:
            return command
        if self._there_since is None:
            self._there_since, self._looks = now, []
        if self._has_sensed():
            self._next(f"has sensed {stop}")
        elif not self._looks and now - self._there_since > self._settings.patience:
            self._waiting.append(stop)
            self._next(f"could not sense {stop}, comes back later")
        elif self._looks and now - self._looks[-1] > LOST * self._settings.patience:
            self._waiting.append(stop)
            self._next(f"has lost sight of {stop}, comes back later")
        return STILL

    def _has_sensed(self) -> bool:
        """Whether it has looked for long enough where it stands."""
        return bool(self._looks) and self._looks[-1] - self._looks[0] >= self._settings.stay

    def _is_its_own_master(self) -> bool:
        """Whether no planner is there."""
        return self.count_publishers(self._wanted.topic_name) == 0

    def _goal(self, stop: Stop) -> Goal:
        x, y = self._places[stop.name]
        stand_x, stand_y, _ = viewpoint(AMIRO[stop.modality]).pose(x, y)
        return Goal(stand_x, stand_y, x, y)

    def _next(self, what: str) -> None:
        del self._waiting[0]
        self._driver = self._there_since = None
        self._looks = []
        if not (self._waiting and self._waiting[0].name == self._asked):
            self._asked = ""
        self._say(what)
        if not self._waiting:
            self._say("has sensed all")

    def _say(self, what: str) -> None:
        done = self._count - len(self._waiting)
        self._progress.publish(String(data=f"{self._robot} {done}/{self._count}: {what}"))


def _stops(settings: PatrolParameters) -> object:
    """What a round is made of."""
    return settings.objects, settings.order, settings.modalities


def main(args: list[str] | None = None) -> int:
    """Run the node until it is asked to stop; returns the exit status."""
    return run(PatrolNode, args)


if __name__ == "__main__":
    sys.exit(main())
