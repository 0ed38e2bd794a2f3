# SPDX-License-Identifier: Apache-2.0
"""The simulated AMiRo world as a ROS 2 node: /clock, and each robot's topics below its name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo

from m2vae_ros.bringup.arguments import robots_of
from m2vae_ros.host.resources import resource
from m2vae_ros.ros import messages, qos, topics
from m2vae_ros.ros.broadcasting import OWN_ODOMETRY, RobotFrames, sensor_frame
from m2vae_ros.ros.clocks import set_period, steady_clock
from m2vae_ros.ros.drop_log import DropLog
from m2vae_ros.ros.images import image_message
from m2vae_ros.ros.message_types import message_class
from m2vae_ros.ros.parameters import declare, follow, parameter, read
from m2vae_ros.ros.process import run
from m2vae_ros.ros.sensor_messages import (
    ODOMETRY_PERIOD,
    camera_info,
    info_topic,
    scan_message,
)
from m2vae_ros.sim.simulation import Simulation
from m2vae_ros.world.sdf import CameraSensor
from m2vae_ros.world.suite import AMIRO

CYCLE = 0.025
"""Simulated seconds between two messages on /clock; whatever is published is due at one of them."""


@dataclass(frozen=True)
class SimulatorParameters:
    """See the descriptions; `ros2 param describe` shows them too."""

    world: str = parameter(
        "", "World file (SDF); empty: the package's worlds/amiro.world.", fixed=True
    )
    robots: tuple[str, ...] = parameter(
        (),
        "Which robots there are and what each senses, as robot/sensor, one for each sensor; empty: "
        "all robots of the world with all their sensors.",
        fixed=True,
    )
    real_time_factor: float = parameter(
        1.0,
        "Simulated seconds for each second, at most: a slow machine simulates slower.",
        minimum=0.01,
        maximum=100.0,
    )
    seed: int = parameter(0, "Of the sensors' noise.", minimum=0, fixed=True)
    frame: str = parameter("map", "Frame of the world.", fixed=True)
    own_odometry: bool = parameter(False, OWN_ODOMETRY, fixed=True)


@dataclass
class Output:
    """Something to publish every so often, if anybody listens."""

    period: float
    wanted: Callable[[], bool]
    publish: Callable[[], None]
    due: float = 0.0


class AmiroSimNode(Node):
    """Steps the world and publishes what is due; time stands still while nobody steps it."""

    def __init__(self, **options: Any) -> None:
        self._resources = ExitStack()  # rclpy destroys nodes that could not be made, too
        super().__init__("amiro_sim", **options)
        declare(self, SimulatorParameters)
        settings = read(self, SimulatorParameters)
        self._drops = DropLog(self.get_logger())
        world = settings.world or resource("worlds/amiro.world")
        self._simulation = Simulation(world, robots_of(settings.robots), settings.seed)
        self._resources.callback(self._simulation.close)
        self._clock_topic = topics.publisher(self, ClockMessage, "/clock", qos.CLOCK)
        self._frames = RobotFrames(self, settings.frame, settings.own_odometry)
        self._outputs: list[Output] = []
        for robot, sensors in self._simulation.robots.items():
            self._add_robot(robot)
            for sensor in sensors:
                if sensor in AMIRO:
                    self._add_sensor(robot, sensor)
        # Simulated time cannot drive itself.
        self._timer = self.create_timer(CYCLE, self._cycle, clock=steady_clock())
        self._adjust(settings)
        follow(self, partial(read, self, SimulatorParameters), self._adjust)

    def destroy_node(self) -> None:
        """Give back the drawing context, too."""
        self._resources.close()
        super().destroy_node()

    def _adjust(self, settings: SimulatorParameters) -> None:
        set_period(self._timer, CYCLE / settings.real_time_factor)

    def _add_robot(self, robot: str) -> None:
        topic = f"/{robot}/cmd_vel"
        drive = partial(self._on_velocity, robot)
        topics.subscription(self, Twist, topic, drive, qos.NEWEST_READING, self._drops)
        odometry = topics.publisher(self, Odometry, f"/{robot}/odom", qos.STATE)
        self._outputs.append(
            Output(ODOMETRY_PERIOD, lambda: True, lambda: odometry.publish(self._odometry(robot)))
        )

    def _add_sensor(self, robot: str, modality: str) -> None:
        sensor, kind = self._simulation.sensor(robot, modality), AMIRO[modality]
        topic = f"/{robot}/{kind.topic}"
        self._frames.mount(robot, modality, sensor.pose, isinstance(sensor, CameraSensor))
        publisher = topics.publisher(self, message_class(kind.type), topic, qos.NEWEST_READING)
        wanted = lambda: publisher.get_subscription_count() > 0  # noqa: E731
        if isinstance(sensor, CameraSensor):
            info = topics.publisher(self, CameraInfo, info_topic(topic), qos.NEWEST_READING)

            def publish() -> None:
                image = image_message(self._simulation.image(robot, modality))
                publisher.publish(self._stamped(image, robot, modality))
                info.publish(self._stamped(camera_info(sensor), robot, modality))
        else:
            measures = kind.view.measures

            def publish() -> None:
                measured = getattr(self._simulation, measures)(robot, modality)
                scan = scan_message(sensor, **{measures: measured})
                publisher.publish(self._stamped(scan, robot, modality))

        self._outputs.append(Output(1.0 / sensor.update_rate, wanted, publish))

    def _cycle(self) -> None:
        self._simulation.step(CYCLE)
        now = self._simulation.time
        self._clock_topic.publish(ClockMessage(clock=self._stamp))
        for output in self._outputs:
            if now < output.due - CYCLE / 2:
                continue
            output.due = max(output.due + output.period, now)
            if output.wanted():
                output.publish()

    def _on_velocity(self, robot: str, message: Twist) -> None:
        self._simulation.command(robot, *messages.velocity(message))

    @property
    def _stamp(self) -> Time:
        return messages.stamp(round(self._simulation.time * messages.NANOSECONDS))

    def _stamped(self, message: Any, robot: str, sensor: str) -> Any:
        message.header.stamp = self._stamp
        is_camera = isinstance(self._simulation.sensor(robot, sensor), CameraSensor)
        message.header.frame_id = sensor_frame(robot, sensor, is_camera)
        return message

    def _odometry(self, robot: str) -> Odometry:
        """Where a robot is, as odometry; its transform is published, too."""
        return self._frames.odometry(
            robot, self._simulation.pose(robot), self._simulation.twist(robot), self._stamp
        )


def main(args: list[str] | None = None) -> int:
    """Run the node until it is asked to stop; returns the exit status."""
    return run(AmiroSimNode, args)


if __name__ == "__main__":
    sys.exit(main())
