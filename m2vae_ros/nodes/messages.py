# SPDX-License-Identifier: Apache-2.0
"""Messages to arrays and embeddings, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Twist
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image, LaserScan

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.validation import held_stamps
from m2vae_ros.msg import LatentEmbedding, ObjectClassification
from m2vae_ros.nodes.images import rgb
from m2vae_ros.sensors import CameraView, LidarView, ObservationError, ReflectanceView

NANOSECONDS = 1_000_000_000


def nanoseconds(stamp: Time) -> int:
    """A stamp as nanoseconds."""
    return stamp.sec * NANOSECONDS + stamp.nanosec


def stamp(time_ns: int) -> Time:
    """Nanoseconds as a stamp."""
    sec, nanosec = divmod(time_ns, NANOSECONDS)
    return Time(sec=sec, nanosec=nanosec)


@dataclass(frozen=True)
class Sensor:
    """Where a modality's readings come from: topic below the robot's namespace, and type."""

    topic: str
    message: type


SENSORS = {
    "camera": Sensor("front_camera/image_raw", Image),
    "lidar": Sensor("laser_scan", LaserScan),
    "reflectance": Sensor("reflectance", LaserScan),
}


def observation(view: CameraView | LidarView | ReflectanceView, message) -> np.ndarray:
    """What the model takes of a sensor's message: float32 of the view's shape.

    Raises:
        ObservationError: names the field of the message and what is wrong with it.
    """
    if isinstance(view, CameraView):
        return view(rgb(message))
    if isinstance(view, LidarView):
        return view(numbers(message.ranges), message.angle_min, message.angle_increment)
    return view(numbers(message.intensities))


def numbers(field: Sequence[float]) -> np.ndarray:
    """A float32[] field as float32 (n,)."""
    return np.asarray(field, dtype=np.float32)


@dataclass(frozen=True)
class Motion:
    """Where a robot was at a time, in nanoseconds, and how fast: metres, radians, m/s, rad/s."""

    x: float
    y: float
    yaw: float
    speed: float
    turn: float
    stamp: int

    @property
    def pose(self) -> tuple[float, float, float]:
        """x, y and yaw."""
        return (self.x, self.y, self.yaw)


def motion(message: Odometry) -> Motion:
    """Where the odometry places the robot, in the odometry's frame.

    Raises:
        ObservationError: a pose or twist that is not finite, or an orientation that is none.
    """
    position, q = message.pose.pose.position, message.pose.pose.orientation
    linear, angular = message.twist.twist.linear, message.twist.twist.angular
    yaw = math.atan2(2.0 * (q.w * q.z + q.x * q.y), 1.0 - 2.0 * (q.y * q.y + q.z * q.z))
    found = Motion(
        position.x,
        position.y,
        yaw,
        math.hypot(linear.x, linear.y),
        abs(angular.z),
        nanoseconds(message.header.stamp),
    )
    if not all(map(math.isfinite, (found.x, found.y, found.yaw, found.speed, found.turn))):
        raise ObservationError("pose, twist: holds NaN or infinite values")
    if not 0.9 < math.hypot(q.x, q.y, q.z, q.w) < 1.1:
        raise ObservationError("pose.pose.orientation: not a unit quaternion")
    return found


def velocity(message: Twist) -> tuple[float, float]:
    """Forwards in m/s and counter-clockwise in rad/s.

    Raises:
        ObservationError: one of them is not finite.
    """
    if not (math.isfinite(message.linear.x) and math.isfinite(message.angular.z)):
        raise ObservationError("linear.x, angular.z: not finite")
    return message.linear.x, message.angular.z


def embedding_message(embedding: Embedding) -> LatentEmbedding:
    """The message of an embedding."""
    message = LatentEmbedding(
        sender=embedding.sender,
        object_id=embedding.object_id,
        aliases=list(embedding.aliases),
        position=Point(**dict(zip("xyz", embedding.position, strict=True))),
        fingerprint=embedding.fingerprint,
        modalities=list(embedding.held),
        stamps=[stamp(time) for time in embedding.held.values()],
        mean=embedding.mean,
        log_variance=embedding.log_variance,
    )
    message.header.stamp = stamp(embedding.newest)
    message.header.frame_id = embedding.frame
    return message


def embedding(message: LatentEmbedding) -> Embedding:
    """The embedding of a message, as it is: `fusion.validation.check` says whether it fits.

    Raises:
        UnfitEmbedding: a modality twice, or not one stamp for each modality.
    """
    place = message.position
    return Embedding(
        object_id=message.object_id,
        position=(place.x, place.y, place.z),
        frame=message.header.frame_id,
        held=held_stamps(message.modalities, [nanoseconds(time) for time in message.stamps]),
        mean=numbers(message.mean),
        log_variance=numbers(message.log_variance),
        sender=message.sender,
        fingerprint=message.fingerprint,
        aliases=tuple(message.aliases),
    )


def classification_message(
    embedding: Embedding, sender: str, classes: Sequence[str], probabilities: np.ndarray
) -> ObjectClassification:
    """What `sender` takes an object for."""
    message = ObjectClassification(
        sender=sender,
        object_id=embedding.object_id,
        position=Point(**dict(zip("xyz", embedding.position, strict=True))),
        modalities=list(embedding.held),
        classes=list(classes),
        probabilities=np.asarray(probabilities, dtype=np.float32),
    )
    message.header.stamp = stamp(embedding.newest)
    message.header.frame_id = embedding.frame
    return message
