# SPDX-License-Identifier: Apache-2.0
"""Bytes that travel are a message with the right fields, or are refused; no node ends of them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from m2vae_ros.msg import LatentEmbedding
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from ros_team import image, reflectance, scan, team
from sensor_msgs.msg import Image
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage
from untrained import untrained_weights

from m2vae_ros.ros import qos, serialised
from m2vae_ros.ros.message_types import message_class
from m2vae_ros.sensors import ObservationError
from m2vae_ros.world.suite import AMIRO

SHORT = bytes([0, 0, 0, 3])
"""Ends a process with Fast CDR 2.3.3: three bytes of padding, and there are none."""


def test_a_message_has_its_fields_and_large_arrays_are_views() -> None:
    sent = image()
    sent.header.frame_id = "camera"
    data = serialize_message(sent)
    read = serialised.message(data, Image)
    assert (read.width, read.height, read.step) == (sent.width, sent.height, sent.step)
    assert (read.encoding, read.header.frame_id) == (sent.encoding, "camera")
    assert read.data.tobytes() == bytes(sent.data)
    assert not read.data.flags.owndata
    for sent in (scan(), reflectance()):
        read = serialised.message(serialize_message(sent), type(sent))
        for name in ("ranges", "intensities"):
            np.testing.assert_array_equal(getattr(read, name), getattr(sent, name))


@given(st.binary(max_size=40), st.sampled_from([Image, LatentEmbedding, Odometry, String]))
def test_any_bytes_are_a_message_or_are_refused(data, kind) -> None:
    try:
        serialised.message(data, kind)
    except ObservationError as error:
        assert str(error).startswith("bytes: ")


@pytest.mark.parametrize("data", [b"", b"\0", SHORT, SHORT + b"ab", bytes([0, 1, 0, 1])])
def test_padding_that_is_not_there_is_refused_before_anything_reads_it(data) -> None:
    with pytest.raises(ObservationError, match="are no message"):
        serialised.check(data)


@pytest.mark.parametrize("data", [SHORT + b"abc", serialize_message(String(data="x"))])
def test_padding_that_is_there_is_not(data) -> None:
    serialised.check(data)


@given(
    st.integers(-(2**31), 2**31 - 1),
    st.integers(0, 2**32 - 1),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
)
def test_the_header_is_read_without_the_rest(seconds, nanoseconds, frame) -> None:
    sent = reflectance()
    sent.header.stamp.sec, sent.header.stamp.nanosec = seconds, nanoseconds
    sent.header.frame_id = frame
    data = serialize_message(sent)
    expected = (seconds * 10**9 + nanoseconds, frame)
    assert serialised.header(data) == expected
    text = frame.encode() + b"\0"
    big = struct.pack(">HHiII", 0, 0, seconds, nanoseconds, len(text)) + text
    assert serialised.header(big) == expected
    for end in range(16 + len(text)):
        with pytest.raises(ObservationError):
            serialised.header(data[:end])


def test_only_what_begins_with_a_header_has_one() -> None:
    assert serialised.has_header(Image)
    assert not serialised.has_header(String)
    assert not serialised.has_header(TFMessage)


@pytest.mark.ros
def test_a_node_outlives_bytes_that_are_no_message_on_each_of_its_topics(tmp_path) -> None:
    with team() as t:
        node = t.active_robot("amiro1", untrained_weights(tmp_path), list(AMIRO))
        kinds = {"/embeddings": LatentEmbedding, "odom": Odometry, "/tf": TFMessage}
        kinds |= {modality.topic: message_class(modality.type) for modality in AMIRO.values()}
        for topic, kind in kinds.items():
            profile = qos.LATEST_OF_ONE_OBJECT if topic == "/embeddings" else qos.EVERY_ONE
            name = topic if topic.startswith("/") else f"/amiro1/{topic}"
            publisher = t.tester.create_publisher(kind, name, profile)
            t.until(lambda p=publisher: p.get_subscription_count() > 0)
            for data in (SHORT, b"\0\1\0\0", b"\0\1\0\0" + bytes(3)):
                before = node._drops.counts[f"dropped {topic}: bytes"]
                publisher.publish(data)
                dropped = f"dropped {topic}: bytes"
                t.until(lambda d=dropped, b=before: node._drops.counts[d] == b + 1)
        while not t.counted("amiro1", "fused camera"):  # a while it waits for transforms
            t.sense("amiro1", image(), "camera")
            t.settle()
