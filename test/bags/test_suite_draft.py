# SPDX-License-Identifier: Apache-2.0
"""What a draft makes of topics, and what it leaves out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from bag_making import Made, at, header, new, odometry, write
from hypothesis import given
from hypothesis import strategies as st
from suites import modality, plain

from m2vae_ros.bags import suite_scales
from m2vae_ros.bags.suite_check import scarce
from m2vae_ros.bags.suite_draft import draft, fields_left_out, left_out, robots_of
from m2vae_ros.bags.suite_scales import set_scales
from m2vae_ros.bags.topics import FoundTopic, find_topics
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.images import COMPRESSED, RAW
from m2vae_ros.sensors.messages import ODOMETRY
from m2vae_ros.sensors.suite import STRING
from m2vae_ros.vae.beta_vae import BetaVAE, BetaVAEConfig

ARRAY = "std_msgs/msg/Float32MultiArray"


def topic(name: str, kind: str = ARRAY, **fields) -> FoundTopic:
    layout = SimpleNamespace(dim=[], data_offset=0)
    return FoundTopic(name, kind, 9, example=SimpleNamespace(layout=layout, **fields))


def test_an_array_is_a_sensor_of_as_many_numbers() -> None:
    sonar = topic("/rover/sonar", data=np.zeros(16, np.float32))
    joints = topic("/rover/joints", "a/msg/Joints", position=np.zeros(3), effort=np.zeros(2))
    suite = SensorSuite.from_plain(draft("rover", [sonar, joints]))
    shapes = {name: modality.view.shape for name, modality in suite.items()}
    assert shapes == {"sonar": (16,), "joints_position": (3,), "joints_effort": (2,)}


def test_what_a_draft_has_nothing_of_is_told() -> None:
    sonar = topic("/rover/sonar", data=np.zeros(16, np.float32))
    empty = topic("/rover/names", "a/msg/Names", data=["a", "b"])
    clock = topic("/clock", "rosgraph_msgs/msg/Clock", clock=SimpleNamespace(sec=0, nanosec=0))
    topics = [sonar, empty, clock]
    assert left_out(topics, draft("rover", topics)) == [empty]


def test_how_sure_a_reading_is_is_none_and_a_scalar_has_a_code_of_one_dimension() -> None:
    warmth = topic("/rover/warmth", "sensor_msgs/msg/Temperature", temperature=20.5, variance=0.1)
    place = topic(
        "/rover/fix",
        "sensor_msgs/msg/NavSatFix",
        latitude=52.0,
        longitude=8.5,
        altitude=110.0,
        position_covariance=np.zeros(9),
        position_covariance_type=2,
    )
    bumper = topic("/rover/bumper", "sensor_msgs/msg/Range", range=0.5, max_range=2.0)
    drafted = draft("rover", [warmth, place, bumper])
    suite = SensorSuite.from_plain(drafted)
    assert suite["warmth"].view.fields == ("temperature",)
    assert suite["fix"].view.fields == ("latitude", "longitude", "altitude")
    assert suite["warmth"].beta_vae.latent_dim == 1
    assert suite["bumper"].beta_vae.latent_dim == 1
    assert suite["fix"].beta_vae.latent_dim == 3
    assert fields_left_out([warmth, place], drafted) == {
        "/rover/warmth": ["variance"],
        "/rover/fix": ["position_covariance", "position_covariance_type"],
    }


def named(name: str) -> FoundTopic:
    """A topic of the kind that its name says."""
    if name.endswith("odom"):
        return FoundTopic(name, ODOMETRY.type, 9, example=odometry(0.0, (0.0, 0.0, 0.0)))
    if name.endswith("label"):
        return FoundTopic(name, STRING, 2, texts=Counter(still=1, moving=1))
    return topic(name, data=np.zeros(3, np.float32))


@pytest.mark.parametrize(
    ("names", "robots", "drafted"),
    [
        # one robot, with a namespace and without
        ("/rover/imu /rover/front/sonar /rover/label", ["/rover"], "imu front/sonar label"),
        ("/sonar /thermal/image /label", [""], "sonar thermal/image label"),
        ("/sonar/data /thermal/image", [""], "sonar/data thermal/image"),
        ("/front/data /rear/data /label", [""], "front/data rear/data label"),
        ("/thermal/image /odom", [""], "thermal/image"),
        # whoever speaks of it
        ("/rover/imu /rover/sonar /label", ["/rover"], "imu sonar /label"),
        # robots with the same sensors, and such that are placed
        ("/a/imu /b/imu /a/label", ["/a", "/b"], "imu label"),
        ("/a/imu /a/odom /b/sonar /b/odom /map", ["/a", "/b"], "imu sonar /map"),
        ("/team/a/imu /team/a/odom", ["/team/a"], "imu"),
    ],
)
def test_topics_are_drafted_below_the_namespaces_of_robots(names, robots, drafted) -> None:
    topics = [named(each) for each in names.split()]
    assert robots_of(topics) == robots
    made = SensorSuite.from_plain(draft("mine", topics))
    labels = [made.sampling.labels] if made.classes else []
    assert [m.topic for m in made.values()] + labels == drafted.split()
    assert not left_out(topics, made.to_plain())


@pytest.mark.parametrize(
    ("pairing", "rates", "scarcest"),
    [
        ("time", {"imu": 100.0, "distance": 0.9}, "distance"),
        ("time", {"imu": 100.0, "distance": 10.0}, "imu"),  # a window every half second
        ("time", {"imu": 100.0, "distance": 1.5}, ""),
        ("time", {"imu": 0.0, "distance": 0.0}, ""),
        ("object", {"imu": 100.0, "distance": 0.1}, ""),
    ],
)
def test_the_sensor_that_decides_how_many_samples_there_are_is_named(
    pairing, rates, scarcest
) -> None:
    window = modality("window", view={"kind": "window", "fields": ["x.y"], "hop": 0.5})
    suite = SensorSuite.from_plain(
        plain(
            modalities={"imu": window, "distance": modality("range")},
            sampling={"pairing": pairing, "labels": "state"},
        )
    )
    said = scarce(suite, rates)
    assert said.startswith(f"modalities.{scarcest}: ") if scarcest else said == ""


def picture_topic(encoding: str, width: int = 640, height: int = 480) -> FoundTopic:
    fields = {"encoding": encoding, "width": width, "height": height}
    return FoundTopic("/rover/camera", RAW, 9, example=SimpleNamespace(**fields))


@pytest.mark.parametrize(
    ("encoding", "kind", "channels"),
    [
        ("rgb8", "image", 3),
        ("bayer_rggb8", "image", 3),
        ("mono8", "image", 1),
        ("mono16", "image", 1),
        ("16UC1", "depth", 1),
        ("32FC1", "depth", 1),
    ],
)
def test_a_picture_is_a_depth_by_its_encoding_alone_and_grey_has_no_colour(
    encoding, kind, channels
) -> None:
    suite = SensorSuite.from_plain(draft("rover", [picture_topic(encoding)]))
    assert suite["camera"].view.kind == kind
    assert suite["camera"].view.shape == (channels, 48, 64)


@pytest.mark.parametrize(("width", "height"), [(8, 8), (5, 3), (100, 20), (1, 1)])
@pytest.mark.parametrize("compressed", [False, True])
def test_no_picture_is_made_larger(width, height, compressed) -> None:
    found = picture_topic("rgb8", width, height)
    if compressed:
        data = cv2.imencode(".png", np.zeros((height, width, 3), np.uint8))[1].reshape(-1)
        found = FoundTopic(found.name, COMPRESSED, 9, example=SimpleNamespace(format="", data=data))
    suite = SensorSuite.from_plain(draft("rover", [found]))
    assert suite["camera"].view.shape == (3, min(height, 48), min(width, 64))
    vae = BetaVAE(BetaVAEConfig.of(suite["camera"]))
    assert vae.decode(vae.code(torch.zeros(2, *vae.config.shape))).shape == (2, *vae.config.shape)


def test_an_empty_picture_is_drafted_as_any_other() -> None:
    suite = SensorSuite.from_plain(draft("rover", [picture_topic("rgb8", 0, 0)]))
    assert suite["camera"].view.shape == (3, 48, 64)


def test_a_compressed_picture_that_cannot_be_read_is_drafted_as_any_other() -> None:
    broken = SimpleNamespace(format="jpeg", data=np.zeros(9, np.uint8))
    found = FoundTopic("/rover/camera", COMPRESSED, 9, example=broken)
    assert draft("rover", [found])["modalities"]["camera"]["view"]["width"] == 64


def scaled(folder: Path, made: list[Made]) -> SensorSuite:
    """The suite that is drafted of a bag with these messages."""
    write(folder / "bag", made)
    topics = find_topics([folder / "bag"])
    drafted, shares = draft("rover", topics), [0.0]
    set_scales(drafted, topics, [folder / "bag"], shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    return SensorSuite.from_plain(drafted)


def sonar(seconds: float, readings: list[float]) -> Made:
    layout = new("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
    message = new(ARRAY, layout=layout, data=np.array(readings, np.float32))
    return at("/rover/sonar", ARRAY, seconds, message)


def thermal(seconds: float, celsius: np.ndarray) -> Made:
    height, width = celsius.shape
    message = new(
        RAW,
        header=header(seconds),
        height=height,
        width=width,
        encoding="32FC1",
        is_bigendian=0,
        step=4 * width,
        data=celsius.astype("<f4").view(np.uint8).reshape(-1),
    )
    return at("/rover/thermal", RAW, seconds, message)


@given(
    readings=st.lists(
        st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=2, max_size=5
    )
)
def test_numbers_lie_between_0_and_1_as_far_as_they_reach_in_the_bag(
    readings, tmp_path_factory
) -> None:
    made = [sonar(t / 10, each) for t, each in enumerate(readings)]
    view = scaled(tmp_path_factory.mktemp("sonar"), made)["sonar"].view
    values = np.stack([view.read(each.message) for each in made])
    assert values.min() >= -1e-6
    assert values.max() <= 1.0 + 1e-6
    if np.ptp(readings) > 1e-30:
        assert values.max() - values.min() > 0.8  # and they do not huddle


def test_a_message_that_does_not_fit_and_a_number_that_never_changes_do_no_harm(tmp_path) -> None:
    made = [sonar(0.0, [2.5, 2.5]), sonar(0.1, [np.nan, 9.0]), sonar(0.2, [2.5, 2.5])]
    view = scaled(tmp_path, made)["sonar"].view
    assert (view.offset, view.scale) == (2.5, 1.0)


def test_a_depth_reaches_as_far_as_what_is_seen_but_for_single_pixels(tmp_path) -> None:
    warm = np.full((20, 20), 21.34)
    warm[0, 0], warm[1, 1], warm[2, 2] = 9999.0, np.nan, 0.0
    made = [thermal(0.0, warm - 4.0), thermal(0.1, warm), thermal(0.2, np.full((20, 20), np.nan))]
    assert scaled(tmp_path, made)["thermal"].view.max_depth == 22.0


def test_of_a_long_bag_messages_are_looked_at_from_its_beginning_to_its_end(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(suite_scales, "LOOKED_AT", 10)
    view = scaled(tmp_path, [sonar(t / 10, [t, t]) for t in range(100)])["sonar"].view
    assert view.offset <= 10
    assert view.offset + view.scale >= 90
