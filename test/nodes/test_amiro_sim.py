# SPDX-License-Identifier: Apache-2.0
"""The simulator's topics, and the patrol that drives by them."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from contextlib import contextmanager

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import Twist
from m2vae_ros.msg import ObjectClassification
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage
from transforms import heard

from m2vae_ros.bringup.specs import known, world_objects
from m2vae_ros.nodes.amiro_sim_node import AmiroSimNode
from m2vae_ros.nodes.patrol_node import PatrolNode
from m2vae_ros.robot.placement import Placement, pose_of
from m2vae_ros.ros import messages, qos
from m2vae_ros.sensors.images import picture
from m2vae_ros.sim.simulation import SimulationError
from m2vae_ros.world.suite import AMIRO

pytestmark = pytest.mark.ros

PATIENCE = 40.0


class Stage:
    """Nodes in one executor, and what a tester hears."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.executor = SingleThreadedExecutor(context=context)
        self.tester = rclpy.create_node("tester", context=context)
        self.nodes = [self.tester]
        self.executor.add_node(self.tester)
        self.heard = defaultdict(list)

    def add(self, kind: type, **parameters):
        namespace = parameters.pop("namespace", "/")
        given = [Parameter(n.replace("__", "."), value=v) for n, v in parameters.items()]
        node = kind(context=self.context, namespace=namespace, parameter_overrides=given)
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def listen(self, kind: type, topic: str) -> None:
        self.tester.create_subscription(kind, topic, self.heard[topic].append, qos.NEWEST_READING)

    def until(self, condition) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            self.executor.spin_once(timeout_sec=0.02)


@contextmanager
def stage():
    context = Context()
    rclpy.init(context=context)
    made = Stage(context)
    try:
        yield made
    finally:
        made.executor.shutdown()
        for node in made.nodes:
            node.destroy_node()
        context.try_shutdown()


def test_every_sensor_has_its_topic_its_frame_and_a_reading_the_model_takes() -> None:
    robots = ["amiro1/camera", "amiro2/lidar", "amiro3/reflectance"]
    topics = {
        "camera": (Image, "/amiro1/front_camera/image_raw"),
        "lidar": (LaserScan, "/amiro2/laser_scan"),
        "reflectance": (LaserScan, "/amiro3/reflectance"),
    }
    with stage() as s:
        s.add(AmiroSimNode, robots=robots, real_time_factor=5.0)
        for kind, topic in topics.values():
            s.listen(kind, topic)
        s.listen(CameraInfo, "/amiro1/front_camera/camera_info")
        s.listen(Odometry, "/amiro1/odom")
        s.listen(Clock, "/clock")
        s.until(lambda: len(s.heard) == 6 and all(s.heard.values()))
        for number, (modality, (_, topic)) in enumerate(topics.items(), start=1):
            message = s.heard[topic][0]
            optical = "_optical_frame" if modality == "camera" else ""
            assert message.header.frame_id == f"amiro{number}/{modality}{optical}"
            assert AMIRO[modality].view.read(message).shape == AMIRO[modality].view.shape
        assert picture(s.heard["/amiro1/front_camera/image_raw"][0]).shape == (480, 640, 3)
        info = s.heard["/amiro1/front_camera/camera_info"][0]
        assert info.k[0] == pytest.approx(320 / math.tan(math.radians(40)))
        lidar = s.heard["/amiro2/laser_scan"][0]
        assert len(lidar.ranges) == 683
        assert lidar.angle_max == pytest.approx(math.radians(120), abs=1e-3)
        ring = s.heard["/amiro3/reflectance"][0]
        assert len(ring.intensities) == 8
        assert len(ring.ranges) == 0
        assert s.heard["/amiro1/odom"][0].header.frame_id == "map"
        assert not s.tester.count_publishers("/amiro1/laser_scan")


@pytest.mark.parametrize("own_odometry", [False, True])
def test_transforms_lead_from_odometry_and_sensors_to_the_world(own_odometry: bool) -> None:
    with stage() as s:
        sim = s.add(
            AmiroSimNode, robots=["amiro2/camera", "amiro2/lidar"], own_odometry=own_odometry
        )
        s.listen(Odometry, "/amiro2/odom")
        s.listen(TFMessage, "/tf")
        s.tester.create_subscription(
            TFMessage, "/tf_static", s.heard["/tf_static"].append, qos.STATIC_TRANSFORMS
        )
        s.until(lambda: s.heard["/tf"] and s.heard["/amiro2/odom"])
        for frame in ("map", "amiro2/camera_optical_frame", "amiro2/lidar"):
            s.until(lambda f=frame: heard(s.heard["/tf"], s.heard["/tf_static"]).knows(f))
        frames = heard(s.heard["/tf"], s.heard["/tf_static"])
        motion = messages.motion(s.heard["/amiro2/odom"][-1])
        assert (motion.frame, motion.child) == (
            "amiro2/odom" if own_odometry else "map",
            "amiro2/base_link",
        )
        assert motion.deviation == motion.yaw_deviation == pytest.approx(1e-3)
        true = sim._simulation.pose("amiro2")
        placement = Placement(frames)
        for frame in ("amiro2/base_link", "amiro2/camera_optical_frame", "amiro2/lidar"):
            stamp = messages.nanoseconds(s.heard["/tf"][-1].transforms[0].header.stamp)
            found = pose_of(placement.sensor(motion, frame, stamp))
            assert found == pytest.approx(true, abs=1e-3)
        assert placement.sensor(motion, "amiro2/lidar", stamp)[2, 3] == pytest.approx(0.11)


def test_readings_come_at_their_rates_in_simulated_time() -> None:
    with stage() as s:
        s.add(AmiroSimNode, robots=["amiro1/lidar"], real_time_factor=2.0)
        s.listen(LaserScan, "/amiro1/laser_scan")
        s.listen(Odometry, "/amiro1/odom")
        s.until(lambda: len(s.heard["/amiro1/laser_scan"]) > 10)
        for topic, period in (("/amiro1/laser_scan", 0.1), ("/amiro1/odom", 0.05)):
            stamps = [messages.nanoseconds(m.header.stamp) * 1e-9 for m in s.heard[topic]]
            assert np.median(np.diff(stamps)) == pytest.approx(period, abs=1e-3)


def test_a_robot_follows_its_commands_and_ignores_those_that_are_not_finite() -> None:
    with stage() as s:
        s.add(AmiroSimNode, robots=["amiro1/lidar"], real_time_factor=5.0)
        s.listen(Odometry, "/amiro1/odom")
        drive = s.tester.create_publisher(Twist, "/amiro1/cmd_vel", qos.STATE)
        s.until(lambda: drive.get_subscription_count() == 1 and bool(s.heard["/amiro1/odom"]))
        start = messages.motion(s.heard["/amiro1/odom"][-1])
        command, broken = Twist(), Twist()
        command.linear.x, broken.linear.x = 0.3, math.nan

        def moved() -> bool:
            drive.publish(broken)
            drive.publish(command)
            now = messages.motion(s.heard["/amiro1/odom"][-1])
            return math.dist(now.pose[:2], start.pose[:2]) > 0.2

        s.until(moved)


def test_robots_and_sensors_that_the_world_lacks_are_named() -> None:
    with stage() as s:
        with pytest.raises(SimulationError, match="amiro9"):
            s.add(AmiroSimNode, robots=["amiro9/camera"])
        with pytest.raises(SimulationError, match="sonar"):
            s.add(AmiroSimNode, robots=["amiro1/sonar"])


def test_a_patrol_visits_each_object_and_waits_until_it_was_sensed() -> None:
    objects = world_objects()[:2]
    places = {f"objects__{key}": value for key, value in known(objects)["objects"].items()}
    with stage() as s:
        s.add(AmiroSimNode, robots=["amiro2/lidar"], real_time_factor=5.0)
        s.add(
            PatrolNode,
            namespace="/amiro2",
            modalities=["lidar"],
            order=[objects[1].name, objects[0].name],
            patience=1.0,
            **places,
        )
        progress: list[str] = []
        s.tester.create_subscription(
            String, "/amiro2/patrol/progress", lambda m: progress.append(m.data), qos.EVERY_ONE
        )
        s.listen(Odometry, "/amiro2/odom")
        s.listen(LaserScan, "/amiro2/laser_scan")  # somebody looks through the sensor
        tell = s.tester.create_publisher(
            ObjectClassification, "/amiro2/classification", qos.EVERY_ONE
        )

        s.until(lambda: any("could not sense" in text for text in progress))
        assert f"drives to {objects[1].name} by lidar" in progress[0]

        for item in objects:  # the first one again at the end
            where = AMIRO["lidar"].viewpoint.distance

            def there(item=item, where=where) -> bool:
                found = messages.motion(s.heard["/amiro2/odom"][-1])
                away = math.dist(found.pose[:2], (item.x, item.y))
                return abs(away - where) < 0.05 and found.speed < 0.01 and found.turn < 0.02

            s.until(there)

            def sensed(item=item) -> bool:
                message = ObjectClassification(object_id=item.name, sensed=["lidar"])
                message.header.stamp = s.heard["/amiro2/odom"][-1].header.stamp
                tell.publish(message)
                return any(f"has sensed {item.name}" in text for text in progress)

            s.until(sensed)
        s.until(lambda: progress[-1] == "amiro2 2/2: has sensed all")
