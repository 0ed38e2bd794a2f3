# SPDX-License-Identifier: Apache-2.0
"""Of a sensor's messages nothing is read, or even taken, that is not wanted."""

from __future__ import annotations

import pytest
from rclpy.serialization import serialize_message
from ros_team import image, team
from untrained import untrained_weights

from m2vae_ros.ros import serialised
from m2vae_ros.ros.sensor_topic import SensorTopic
from m2vae_ros.sensors import ObservationError
from m2vae_ros.world.suite import AMIRO

CAMERA = "received front_camera/image_raw"


def test_a_message_is_made_once_and_when_it_is_wanted(monkeypatch) -> None:
    made = []

    def message(data: bytes, kind: type) -> object:
        made.append(kind)
        return whole(data, kind)

    whole = serialised.message
    monkeypatch.setattr(serialised, "message", message)
    sensor = SensorTopic([AMIRO["camera"]])
    sent = image()
    sent.header.frame_id = "lens"
    data = serialize_message(sent)
    stamp, frame = sensor.header(data, now=7)
    read = sensor.observation("camera", sensor.message(data), stamp)
    assert (frame, made) == ("lens", [])
    assert callable(read)
    assert read().tolist() == AMIRO["camera"].view.read(sent).tolist() == read().tolist()
    assert made == [sensor.kind]


def test_bytes_that_are_no_message_are_refused_at_once() -> None:
    with pytest.raises(ObservationError, match="are no message"):
        SensorTopic([AMIRO["camera"]]).header(b"\0\0\0\3", now=7)


def test_a_header_that_a_message_does_not_begin_with_counts_too(monkeypatch) -> None:
    monkeypatch.setattr(serialised, "has_header", lambda kind: False)
    sent = image()
    sent.header.stamp.sec, sent.header.frame_id = 3, "lens"
    sensor = SensorTopic([AMIRO["camera"]])
    assert sensor.header(serialize_message(sent), now=7) == (3 * 10**9, "lens")


@pytest.mark.ros
def test_pictures_of_a_robot_that_drives_stay_unread_and_the_first_that_stands_counts(
    tmp_path,
) -> None:
    with team() as t:
        node = t.active_robot("amiro1", untrained_weights(tmp_path), ["camera"], min_gain=0.0)
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        for speed in (0.3, 0.3):
            t.stand("amiro1", speed=speed)
        before = t.counted("amiro1", CAMERA)
        for value in range(10):
            t.sense("amiro1", image(value), "camera", speed=0.3)
            t.settle()
        assert t.counted("amiro1", CAMERA) == before
        for _ in range(2):
            t.stand("amiro1")
        t.sense("amiro1", image(200), "camera")
        t.until(lambda: len(t.embeddings) == 2)
        assert node._drops.counts["unused: moving"] <= 1
