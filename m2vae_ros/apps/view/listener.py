# SPDX-License-Identifier: Apache-2.0
"""Hears what a team publishes, without ever publishing anything itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cache, partial
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.parameter import Parameter
from tf2_msgs.msg import TFMessage

from m2vae_ros.apps.view.scene import VIEW, Look, Reading, Robot, Scene, Sensor
from m2vae_ros.msg import LatentEmbedding, ObjectClassification
from m2vae_ros.robot.frames import NoTransform
from m2vae_ros.robot.placement import Placement
from m2vae_ros.ros import qos, topics
from m2vae_ros.ros.clocks import steady_clock
from m2vae_ros.ros.drop_log import DropLog
from m2vae_ros.ros.frames import FrameListener
from m2vae_ros.ros.message_types import UnknownType
from m2vae_ros.ros.messages import embedding, motion, nanoseconds
from m2vae_ros.ros.sensor_topic import SensorTopic
from m2vae_ros.sensors import Modality, ObservationError
from m2vae_ros.sensors.messages import NANOSECONDS, ODOMETRY

DISCOVERY_PERIOD = 0.5
"""Seconds from one look for new topics to the next."""

EMBEDDINGS = "/embeddings"
CLASSIFICATION = "classification"
TEAM = "team"
"""Whose sensors are that have topics from the root, unless the robots are named."""
DIAGNOSTICS = "/diagnostics"

BACK = 1 * NANOSECONDS
"""By which a robot's time goes back only if it began anew."""


class Listener:
    """Fills a scene from the topics of a team.

    Args:
        node: that subscribes.
        scene: to fill.
        robots: their names; none: whoever has topics of the suite.
        frame: the team's, in which everything is placed.

    Attributes:
        drops: messages that this listener itself could not use; the scene has them as `VIEW`'s.
    """

    def __init__(
        self, node: Node, scene: Scene, robots: Collection[str] = (), frame: str = "map"
    ) -> None:
        self.drops = DropLog(node.get_logger())
        self._node = node
        self._scene = scene
        self._wanted = frozenset(robots)
        self._suite = scene.memory.engine.suite
        self._joined: set[str] = set()
        self._newest: dict[str, int] = {}
        frames = FrameListener(node, self.drops)
        self._placement = Placement(frames, frame)
        for topic, profile, take in frames.sources():
            self._join(TFMessage, topic, take, profile)
        self._join_raw(LatentEmbedding, EMBEDDINGS, self._on_embedding, qos.EMBEDDINGS)
        self._join(DiagnosticArray, DIAGNOSTICS, self._on_diagnostics, qos.DIAGNOSTICS)
        node.create_timer(DISCOVERY_PERIOD, self._discover, clock=steady_clock())
        self._discover()

    def _discover(self) -> None:
        """Join what has come up since."""
        self._note_drops(VIEW, self.drops.counts)
        found = dict(self._node.get_topic_names_and_types())
        if "/clock" in found and not self._node.get_parameter("use_sim_time").value:
            self._node.set_parameters([Parameter("use_sim_time", value=True)])
        for topic, types in found.items():
            if topic in self._joined or not self._node.count_publishers(topic):
                continue
            for name, modality in self._suite.items():
                if modality.type in types and (robot := self._owner(topic, modality.topic)):
                    self._join_sensor(robot, name, modality, topic)
            if ODOMETRY.type in types and (robot := self._owner(topic, ODOMETRY.topic)):
                take = partial(self._on_odometry, self._robot(robot))
                self._join(Odometry, topic, take, qos.TRACK)
            if "m2vae_ros/msg/ObjectClassification" in types and (
                robot := self._owner(topic, CLASSIFICATION)
            ):
                take = partial(self._on_classification, self._robot(robot))
                self._join(ObjectClassification, topic, take, qos.EVERY_ONE)

    def _owner(self, topic: str, below: str) -> str:
        """The robot whose topic it is; "" if it is nobody's. A topic from the root is of all."""
        if below.startswith("/"):
            return min(self._wanted, default=TEAM) if topic == below else ""
        robot = topic.removesuffix(f"/{below}").removeprefix("/")
        if topic == below or not topic.endswith(f"/{below}") or not robot:
            return ""
        return robot if not self._wanted or robot in self._wanted else ""

    def _robot(self, name: str) -> Robot:
        return self._scene.robots.setdefault(name, Robot(name))

    def _join(self, kind: type[Any], topic: str, take: Callable[[Any], None], profile: Any) -> None:
        self._joined.add(topic)
        topics.subscription(self._node, kind, topic, take, profile, self.drops)

    def _join_raw(
        self, kind: type[Any], topic: str, take: Callable[[bytes], None], profile: Any
    ) -> None:
        self._joined.add(topic)
        topics.serialised_subscription(self._node, kind, topic, take, profile, self.drops)

    def _join_sensor(self, robot: str, name: str, modality: Modality, topic: str) -> None:
        try:
            source = SensorTopic([modality])
        except UnknownType as error:
            self.drops.warn(f"{topic} is not shown: {error}")
            return
        sensor = self._robot(robot).sensors.setdefault(name, Sensor(modality))
        take = partial(self._on_reading, sensor, source)
        profile = qos.TRACK if source.every else qos.NEWEST_READING
        self._join_raw(source.kind, topic, take, profile)

    def _on_reading(self, sensor: Sensor, source: SensorTopic, data: bytes) -> None:
        now = self._node.get_clock().now().nanoseconds
        stamp, frame = source.header(data, now)
        size = sensor.heard(stamp, len(data))
        message = source.message(data)
        values = source.observation(sensor.modality.name, message, stamp)
        if values is None and not sensor.modality.view.span:
            return
        give = values if callable(values) else partial(_itself, values)
        sensor.readings.append(Reading(stamp, frame, message, cache(give), size))

    def _on_odometry(self, robot: Robot, message: Any) -> None:
        moved = motion(message)
        if moved.stamp < self._newest.get(robot.name, 0) - BACK:
            self._newest.clear()
            self._scene.begin_anew()
        self._newest[robot.name] = moved.stamp
        try:
            robot.place = self._placement.base(moved, moved.stamp)
        except NoTransform:  # so far
            return
        robot.trail.append((float(robot.place[0, 3]), float(robot.place[1, 3])))
        for name, sensor in robot.sensors.items():
            frame = sensor.readings[-1].frame if sensor.readings else None
            with suppress(NoTransform):
                robot.sensor_places[name] = self._placement.sensor(moved, frame, moved.stamp)

    def _on_embedding(self, data: bytes) -> None:
        from m2vae_ros.ros.serialised import message

        scene = self._scene
        scene.sent += 1
        scene.sent_bytes += len(data)
        said = scene.memory.receive(
            embedding(message(data, LatentEmbedding)), self._node.get_clock().now().nanoseconds
        )
        if said.embedding is not None and not scene.first:
            scene.first = said.embedding.object_id

    def _on_classification(self, robot: Robot, message: ObjectClassification) -> None:
        """What was fused is shown beside what the embedding decodes to, and counted.

        Several modalities may be of one topic, whose messages would be sent once.
        """
        if not message.sensed:
            return
        held = self._scene.memory.get(message.object_id)
        name = held.object_id if held is not None else message.object_id
        stamp = nanoseconds(message.header.stamp)
        sizes: dict[str, int] = {}
        for modality in message.sensed:
            sensor = self._sensor(robot, modality)
            reading = sensor.at(stamp) if sensor else None
            if sensor is None or reading is None:
                continue
            topic = sensor.modality.topic
            sizes[topic] = max(sizes.get(topic, 0), reading.size)
            with suppress(ObservationError):  # the robot has said so itself
                values = reading.values()
                if values is not None:
                    self._scene.looks.setdefault(name, {})[modality] = Look(
                        robot.name, reading.stamp, values
                    )
                    self._scene.last = name
        self._scene.fused_bytes += sum(sizes.values())

    def _sensor(self, robot: Robot, modality: str) -> Sensor | None:
        """That of the robot, or else the one that has a topic from the root."""
        of_all = self._scene.robots.get(TEAM)
        return robot.sensors.get(modality) or (of_all.sensors.get(modality) if of_all else None)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            counts = {pair.key: pair.value for pair in status.values if pair.value.isdecimal()}
            self._note_drops(status.name, counts)

    def _note_drops(self, node: str, counts: Mapping[str, int | str]) -> None:
        dropped = {
            what.removeprefix("dropped "): int(count)
            for what, count in counts.items()
            if what.startswith("dropped ")
        }
        if dropped:
            self._scene.drops[node] = Counter(dropped)


def _itself(values: np.ndarray | None) -> np.ndarray | None:
    return values
