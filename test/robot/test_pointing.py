# SPDX-License-Identifier: Apache-2.0
"""What a topic says that readings are of; no ROS."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.robot.perception import Target
from m2vae_ros.robot.pointing import NOWHERE, targets
from m2vae_ros.sensors import ObservationError

finite = st.floats(-1e6, 1e6)


def header(frame: str = "map", stamp: int = 0) -> object:
    time = SimpleNamespace(sec=stamp // 10**9, nanosec=stamp % 10**9)
    return SimpleNamespace(frame_id=frame, stamp=time)


def point(x: float, y: float, z: float = 0.0, **fields) -> object:
    place = SimpleNamespace(x=x, y=y, z=z)
    return SimpleNamespace(header=header(**fields), point=place)


def detections(*seen: tuple[str, float, float, float], **fields) -> object:
    found = [
        SimpleNamespace(
            id=name,
            bbox=SimpleNamespace(
                center=SimpleNamespace(position=SimpleNamespace(x=x, y=y, z=z)),
            ),
        )
        for name, x, y, z in seen
    ]
    return SimpleNamespace(header=header(**fields), detections=found)


@given(st.text(max_size=30), st.integers(0, 2**60))
def test_a_name_is_of_now_and_an_empty_one_of_nothing(name, now) -> None:
    named, stamp, frame = targets(SimpleNamespace(data=name), now)
    assert (stamp, frame) == (now, None)
    assert named == ([Target(name.strip(), NOWHERE)] if name.strip() else [])


@given(finite, finite, finite, st.integers(0, 2**60))
def test_a_point_is_a_place_without_a_name_at_its_own_time(x, y, z, stamp) -> None:
    found = targets(point(x, y, z, stamp=stamp, frame="odom"), 7)
    assert found == ([Target(None, (x, y, z))], stamp, "odom")


@given(
    st.lists(st.tuples(st.sampled_from(["", "box", "ball"]), finite, finite, finite), max_size=5)
)
def test_each_detection_is_a_place_with_its_name_if_it_has_one(seen) -> None:
    found, stamp, frame = targets(detections(*seen, stamp=5, frame="camera"), 7)
    assert (stamp, frame) == (5, "camera")
    assert found == [Target(name or None, (x, y, z)) for name, x, y, z in seen]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (point(1, 2, frame=""), "header.frame_id: is empty"),
        (detections(frame=""), "header.frame_id: is empty"),
        (point(math.nan, 2), "point: .* is not finite"),
        (detections(("a", 1, 2, 3), ("b", 1, math.inf, 3)), "detections: .* is not finite"),
    ],
)
def test_what_points_nowhere_names_the_field(message, reason) -> None:
    with pytest.raises(ObservationError, match=reason):
        targets(message, 7)
