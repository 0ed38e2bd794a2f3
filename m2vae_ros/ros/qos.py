# SPDX-License-Identifier: Apache-2.0
"""Qualities of service, one for each kind of topic."""

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

NEWEST_READING = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
"""A sensor: only the newest reading is of use, a lost one is not missed."""

STATE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
"""What a robot does now: odometry out, velocity in. Offered reliably, it suits every reader."""

LATEST_OF_ONE_OBJECT = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""A writer for each object with this: who joins late gets the latest embedding of every object."""

EMBEDDINGS = QoSProfile(
    depth=1000,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""Who reads them; deep enough for all objects of all robots at once when joining."""

TOLD_AGAIN = QoSProfile(
    depth=100,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""The writer of embeddings of others, who may be gone; so deep that readers can be slow."""

DIGESTS = QoSProfile(depth=64, reliability=ReliabilityPolicy.BEST_EFFORT)
"""What robots hold, said ever again: one that is lost is not missed."""

WHOLE_STATE = LATEST_OF_ONE_OBJECT
"""What says all there is to say with each message: who joins late gets the latest."""

EVERY_ONE = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
"""Small results of which none should be missed."""

TRANSFORMS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
"""/tf, as tf2 has it."""

STATIC_TRANSFORMS = QoSProfile(
    depth=100,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""Who reads /tf_static, as tf2 has it: each writer keeps its last for who joins late."""

TRACK = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
"""What counts by what came before and after: odometry, and sensors whose readings take time."""

DIAGNOSTICS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
"""What nodes say of themselves, as everybody publishes it."""

CLOCK = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
"""A slow reader must not miss the time, but only the latest counts."""
