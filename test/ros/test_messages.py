# SPDX-License-Identifier: Apache-2.0
"""Embeddings, stamps and poses survive the way into a message and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from geometry_msgs.msg import Twist
from hypothesis import given
from hypothesis import strategies as st
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message, serialize_message

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.validation import MOST_REENCODINGS, UnfitEmbedding
from m2vae_ros.ros import messages
from m2vae_ros.sensors import ObservationError
from m2vae_ros.world.suite import AMIRO

floats = st.floats(width=32, allow_nan=False)
names = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=20)
times = st.integers(0, 2**31 * 1_000_000_000 - 1)

embeddings = st.builds(
    Embedding,
    object_id=names,
    position=st.tuples(*[st.floats(-1e3, 1e3)] * 3),
    frame=names,
    held=st.dictionaries(st.sampled_from(tuple(AMIRO)), times),
    mean=st.lists(floats, min_size=10, max_size=10),
    log_variance=st.lists(floats, min_size=10, max_size=10),
    sender=names,
    fingerprint=names,
    aliases=st.lists(names, max_size=3).map(tuple),
    reencodings=st.dictionaries(st.sampled_from(tuple(AMIRO)), st.integers(0, MOST_REENCODINGS)),
    strange=st.frozensets(st.sampled_from(tuple(AMIRO))),
    instance=st.integers(0, 2**32 - 1),
    disowned=st.just(0) | times,
    vanished=times,
    deviation=st.floats(0.0, 1e3, width=32),
)


@given(embeddings)
def test_an_embedding_survives_the_wire_bit_by_bit(embedding: Embedding) -> None:
    message = messages.embedding_message(embedding)
    received = deserialize_message(serialize_message(message), type(message))
    assert messages.embedding(received) == embedding
    assert messages.nanoseconds(received.header.stamp) == embedding.newest


def test_an_embedding_of_three_modalities_takes_less_than_300_bytes() -> None:
    embedding = Embedding(
        object_id="green_cylinder_shiny",
        position=(1.0, 2.0, 0.0),
        frame="map",
        held=dict.fromkeys(AMIRO, 10**18),
        mean=np.zeros(10),
        log_variance=np.zeros(10),
        sender="amiro1",
        fingerprint="0123456789abcdef",
        reencodings=dict.fromkeys(AMIRO, 1),
    )
    assert len(serialize_message(messages.embedding_message(embedding))) < 300


def test_a_message_needs_a_count_of_reencodings_for_each_modality() -> None:
    embedding = Embedding("it", (0.0, 0.0, 0.0), "map", {"lidar": 1}, [0.0], [0.0], "a", "f")
    message = messages.embedding_message(embedding)
    message.reencodings = []
    with pytest.raises(UnfitEmbedding, match="1 modalities but 0 reencodings") as refused:
        messages.embedding(message)
    assert refused.value.kind == "length"


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("length", "modalities", [f"m{n}" for n in range(30_000)]),
        ("length", "fingerprint", "x" * 5_000_000),
        ("length", "sender", "x" * 129),
        ("object_id", "aliases", [f"n{n}" for n in range(32)]),
        ("length", "mean", [0.0] * 131_073),
    ],
)
def test_a_message_that_is_too_large_is_refused_for_that(kind, field, value) -> None:
    embedding = Embedding("it", (0.0, 0.0, 0.0), "map", {"lidar": 1}, [0.0], [0.0], "a", "f")
    message = messages.embedding_message(embedding)
    setattr(message, field, value)
    with pytest.raises(UnfitEmbedding, match="at most") as refused:
        messages.embedding(message)
    assert refused.value.kind == kind
    assert len(refused.value.reason) < 200


def test_a_count_that_no_message_can_hold_is_the_largest_one_can() -> None:
    embedding = Embedding(
        "it", (0.0,) * 3, "map", {"lidar": 1}, [0.0], [0.0], "a", "f", (), {"lidar": 10**6}
    )
    assert list(messages.embedding_message(embedding).reencodings) == [MOST_REENCODINGS]


@given(times)
def test_a_stamp_keeps_every_nanosecond(time: int) -> None:
    assert messages.nanoseconds(messages.stamp(time)) == time


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(-3.1, 3.1))
def test_odometry_gives_place_and_heading(x: float, y: float, yaw: float) -> None:
    message = Odometry(child_frame_id="base")
    message.header.frame_id = "/odom"
    message.pose.pose.position.x, message.pose.pose.position.y = x, y
    message.pose.pose.orientation.z = math.sin(yaw / 2)
    message.pose.pose.orientation.w = math.cos(yaw / 2)
    motion = messages.motion(message)
    assert motion.pose == pytest.approx((x, y, yaw))
    assert (motion.frame, motion.child) == ("odom", "base")


@pytest.mark.parametrize(
    ("variances", "deviations"),
    [((0.04, 0.09, 0.01), (0.3, 0.1)), ((0, 0, 0), (0, 0)), ((-1, -1, math.inf), (0, 0))],
)
def test_odometry_says_how_sure_it_is(variances, deviations) -> None:
    message = Odometry()
    message.header.frame_id = "odom"
    message.pose.pose.orientation.w = 1.0
    for at, variance in zip((0, 7, 35), variances, strict=True):
        message.pose.covariance[at] = variance
    motion = messages.motion(message)
    assert (motion.deviation, motion.yaw_deviation) == pytest.approx(deviations)


def test_odometry_of_no_frame_is_refused() -> None:
    with pytest.raises(ObservationError, match="frame_id: is empty"):
        messages.motion(Odometry())


def test_odometry_without_an_orientation_is_refused() -> None:
    message = Odometry()
    message.header.frame_id = "odom"
    message.pose.pose.orientation.w = 0.0
    with pytest.raises(ObservationError, match="orientation"):
        messages.motion(message)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_velocity_that_is_not_finite_is_refused(bad: float) -> None:
    message = Twist()
    message.angular.z = bad
    with pytest.raises(ObservationError, match="angular"):
        messages.velocity(message)
