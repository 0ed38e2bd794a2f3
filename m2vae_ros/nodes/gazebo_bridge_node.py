# SPDX-License-Identifier: Apache-2.0
"""Gazebo's robots as ROS 2 topics, without gazebo_ros: /clock, sensors, odometry, cmd_vel.

Gazebo may start before or after this node, end and start again. A sensor is asked of Gazebo only
while somebody listens to it here, so that Gazebo draws no image in vain.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo

from m2vae_ros.bringup.arguments import check_robot, team_of
from m2vae_ros.gazebo.drive import Drive
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.readings import TYPES, GazeboSensor, Reading, camera, rays
from m2vae_ros.gazebo.world import GazeboWorld, Pose
from m2vae_ros.ros import diagnostics, messages, qos, topics
from m2vae_ros.ros.broadcasting import OWN_ODOMETRY, RobotFrames, sensor_frame
from m2vae_ros.ros.clocks import steady_clock
from m2vae_ros.ros.drop_log import DropLog
from m2vae_ros.ros.images import image_message
from m2vae_ros.ros.message_types import message_class
from m2vae_ros.ros.parameters import ParameterError, declare, parameter, read
from m2vae_ros.ros.process import run
from m2vae_ros.ros.sensor_messages import ODOMETRY_PERIOD, camera_info, info_topic, scan_message
from m2vae_ros.world.noise import SensorNoise, generator
from m2vae_ros.world.suite import AMIRO

USUAL_MASTER = "http://127.0.0.1:11345"

LOOK_PERIOD = 0.2
"""Seconds from one look at who listens, and at what there is in Gazebo, to the next."""

SURVEY_PERIOD = 3.0
"""Seconds from one question to Gazebo which robots there are to the next."""

REPORT_PERIOD = 1.0

SILENCE = 5.0
"""Seconds without a word after which something is wrong with Gazebo."""

STOPPING = 0.5
"""Seconds in which robots stop."""


@dataclass(frozen=True)
class BridgeParameters:
    """See the descriptions; `ros2 param describe` shows them too."""

    master: str = parameter(
        "",
        "Gazebo's master, http://HOST:PORT; empty: GAZEBO_MASTER_URI, or Gazebo's usual one.",
        fixed=True,
    )
    robots: tuple[str, ...] = parameter(
        (),
        "Which robots are bridged and which of their sensors, as robot/sensor, one for each "
        "sensor; empty: whatever Gazebo has.",
        fixed=True,
    )
    seed: int = parameter(0, "Of the sensors' noise.", minimum=0, fixed=True)
    frame: str = parameter("map", "Frame of the world.", fixed=True)
    own_odometry: bool = parameter(False, OWN_ODOMETRY, fixed=True)


@dataclass
class BridgedRobot:
    """A robot, and where Gazebo last had it: time (s), pose (m, rad), twist (m/s, rad/s)."""

    drive: Drive
    odometry: Publisher[Any]
    last_seen: tuple[float, Pose, Pose] | None = None
    due: float = 0.0


@dataclass
class BridgedSensor:
    """A sensor, which Gazebo may have (`source`), and may be asked for now (`watched`)."""

    modality: str
    publisher: Publisher[Any]
    info: Publisher[Any] | None
    rng: np.random.Generator
    source: GazeboSensor | None = None
    watched: GazeboSensor | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether anybody listens."""
        return self.publisher.get_subscription_count() > 0


class GazeboBridgeNode(Node):
    """Publishes what Gazebo tells, and drives its robots.

    Gazebo's client has a thread of its own, which drives and leaves what is to be published; the
    node's executor publishes it. Of each sensor only the newest reading waits.
    """

    def __init__(self, **options: Any) -> None:
        self._resources = ExitStack()  # rclpy destroys nodes that could not be made, too
        super().__init__("gazebo_bridge", **options)
        declare(self, BridgeParameters)
        settings = read(self, BridgeParameters)
        self._seed = settings.seed
        self._frames = RobotFrames(self, settings.frame, settings.own_odometry)
        self._wanted = team_of(settings.robots) if settings.robots else None
        self._drops = DropLog(self.get_logger())
        self._noise = SensorNoise()
        self._robots: dict[str, BridgedRobot] = {}
        self._sensors: dict[tuple[str, str], BridgedSensor] = {}
        self._state, self._is_well = "", False
        self._missing: list[str] = []
        self._published_time = 0
        self._problems: deque[str] = deque(maxlen=100)
        self._waiting: dict[tuple[str, str], Reading] = {}
        self._clock_topic = topics.publisher(self, ClockMessage, "/clock", qos.CLOCK)
        self._diagnostics = topics.publisher(self, DiagnosticArray, "/diagnostics", qos.DIAGNOSTICS)
        self._news = self.create_guard_condition(self._publish)
        self._master = settings.master or os.environ.get("GAZEBO_MASTER_URI") or USUAL_MASTER
        try:
            self._gazebo = GazeboWorld(
                self._master, self._on_problem, self._on_poses, self._on_lost
            )
        except GazeboError as error:
            raise ParameterError(f"cannot talk to Gazebo: {error}") from error
        self._resources.callback(self._gazebo.close)
        self._resources.callback(self._stop)
        for robot, sensors in (self._wanted or {}).items():
            self._add_robot(robot, sensors)
        # Simulated time cannot drive itself.
        steady = steady_clock()
        self.create_timer(LOOK_PERIOD, self._look, clock=steady)
        self.create_timer(SURVEY_PERIOD, self._gazebo.look_again, clock=steady)
        self.create_timer(REPORT_PERIOD, self._report, clock=steady)

    def destroy_node(self) -> None:
        """Stop the robots, which nothing would stop any more, and let go of Gazebo, too."""
        self._resources.close()
        super().destroy_node()

    def _stop(self) -> None:
        deadline = time.monotonic() + STOPPING
        for robot in self._robots.values():
            robot.drive.command(0.0, 0.0)
        while time.monotonic() < deadline and any(r.drive.moves for r in self._robots.values()):
            time.sleep(0.01)

    # --- in Gazebo's thread -----------------------------------------------------------------------

    def _on_problem(self, sentence: str) -> None:
        if sentence not in self._problems:  # one that comes with every pose leaves room for others
            self._problems.append(sentence)

    def _on_poses(self) -> None:
        now = self._gazebo.time
        for name, robot in list(self._robots.items()):
            if (pose := self._gazebo.poses.get(name)) is not None:
                try:
                    robot.drive.update(now, pose)
                except Exception as error:  # the others are driven all the same
                    self._on_problem(f"{name} cannot be driven: {error}")
                robot.last_seen = (now, pose, robot.drive.twist)
            elif robot.last_seen is not None:  # it was removed
                robot.drive.forget()
                robot.last_seen = None
        self._news.trigger()

    def _on_reading(self, key: tuple[str, str], reading: Reading) -> None:
        self._waiting[key] = reading
        self._news.trigger()

    def _on_lost(self) -> None:
        for robot in list(self._robots.values()):
            robot.drive.forget()
            robot.last_seen = None

    # --- in the executor's: what there is ---------------------------------------------------------

    def _add_robot(self, name: str, sensors: Iterable[str]) -> None:
        if name not in self._robots:
            drive = Drive(self._gazebo, name)
            topic = f"/{name}/cmd_vel"
            topics.subscription(
                self,
                Twist,
                topic,
                lambda m: drive.command(*messages.velocity(m)),
                qos.NEWEST_READING,
                self._drops,
            )
            odometry = topics.publisher(self, Odometry, f"/{name}/odom", qos.STATE)
            self._robots[name] = BridgedRobot(drive, odometry)
        for modality in sensors:
            if (name, modality) not in self._sensors:
                self._sensors[name, modality] = self._make_sensor(name, modality)

    def _make_sensor(self, robot: str, modality: str) -> BridgedSensor:
        kind = AMIRO[modality]
        topic = f"/{robot}/{kind.topic}"
        publisher = topics.publisher(self, message_class(kind.type), topic, qos.NEWEST_READING)
        info = None
        if kind.view.measures == "image":
            info = topics.publisher(self, CameraInfo, info_topic(topic), qos.NEWEST_READING)
        return BridgedSensor(modality, publisher, info, generator(self._seed, robot, modality))

    def _look(self) -> None:
        """See who listens and what there is, and ask Gazebo for that and no more."""
        while self._problems:
            self._drops.counts["problems with Gazebo"] += 1
            self._drops.warn(self._problems.popleft())
        there = self._gazebo.robots if self._gazebo.ready else {}
        if self._wanted is None:
            for name, sensors in there.items():
                try:
                    check_robot(name, "Gazebo")
                except ValueError as error:
                    self._drops.warn(str(error))
                    continue
                self._add_robot(name, [sensor for sensor in sensors if sensor in AMIRO])
        self._missing = [name for name in self._robots if name not in there]
        for (robot, modality), sensor in self._sensors.items():
            sensor.source = there.get(robot, {}).get(modality)
            if (
                sensor.source is not None
                and sensor.source.type != TYPES[AMIRO[modality].view.measures]
            ):
                sensor.source = None
            if sensor.source is not None:
                is_camera = sensor.info is not None
                self._frames.mount(robot, modality, sensor.source.pose, is_camera)
            elif robot in there:
                self._missing.append(f"{robot}/{modality}")
            self._watch((robot, modality), sensor)
        self._say_how_it_is(bool(there))

    def _watch(self, key: tuple[str, str], sensor: BridgedSensor) -> None:
        wanted = sensor.source if sensor.is_wanted else None
        # While Gazebo is away, what was asked for stays asked for.
        if sensor.watched is not None and (
            not sensor.is_wanted or (wanted is not None and wanted.topic != sensor.watched.topic)
        ):
            self._gazebo.unwatch(sensor.watched)
            sensor.watched = None
        if wanted is not None:
            if sensor.watched is None:
                self._gazebo.watch(wanted, partial(self._on_reading, key))
            sensor.watched = wanted  # the same topic may be that of a sensor that was changed

    def _say_how_it_is(self, is_there: bool) -> None:
        before, self._is_well = self._state, False
        if not is_there:
            self._state = f"waits for Gazebo with robots at {self._master}"
        elif self._gazebo.silence > SILENCE:
            self._state = f"Gazebo at {self._master} has said nothing for {SILENCE:g} s"
        elif self._missing:
            self._state = f"Gazebo's world {self._gazebo.name} lacks {', '.join(self._missing)}"
        else:
            robots = ", ".join(self._robots) or "no robots"
            self._state, self._is_well = f"bridges world {self._gazebo.name}: {robots}", True
        if self._state == before:
            return
        if self._is_well:  # rclpy ties a line of code to one severity
            self.get_logger().info(self._state)
        else:
            self.get_logger().warning(self._state)

    def _report(self) -> None:
        level, summary = diagnostics.OK, self._state
        if not self._is_well:
            level = diagnostics.ERROR
        elif self._drops.dropped:
            level, summary = diagnostics.WARN, self._drops.last_error
        facts = {"master": self._master, **self._drops.counts}
        self._diagnostics.publish(diagnostics.report(self, level, summary, facts))

    # --- in the executor's: what is published -----------------------------------------------------

    def _publish(self) -> None:
        self._publish_time(self._gazebo.time)
        for name, robot in self._robots.items():
            self._publish_odometry(name, robot)
        for key in list(self._waiting):
            with self._drops.guard("/".join(key)):
                self._publish_reading(key, self._waiting.pop(key))

    def _publish_time(self, seconds: float) -> None:
        """On /clock, which goes back only if Gazebo started anew."""
        now = round(seconds * messages.NANOSECONDS)
        if now == self._published_time or 0 < self._published_time - now < messages.NANOSECONDS:
            return
        self._published_time = now
        self._clock_topic.publish(ClockMessage(clock=messages.stamp(now)))

    def _publish_odometry(self, name: str, robot: BridgedRobot) -> None:
        if robot.last_seen is None:
            return
        at, pose, twist = robot.last_seen
        if robot.due > at + 2.0 * ODOMETRY_PERIOD:  # it is another time
            robot.due = at
        if at < robot.due:
            return
        robot.due = max(robot.due + ODOMETRY_PERIOD, at + ODOMETRY_PERIOD / 2.0)
        stamp = messages.stamp(round(at * messages.NANOSECONDS))
        robot.odometry.publish(self._frames.odometry(name, pose, twist, stamp))

    def _publish_reading(self, key: tuple[str, str], reading: Reading) -> None:
        sensor = self._sensors[key]
        if sensor.watched is None:  # nobody listens any more
            return
        self._publish_time(reading.time)  # nobody is to see a reading from the future
        stamp = messages.stamp(round(reading.time * messages.NANOSECONDS))
        for publisher, message in self._messages(sensor, sensor.watched, reading):
            message.header.stamp = stamp
            message.header.frame_id = sensor_frame(*key, sensor.info is not None)
            publisher.publish(message)
        self._drops.counts[f"published {'/'.join(key)}"] += 1

    def _messages(
        self, sensor: BridgedSensor, source: GazeboSensor, reading: Reading
    ) -> Iterator[tuple[Publisher[Any], Any]]:
        measures = AMIRO[sensor.modality].view.measures
        measured = getattr(self._noise, measures)(getattr(reading, measures), sensor.rng)
        if measures == "image":
            yield sensor.publisher, image_message(measured)
            assert sensor.info is not None  # whatever has images has it
            yield sensor.info, camera_info(camera(source))
        else:
            scan = scan_message(rays(source, reading), **{measures: measured})
            yield sensor.publisher, scan


def main(args: list[str] | None = None) -> int:
    """Run the node until it is asked to stop; returns the exit status."""
    return run(GazeboBridgeNode, args)


if __name__ == "__main__":
    sys.exit(main())
