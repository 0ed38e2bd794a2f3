# SPDX-License-Identifier: Apache-2.0
"""Fusion nodes and a tester who plays their sensors, in one process but over real topics."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from m2vae_ros.msg import LatentEmbedding, ObjectClassification
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from sensor_msgs.msg import Image, LaserScan

from m2vae_ros.nodes.fusion_node import FusionNode
from m2vae_ros.ros import qos
from m2vae_ros.ros.images import image_message
from m2vae_ros.ros.messages import stamp as stamp_of
from m2vae_ros.world.suite import AMIRO

PATIENCE = 20.0
"""Seconds until a condition that is not met has failed; only failures wait that long."""

# One object on the map, straight ahead of a robot at the origin, within every gaze set below.
OBJECT = "pillar"
GAZE = {"min_distance": 0.0, "max_distance": 2.0, "max_bearing": 0.5, "refresh_period": 0.0}


def settings_of(weights: Path, modalities: list[str], **parameters: Any) -> dict[str, Any]:
    """The parameters of a fusion node that knows where the object is."""
    return {
        "weights": str(weights),
        "modalities": modalities,
        "objects.names": [OBJECT],
        "objects.x": [0.5],
        "objects.y": [0.0],
        "odometry_tolerance": 3600.0,
        **{f"{m}.{key}": value for m in AMIRO for key, value in GAZE.items()},
        **parameters,
    }


class Team:
    """Everything in one executor; `until` lets it run."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.executor = SingleThreadedExecutor(context=context)
        self.tester = rclpy.create_node("tester", context=context)
        self.executor.add_node(self.tester)
        self.nodes: list[Node] = [self.tester]
        self.embeddings: list[LatentEmbedding] = []
        self.classifications: list[ObjectClassification] = []
        self.diagnostics: dict[str, dict[str, str]] = defaultdict(dict)
        self._publishers: dict[str, Any] = {}
        self._stood: dict[str, dict[str, Any]] = {}
        self.listen(LatentEmbedding, "/embeddings", self.embeddings.append, qos.EMBEDDINGS)
        self.listen(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def listen(self, kind: type, topic: str, callback: Callable[[Any], None], profile: Any) -> None:
        self.tester.create_subscription(kind, topic, callback, profile)

    def robot(
        self, name: str, weights: Path, modalities: list[str], **parameters: Any
    ) -> FusionNode:
        """An unconfigured fusion node that knows where the object is."""
        settings = settings_of(weights, modalities, **parameters)
        return self._node(name, settings)

    def suite_robot(
        self, name: str, weights: Path, modalities: list[str], **parameters: Any
    ) -> FusionNode:
        """An unconfigured fusion node of any suite, which fuses all it gets."""
        always = {f"{modality}.refresh_period": 0.0 for modality in modalities}
        settings = {"weights": str(weights), "modalities": modalities, "min_gain": 0.0, **always}
        return self._node(name, settings | parameters)

    def _node(self, name: str, settings: dict[str, Any]) -> FusionNode:
        node = self.add(FusionNode, namespace=f"/{name}", **settings)
        topic = f"/{name}/classification"
        self.listen(ObjectClassification, topic, self.classifications.append, qos.EVERY_ONE)
        return node

    def add(
        self,
        kind: type,
        *,
        namespace: str = "/",
        cli_args: list[str] | None = None,
        **parameters: Any,
    ) -> Any:
        """A node of this class."""
        given = [Parameter(name, value=value) for name, value in parameters.items() if value != []]
        node = kind(
            namespace=namespace,
            context=self.context,
            cli_args=cli_args,
            parameter_overrides=given,
        )
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def drop(self, node: Node) -> None:
        """End one of the nodes."""
        self.executor.remove_node(node)
        self.nodes.remove(node)
        node.destroy_node()

    def active_robot(self, name: str, weights: Path, modalities: list[str], **parameters: Any):
        """An active one, standing still at the origin, whose subscriptions are heard by all."""
        node = self.robot(name, weights, modalities, **parameters)
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        self.stand(name)
        return node

    def stand(self, robot: str, x: float = 0.0, *, stamp: int | None = None, **how: Any) -> None:
        """Odometry, of now or of `stamp` (ns), until the robot has it; see `send_odometry`."""
        self.place(robot, x, **how)
        before = self.counted(robot, "received odom")
        self.send_odometry(robot, stamp)
        self.until(lambda: self.counted(robot, "received odom") > before)

    def place(self, robot: str, x: float, **how: Any) -> None:
        """Where the robot is from the next odometry on, see `send_odometry`."""
        self._stood[robot] = {"x": x, **how}

    def send_odometry(self, robot: str, stamp: int | None = None) -> None:
        """Of the robot's `x` (m), `yaw` (rad), `speed` (m/s) and `turn` (rad/s), 0 if not given.

        In `frame`, the map's by default, of `child`.
        """
        how = self._stood[robot]
        message = Odometry(child_frame_id=how.get("child", f"{robot}/base_link"))
        message.header.frame_id = how.get("frame", "map")
        if stamp is None:
            stamp = self.tester.get_clock().now().nanoseconds
        message.header.stamp = stamp_of(stamp)
        message.pose.pose.position.x = how.get("x", 0.0)
        message.pose.pose.orientation.w = math.cos(how.get("yaw", 0.0) / 2)
        message.pose.pose.orientation.z = math.sin(how.get("yaw", 0.0) / 2)
        message.twist.twist.linear.x = how.get("speed", 0.0)
        message.twist.twist.angular.z = how.get("turn", 0.0)
        self.send(f"/{robot}/odom", message)

    def send(self, topic: str, message: Any) -> None:
        """Publish once there is a subscriber."""
        if topic not in self._publishers:
            profile = qos.EVERY_ONE
            if topic in ("/embeddings", "/tf_static"):
                profile = qos.LATEST_OF_ONE_OBJECT
            self._publishers[topic] = self.tester.create_publisher(type(message), topic, profile)
        publisher = self._publishers[topic]
        self.until(lambda: publisher.get_subscription_count() > 0)
        publisher.publish(message)

    def sense(
        self, robot: str, message: Any, modality: str, ago: float = 0.0, **moved: Any
    ) -> None:
        """Publish a reading of some seconds ago, and the odometry of now: it stands still."""
        self._stood[robot] = self._stood.get(robot, {}) | moved
        taken = self.tester.get_clock().now() - Duration(seconds=ago)
        message.header.stamp = taken.to_msg()
        self.send(f"/{robot}/{AMIRO[modality].topic}", message)
        self.send_odometry(robot)

    def set(self, node: Node, values: dict[str, Any]) -> str:
        """Set parameters of a node through its services, several atomically.

        Returns:
            Why it refuses them; empty if it does not.
        """
        client = AsyncParameterClient(self.tester, node.get_fully_qualified_name())
        self.until(client.services_are_ready)
        given = [Parameter(name, value=value) for name, value in values.items()]
        if len(given) == 1:  # as `ros2 param set` does
            future = client.set_parameters(given)
        else:
            future = client.set_parameters_atomically(given)
        self.until(future.done)
        answer = future.result()
        (result,) = answer.results if len(given) == 1 else [answer.result]
        assert bool(result.reason) != result.successful
        return result.reason

    def counted(self, robot: str, name: str) -> int:
        """A count of the robot's node, without waiting for its next diagnosis."""
        (node,) = (n for n in self.nodes if n.get_namespace() == f"/{robot}")
        return node._drops.counts[name]

    def until(self, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Let everything run until the condition holds."""
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, f"waited {patience} s in vain"
            self.executor.spin_once(timeout_sec=0.02)

    def settle(self, seconds: float = 0.3) -> None:
        """Let everything run for a while, for what must not happen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.02)

    def close(self) -> None:
        self.executor.shutdown()
        for node in self.nodes:
            node.destroy_node()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics[status.name] = {item.key: item.value for item in status.values}


@contextmanager
def team() -> Iterator[Team]:
    """A team in a context of its own, which ends with it."""
    context = Context()
    rclpy.init(context=context)
    made = Team(context)
    try:
        yield made
    finally:
        made.close()
        context.try_shutdown()


def image(value: int = 100, encoding: str = "rgb8") -> Image:
    """A 640×480 image of one colour."""
    message = image_message(np.full((480, 640, 3), value, np.uint8))
    message.encoding = encoding
    return message


def scan(beams: int = 683, value: float = 0.5, half_angle: float = 2.0944) -> LaserScan:
    """A scan that sees the same range everywhere."""
    return LaserScan(
        angle_min=-half_angle,
        angle_max=half_angle,
        angle_increment=2 * half_angle / (beams - 1),
        range_max=5.0,
        ranges=[value] * beams,
    )


def reflectance(value: float = 0.5, rays: int = 8) -> LaserScan:
    """A ring of proximity sensors that all read the same."""
    return LaserScan(range_max=0.35, intensities=[value] * rays)


READINGS = {"camera": image, "lidar": scan, "reflectance": reflectance}
