# SPDX-License-Identifier: Apache-2.0
"""The bridge with a real gzserver: sensors, driving, and a Gazebo that comes and goes."""

from __future__ import annotations

import math
import os
import signal
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from gazebo_master import needs_gazebo
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from tf2_msgs.msg import TFMessage
from transforms import heard

from m2vae_ros.gazebo.server import GazeboServer
from m2vae_ros.gazebo.world import GazeboWorld
from m2vae_ros.host.resources import resource
from m2vae_ros.nodes import gazebo_bridge_node
from m2vae_ros.nodes.gazebo_bridge_node import GazeboBridgeNode
from m2vae_ros.robot.placement import Placement, pose_of
from m2vae_ros.ros import messages, qos
from m2vae_ros.ros.parameters import ParameterError
from m2vae_ros.sensors.images import picture
from m2vae_ros.world.commands import MAX_LINEAR
from m2vae_ros.world.suite import AMIRO

pytestmark = [needs_gazebo(), pytest.mark.ros, pytest.mark.slow]

PATIENCE = 60.0
"""Seconds; software rendering is slow on a busy machine."""

TOPICS = {
    "/amiro1/front_camera/image_raw": Image,
    "/amiro1/front_camera/camera_info": CameraInfo,
    "/amiro2/laser_scan": LaserScan,
    "/amiro3/reflectance": LaserScan,
    "/amiro1/odom": Odometry,
    "/clock": Clock,
}


STRANGERS = (
    """<sdf version="1.6"><model name="stranger"><pose>0.0 1.0 0.1 0 0 0</pose>
<link name="body">
<sensor name="lidar" type="ray"><ray><scan><horizontal><samples>20</samples>
<resolution>0.5</resolution><min_angle>-0.9</min_angle><max_angle>0.9</max_angle></horizontal>
</scan><range><min>0.15</min><max>4</max></range></ray></sensor>
<sensor name="reflectance" type="ray"><ray><scan><horizontal><samples>8</samples>
<min_angle>-1</min_angle><max_angle>1</max_angle></horizontal><vertical><samples>3</samples>
<min_angle>-1</min_angle><max_angle>1</max_angle></vertical></scan>
<range><min>0.15</min><max>4</max></range></ray></sensor>
</link></model></sdf>""",
    """<sdf version="1.6"><model name="a_rig"><pose>0.0 -1.0 0.1 0 0 0</pose>
<model name="inner"><link name="body"/></model></model></sdf>""",
)
"""Sensors without an update rate, with a resolution and with three rows; a robot without a link."""

COMMAND_PERIOD = 0.05
"""Seconds."""


@pytest.fixture(scope="module")
def server() -> Iterator[GazeboServer]:
    with GazeboServer() as running:
        yield running


class Stage:
    """A bridge and a tester in one executor."""

    def __init__(self, context: Context, **parameters) -> None:
        self.executor = SingleThreadedExecutor(context=context)
        self.tester = rclpy.create_node("tester", context=context)
        given = [Parameter(name, value=value) for name, value in parameters.items()]
        self.bridge = GazeboBridgeNode(context=context, parameter_overrides=given)
        self.executor.add_node(self.tester)
        self.executor.add_node(self.bridge)
        self.heard = defaultdict(list)

    def listen(self, topic: str, kind: type | None = None):
        kind = kind or TOPICS[topic]
        append = self.heard[topic].append
        return self.tester.create_subscription(kind, topic, append, qos.NEWEST_READING)

    def until(self, condition) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            self.executor.spin_once(timeout_sec=0.02)

    def drive(self, robot: str, linear: float, turn: float, condition) -> None:
        """Command until the condition holds, twenty times a second as those who steer do.

        As fast as it can, the tester would leave the bridge beside it no time to steer.
        """
        publisher = self.tester.create_publisher(Twist, f"/{robot}/cmd_vel", qos.STATE)
        self.until(lambda: publisher.get_subscription_count() > 0)
        command, broken = Twist(), Twist()
        command.linear.x, command.angular.z, broken.linear.x = linear, turn, math.nan
        due = 0.0

        def step() -> bool:
            nonlocal due
            if time.monotonic() >= due:
                due = time.monotonic() + COMMAND_PERIOD
                publisher.publish(broken)
                publisher.publish(command)
            return condition()

        self.until(step)

    def motions(self, robot: str) -> list:
        return list(map(messages.motion, self.heard[f"/{robot}/odom"]))

    def motion(self, robot: str):
        return messages.motion(self.heard[f"/{robot}/odom"][-1])

    @property
    def report(self) -> str:
        reports = self.heard["/diagnostics"]
        return reports[-1].status[0].message if reports else ""


@contextmanager
def stage(**parameters) -> Iterator[Stage]:
    context = Context()
    rclpy.init(context=context)
    made = Stage(context, **parameters)
    try:
        yield made
    finally:
        made.executor.shutdown()
        made.tester.destroy_node()
        made.bridge.destroy_node()
        context.try_shutdown()


def test_every_sensor_has_its_topic_its_frame_and_a_reading_the_model_takes(server) -> None:
    with stage(master=server.master_uri) as s:
        for topic in TOPICS:
            s.listen(topic)
        s.until(lambda: all(s.heard[topic] for topic in TOPICS))
        for topic, frame, modality in (
            ("/amiro1/front_camera/image_raw", "amiro1/camera_optical_frame", "camera"),
            ("/amiro2/laser_scan", "amiro2/lidar", "lidar"),
            ("/amiro3/reflectance", "amiro3/reflectance", "reflectance"),
        ):
            message = s.heard[topic][0]
            assert message.header.frame_id == frame
            assert AMIRO[modality].view.read(message).shape == AMIRO[modality].view.shape
        assert picture(s.heard["/amiro1/front_camera/image_raw"][0]).shape == (480, 640, 3)
        info = s.heard["/amiro1/front_camera/camera_info"][0]
        assert info.k[0] == pytest.approx(320 / math.tan(math.radians(40)))
        lidar = s.heard["/amiro2/laser_scan"][0]
        assert (len(lidar.ranges), len(lidar.intensities)) == (683, 0)
        assert lidar.angle_increment == pytest.approx(2 * lidar.angle_max / 682)
        ring = s.heard["/amiro3/reflectance"][0]
        assert (len(ring.ranges), len(ring.intensities)) == (0, 8)
        odometry = s.heard["/amiro1/odom"][0]
        assert (odometry.header.frame_id, odometry.child_frame_id) == ("map", "amiro1/base_link")


def test_transforms_lead_from_own_odometry_and_sensors_to_the_world(server) -> None:
    with stage(master=server.master_uri, own_odometry=True) as s:
        s.listen("/amiro2/odom", Odometry)
        s.listen("/tf", TFMessage)
        fixed = s.heard["/tf_static"]
        s.tester.create_subscription(TFMessage, "/tf_static", fixed.append, qos.STATIC_TRANSFORMS)
        reached = "amiro2/camera_optical_frame"
        s.until(lambda: heard(s.heard["/tf"], fixed).knows(reached) and s.heard["/amiro2/odom"])
        s.until(lambda: heard([], fixed).knows("amiro2/odom"))  # /tf names it before
        motion = s.motion("amiro2")
        assert motion.frame == "amiro2/odom"
        assert motion.deviation == motion.yaw_deviation == pytest.approx(1e-3)
        placement = Placement(heard(s.heard["/tf"], fixed))
        true = s.bridge._gazebo.poses["amiro2"]
        found = placement.sensor(motion, reached, motion.stamp)
        assert pose_of(found) == pytest.approx(true, abs=0.01)
        assert found[2, 3] == pytest.approx(0.12)


def test_stamps_are_gazebos_and_never_from_the_future_of_the_clock(server) -> None:
    with stage(master=server.master_uri) as s:
        for topic in TOPICS:
            s.listen(topic)
        s.until(lambda: len(s.heard["/amiro2/laser_scan"]) > 20)
        stamps = [messages.nanoseconds(m.header.stamp) for m in s.heard["/amiro2/laser_scan"]]
        assert np.median(np.diff(stamps)) == pytest.approx(0.1e9, rel=0.11)
        odometry = [messages.nanoseconds(m.header.stamp) for m in s.heard["/amiro1/odom"]]
        assert np.diff(odometry).min() > 0
        clock = [messages.nanoseconds(m.clock) for m in s.heard["/clock"]]
        assert (np.diff(clock) > 0).all()
        assert stamps[-1] <= clock[-1] + 0.1e9
        noise = np.array([m.ranges for m in s.heard["/amiro2/laser_scan"]]).std(axis=0)
        assert np.median(noise) == pytest.approx(0.004, rel=0.3)


def test_gazebo_renders_only_while_somebody_listens(server) -> None:
    with stage(master=server.master_uri) as s:
        topic = "/amiro1/front_camera/image_raw"
        watched = lambda: s.bridge._sensors["amiro1", "camera"].watched is not None  # noqa: E731
        s.until(lambda: ("amiro1", "camera") in s.bridge._sensors)
        assert not watched()
        subscription = s.listen(topic)
        s.until(lambda: s.heard[topic])
        assert watched()
        s.tester.destroy_subscription(subscription)
        s.until(lambda: not watched())
        s.listen(topic)
        s.heard[topic].clear()
        s.until(lambda: s.heard[topic])


def test_a_robot_drives_as_commanded_and_stops_without_a_command(server) -> None:
    with stage(master=server.master_uri) as s, GazeboWorld(server.master_uri) as world:
        world.wait()
        world.place("amiro1", -0.6, 0.0, 0.0)
        s.listen("/amiro1/odom")
        s.until(lambda: s.heard["/amiro1/odom"])
        s.drive("amiro1", 0.3, 0.0, lambda: s.motion("amiro1").x > -0.3)
        speeds = [m.speed for m in s.motions("amiro1") if m.x > -0.5]
        assert np.median(speeds) == pytest.approx(0.3, abs=0.02)
        assert abs(s.motion("amiro1").y) < 0.01
        s.until(lambda: s.motion("amiro1").speed < 0.005)
        s.drive("amiro1", 0.0, 1.0, lambda: s.motion("amiro1").yaw > 1.0)
        turns = [m.turn for m in s.motions("amiro1") if m.yaw > 0.3]
        assert np.median(turns) == pytest.approx(1.0, abs=0.05)
        s.until(lambda: s.motion("amiro1").turn < 0.01)
        s.drive("amiro1", 9.0, 0.0, lambda: s.motion("amiro1").speed > 0.45)
        assert s.motion("amiro1").speed < MAX_LINEAR + 0.02


def test_after_a_reset_of_the_world_no_command_of_the_time_before_holds(server) -> None:
    with stage(master=server.master_uri) as s, GazeboWorld(server.master_uri) as world:
        world.wait()
        s.until(lambda: world.time > 5.0)
        s.listen("/amiro1/odom")
        s.until(lambda: s.heard["/amiro1/odom"])
        s.drive("amiro1", 0.0, 1.0, lambda: s.motion("amiro1").turn > 0.9)
        world._control(reset={"all": True})
        s.until(lambda: world.time < 4.0)
        s.until(lambda: 2.0e9 < s.motion("amiro1").stamp < 4.0e9)
        assert abs(s.motion("amiro1").turn) < 0.01


def test_a_pillar_stops_a_robot_and_lets_it_go(server) -> None:
    with stage(master=server.master_uri) as s, GazeboWorld(server.master_uri) as world:
        world.wait()
        world.place("amiro1", 0.0, -1.2, -math.pi / 2)  # a box of 0.18 m is 0.3 m ahead
        s.listen("/amiro1/odom")
        begin = world.time
        s.until(lambda: s.heard["/amiro1/odom"])
        s.drive("amiro1", 0.5, 0.0, lambda: world.time > begin + 3.0)
        motions = s.motions("amiro1")
        # Whole, upright and outside: the pillar's half edge and the robot's radius are 0.14 m.
        assert all(math.dist((m.x, m.y), (0.0, -1.5)) > 0.13 for m in motions)
        assert all(m.speed < MAX_LINEAR + 0.1 for m in motions)
        here = s.motion("amiro1")
        s.drive("amiro1", -0.3, 0.0, lambda: math.dist(s.motion("amiro1").pose, here.pose) > 0.2)


def test_robots_that_come_and_go_are_noticed(server) -> None:
    world_file = ElementTree.parse(resource("worlds/amiro.world"))
    robot = world_file.find(".//model[@name='amiro1']")
    robot.set("name", "amiro4")
    robot.find("pose").text = "0.0 1.0 0.0 0 0 0"
    sdf = f"<sdf version='1.6'>{ElementTree.tostring(robot, encoding='unicode')}</sdf>"
    with stage(master=server.master_uri) as s, GazeboWorld(server.master_uri) as world:
        s.listen("/diagnostics", DiagnosticArray)
        s.until(lambda: "bridges world amiro: amiro1, amiro2, amiro3" in s.report)
        world.wait()
        world.spawn(sdf)
        s.listen("/amiro4/odom", Odometry)
        s.listen("/amiro4/laser_scan", LaserScan)
        s.until(lambda: s.heard["/amiro4/odom"] and s.heard["/amiro4/laser_scan"])
        world.remove("amiro4")
        s.until(lambda: "lacks amiro4" in s.report)
        s.heard["/amiro4/odom"].clear()
        s.listen("/amiro1/odom")
        s.until(lambda: len(s.heard["/amiro1/odom"]) > 10)
        assert s.heard["/amiro4/odom"] == []


def test_robots_unlike_the_packages_own_are_bridged_as_far_as_they_can_be(server, capfd) -> None:
    with stage(master=server.master_uri) as s, GazeboWorld(server.master_uri) as world:
        world.wait()
        world.spawn(*STRANGERS)
        s.listen("/stranger/laser_scan", LaserScan)
        s.listen("/stranger/reflectance", LaserScan)
        said = []

        def is_said(what: str) -> bool:
            said.append(capfd.readouterr().err)
            return what in "".join(said)

        s.until(lambda: s.heard["/stranger/laser_scan"])
        scan = s.heard["/stranger/laser_scan"][0]
        assert (len(scan.ranges), scan.scan_time) == (10, 0.0)
        assert scan.angle_min == pytest.approx(-0.9)
        assert scan.angle_increment == pytest.approx(0.2)
        assert (scan.range_min, scan.range_max) == pytest.approx((0.15, 4.0))
        s.until(lambda: is_said("24 ranges and 24 intensities for 8 rays"))
        assert s.heard["/stranger/reflectance"] == []

        s.drive("a_rig", 0.3, 0.0, lambda: is_said("a_rig has no link of its own"))
        s.listen("/amiro1/odom")
        s.listen("/stranger/odom", Odometry)
        told = (s.heard["/amiro1/odom"], s.heard["/stranger/odom"])
        s.drive("a_rig", 0.3, 0.0, lambda: all(len(heard) > 10 for heard in told))
        world.remove("stranger", "a_rig")


def test_what_gazebo_lacks_is_said(server) -> None:
    robots = ["amiro1/lidar", "amiro9/camera"]
    with stage(master=server.master_uri, robots=robots) as s:
        s.listen("/diagnostics", DiagnosticArray)
        s.until(lambda: "lacks amiro9, amiro9/camera" in s.report or "lacks amiro9" in s.report)


def test_a_gazebo_that_froze_is_told_from_one_that_was_paused(server, monkeypatch) -> None:
    monkeypatch.setattr(gazebo_bridge_node, "SILENCE", 1.5)
    gzserver = server.pids()[1]
    with stage(master=server.master_uri) as s, GazeboWorld(server.master_uri) as world:
        s.listen("/diagnostics", DiagnosticArray)
        s.until(lambda: "bridges world" in s.report)
        world.wait()
        world.pause()
        reports = s.heard["/diagnostics"]
        reports.clear()
        s.until(lambda: len(reports) > 3)
        assert all("bridges world" in report.status[0].message for report in reports)
        world.pause(False)
        os.kill(gzserver, signal.SIGSTOP)
        try:
            s.until(lambda: "has said nothing for 1.5 s" in s.report)
            assert reports[-1].status[0].level == DiagnosticStatus.ERROR
        finally:
            os.kill(gzserver, signal.SIGCONT)
        s.until(lambda: "bridges world" in s.report)


def test_robots_and_masters_that_make_no_sense_are_named() -> None:
    with pytest.raises(ValueError, match="'sonar' of a is not one of"), stage(robots=["a/sonar"]):
        pass
    with pytest.raises(ParameterError, match="'gazebo' is not of the form"), stage(master="gazebo"):
        pass


def with_other_sensors(path: Path) -> Path:
    """The package's world with smaller images of amiro1 and fewer rays of amiro2."""
    tree = ElementTree.parse(resource("worlds/amiro.world"))
    image = tree.find(".//model[@name='amiro1']//sensor[@name='camera']/camera/image")
    image.find("width").text, image.find("height").text = "320", "240"
    scan = tree.find(".//model[@name='amiro2']//sensor[@name='lidar']/ray/scan/horizontal")
    scan.find("samples").text = "181"
    scan.find("min_angle").text, scan.find("max_angle").text = "-1.57", "1.57"
    tree.write(path)
    return path


def test_it_waits_for_gazebo_and_goes_on_when_gazebo_starts_again(tmp_path: Path) -> None:
    with GazeboServer() as first:
        uri = first.master_uri
    with stage(master=uri) as s:
        s.listen("/diagnostics", DiagnosticArray)
        s.until(lambda: f"waits for Gazebo with robots at {uri}" in s.report)
        for topic in TOPICS:
            s.listen(topic)
        for world in ("", with_other_sensors(tmp_path / "other.world")):
            with GazeboServer(world, port=int(uri.rpartition(":")[2])):
                for topic in TOPICS:
                    s.heard[topic].clear()
                s.until(lambda: all(s.heard[topic] for topic in TOPICS))
                if world:  # what is told of the sensors is new, too
                    infos = s.heard["/amiro1/front_camera/camera_info"]
                    s.until(lambda infos=infos: infos[-1].width == 320)
                    scans = s.heard["/amiro2/laser_scan"]
                    s.until(lambda scans=scans: len(scans[-1].ranges) == 181)
                    for scan in scans:  # of the first Gazebo some may have been on their way
                        ahead = {181: 1.57, 683: math.radians(120)}[len(scan.ranges)]
                        assert scan.angle_max == pytest.approx(ahead)
            s.until(lambda: "waits for Gazebo" in s.report)
