# SPDX-License-Identifier: Apache-2.0
"""What a simulator tells of where its robots and their sensors are: odometry and transforms."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from nav_msgs.msg import Odometry
from rclpy.node import Node
from tf2_msgs.msg import TFMessage

from m2vae_ros.robot.frames import TF, TF_STATIC
from m2vae_ros.ros import qos, topics
from m2vae_ros.sensors.sensing_range import Pose
from m2vae_ros.world.sdf import Pose as Mount

OWN_ODOMETRY = (
    "Each robot's odometry in a frame of its own, ROBOT/odom, that lies where it began, as real "
    "robots have it; /tf_static says where. Otherwise in that of the world."
)

OPTICAL = Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5)
"""Of an optical frame, which looks along z, in a camera's body, which looks along x (REP 103)."""

DEVIATION = 0.001
"""Metres and radians, the standard deviation that odometry tells. It is exact, but a covariance of
0 says that it is not known."""

_AXES = 6
"""Of a pose: the diagonal of its covariance."""


class RobotFrames:
    """Publishes odometry, /tf and /tf_static of simulated robots.

    Args:
        node: that publishes.
        frame: of the world.
        own_odometry: whether each robot's odometry has a frame of its own, ROBOT/odom, that lies
            where it began, as those of real robots do; otherwise it is in the frame of the world.
    """

    def __init__(self, node: Node, frame: str, own_odometry: bool = False) -> None:
        self._frame = frame
        self._own = own_odometry
        self._tf = topics.publisher(node, TFMessage, TF.topic, qos.TRANSFORMS)
        latest = qos.LATEST_OF_ONE_OBJECT
        self._tf_static = topics.publisher(node, TFMessage, TF_STATIC.topic, latest)
        self._static: dict[str, TransformStamped] = {}
        self._starts: dict[str, Pose] = {}

    def mount(self, robot: str, sensor: str, at: Mount, is_camera: bool) -> None:
        """Tell where a sensor is on its robot, if that is news."""
        body = f"{robot}/{sensor}"
        move = Vector3(**dict(zip("xyz", at.position, strict=True)))
        self._fix(base_frame(robot), body, move, _quaternion(*at.roll_pitch_yaw))
        if is_camera:
            self._fix(body, sensor_frame(robot, sensor, is_camera), Vector3(), OPTICAL)

    def odometry(self, robot: str, pose: Pose, twist: Pose, stamp: Time) -> Odometry:
        """Where a robot is, and publish its transform.

        Args:
            robot: its name.
            pose: x, y (metres), yaw (radians) in the world.
            twist: forwards, leftwards (m/s), counter-clockwise (rad/s).
            stamp: of now.
        """
        frame = self._frame
        if self._own:
            frame = f"{robot}/odom"
            if robot not in self._starts:
                self._starts[robot] = pose
                x, y, yaw = pose
                self._fix(self._frame, frame, Vector3(x=x, y=y), _quaternion(0.0, 0.0, yaw))
            pose = _relative(pose, self._starts[robot])
        x, y, yaw = pose
        message = Odometry(child_frame_id=base_frame(robot))
        message.header.frame_id, message.header.stamp = frame, stamp
        message.pose.pose.position.x, message.pose.pose.position.y = x, y
        message.pose.pose.orientation = _quaternion(0.0, 0.0, yaw)
        message.pose.covariance[:: _AXES + 1] = DEVIATION**2
        linear, angular = message.twist.twist.linear, message.twist.twist.angular
        linear.x, linear.y, angular.z = twist
        if self._tf.get_subscription_count():
            moved = TransformStamped(header=message.header, child_frame_id=message.child_frame_id)
            moved.transform.translation = Vector3(x=x, y=y)
            moved.transform.rotation = message.pose.pose.orientation
            self._tf.publish(TFMessage(transforms=[moved]))
        return message

    def _fix(self, parent: str, child: str, move: Vector3, turn: Quaternion) -> None:
        fixed = TransformStamped(child_frame_id=child)
        fixed.header.frame_id = parent
        fixed.transform = Transform(translation=move, rotation=turn)
        if self._static.get(child) != fixed:
            self._static[child] = fixed
            # all of them: who reads late gets the last message only
            self._tf_static.publish(TFMessage(transforms=list(self._static.values())))


def base_frame(robot: str) -> str:
    """The frame of a robot itself."""
    return f"{robot}/base_link"


def sensor_frame(robot: str, sensor: str, is_camera: bool) -> str:
    """The frame in which a sensor's messages are: that of a camera's is optical (REP 103)."""
    return f"{robot}/{sensor}" + "_optical_frame" * is_camera


def _relative(pose: Pose, start: Pose) -> Pose:
    dx, dy = pose[0] - start[0], pose[1] - start[1]
    sin, cos = math.sin(start[2]), math.cos(start[2])
    yaw = math.remainder(pose[2] - start[2], math.tau)
    return cos * dx + sin * dy, cos * dy - sin * dx, yaw


def _quaternion(roll: float, pitch: float, yaw: float) -> Quaternion:
    """Turns about the fixed axes x, y, z, in this order."""
    cr, sr = math.cos(roll / 2), math.sin(roll / 2)
    cp, sp = math.cos(pitch / 2), math.sin(pitch / 2)
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    return Quaternion(
        w=cr * cp * cy + sr * sp * sy,
        x=sr * cp * cy - cr * sp * sy,
        y=cr * sp * cy + sr * cp * sy,
        z=cr * cp * sy - sr * sp * cy,
    )
