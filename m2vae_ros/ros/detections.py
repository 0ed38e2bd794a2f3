# SPDX-License-Identifier: Apache-2.0
"""Objects as vision_msgs/Detection3DArray, where that is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from geometry_msgs.msg import Point, Pose, Vector3

from m2vae_ros.fusion.belief import Belief
from m2vae_ros.ros.messages import stamp

try:
    from vision_msgs.msg import Detection3D, Detection3DArray, ObjectHypothesisWithPose
except ImportError:
    Detection3DArray = None

__all__ = ["MOST_HYPOTHESES", "Detection3DArray", "detection_array"]

MOST_HYPOTHESES = 32
"""Classes told of an object: of those that are not, the message type says, the score is 0."""


def detection_array(
    frame: str, beliefs: Sequence[Belief], classes: Sequence[str], size: float, now: int
) -> Any:
    """One detection for each object, in the order given; without classes, if it is none of them.

    Args:
        frame: of all positions.
        beliefs: what is held of each object.
        classes: their names.
        size: metres, of the edges of each box: an embedding does not say how large a thing is.
        now: the stamp of an array without detections, nanoseconds; any other has that of the newest
            observation.
    """
    array = Detection3DArray()
    array.header.frame_id = frame
    array.header.stamp = stamp(max((b.embedding.newest for b in beliefs), default=now))
    array.detections = [_detection(belief, classes, size) for belief in beliefs]
    return array


def _detection(belief: Belief, classes: Sequence[str], size: float) -> Any:
    embedding = belief.embedding
    detection = Detection3D(id=embedding.object_id)
    detection.header.frame_id = embedding.frame
    detection.header.stamp = stamp(embedding.newest)
    # a new pose has no orientation at all in ROS distributions before Jazzy
    pose = Pose(position=Point(**dict(zip("xyz", embedding.position, strict=True))))
    pose.orientation.w = 1.0
    detection.bbox.center = pose
    detection.bbox.size = Vector3(x=size, y=size, z=size)
    for index in () if belief.unknown else belief.likeliest[:MOST_HYPOTHESES]:
        result = ObjectHypothesisWithPose()
        result.hypothesis.class_id = classes[index]
        result.hypothesis.score = float(belief.probabilities[index])
        result.pose.pose = pose
        detection.results.append(result)
    return detection
