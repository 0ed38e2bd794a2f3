# SPDX-License-Identifier: Apache-2.0
"""Where one frame lies in another: as tf2 has it, and as scipy computes it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp
from transforms import HERE, SECOND, Place, transform

from m2vae_ros.robot.frames import KEEP, NoTransform, TransformBuffer
from m2vae_ros.sensors import ObservationError

metres = st.floats(-100, 100)
turns = (
    st.tuples(*[st.floats(-1, 1)] * 4)
    .filter(lambda q: math.hypot(*q) > 0.1)
    .map(lambda q: tuple(np.array(q) / math.hypot(*q)))
)
places = st.tuples(metres, metres, metres, turns)


def by_scipy(place: Place) -> np.ndarray:
    whole = np.eye(4)
    whole[:3, :3] = Rotation.from_quat(place[3]).as_matrix()
    whole[:3, 3] = place[:3]
    return whole


def chain(*steps: Place) -> TransformBuffer:
    """Frame "0" holds "1", which holds "2", and so on; nothing moves."""
    buffer = TransformBuffer()
    for i, place in enumerate(steps):
        buffer.add(transform(str(i), str(i + 1), place), is_static=True)
    return buffer


@given(st.lists(places, min_size=1, max_size=5))
def test_a_chain_of_frames_is_the_product_and_its_way_back_the_inverse(steps) -> None:
    buffer = chain(*steps)
    whole = np.linalg.multi_dot([np.eye(4), *map(by_scipy, steps), np.eye(4)])
    end = str(len(steps))
    np.testing.assert_allclose(buffer.transform("0", end, 7), whole, atol=1e-9)
    both = buffer.transform(end, "0", 7) @ whole
    np.testing.assert_allclose(both, np.eye(4), atol=1e-9)


@given(places, places)
def test_two_branches_meet_where_they_part(left, right) -> None:
    buffer = TransformBuffer()
    buffer.add(transform("/map", "left", left), is_static=True)
    buffer.add(transform("map", "/right", right), is_static=True)
    found = buffer.transform("left", "right", 0)
    expected = np.linalg.inv(by_scipy(left)) @ by_scipy(right)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(places, st.floats(0.0, 1.0), st.floats(-0.2, 0.2), st.booleans())
def test_between_two_transforms_the_place_is_between_them(place, share, turned, flipped) -> None:
    x, y, z, turn = place
    last = (Rotation.from_quat(turn) * Rotation.from_rotvec([0.0, 0.0, turned])).as_quat()
    later = (x + 1.0, y, z, tuple(-last if flipped else last))
    buffer = TransformBuffer()
    buffer.add(transform("odom", "base", place, SECOND), is_static=False)
    buffer.add(transform("odom", "base", later, 2 * SECOND), is_static=False)
    stamp = SECOND + round(share * SECOND)
    found = buffer.transform("odom", "base", stamp)
    share = (stamp - SECOND) / SECOND
    np.testing.assert_allclose(found[:3, 3], [x + share, y, z], atol=1e-9)
    arc = Slerp([0, 1], Rotation.from_quat([turn, last]))(share).as_matrix()
    np.testing.assert_allclose(found[:3, :3], arc, atol=1e-6)


def test_before_the_first_and_after_the_last_nothing_is_known() -> None:
    buffer = TransformBuffer()
    for second in (1, 2):
        buffer.add(transform("odom", "base", stamp=second * SECOND), is_static=False)
    with pytest.raises(NoTransform, match="'base' to 'odom'.*the first is later"):
        buffer.transform("odom", "base", SECOND - 1)
    with pytest.raises(NoTransform, match="the last is of 0.5 s before"):
        buffer.transform("odom", "base", 5 * SECOND // 2)


def test_what_nothing_joins_is_named() -> None:
    buffer = chain(HERE)
    buffer.add(transform("moon", "crater"), is_static=True)
    assert all(map(buffer.knows, ("0", "1", "moon", "/crater")))
    assert not buffer.knows("map")
    with pytest.raises(NoTransform, match="/tf tells nothing of 'map'"):
        buffer.transform("map", "1", 0)
    with pytest.raises(NoTransform, match="nothing joins them"):
        buffer.transform("0", "crater", 0)


def test_a_frame_lies_where_it_was_last_said_to() -> None:
    buffer = chain(HERE, HERE)
    buffer.add(transform("elsewhere", "2", (5.0, 0.0, 0.0, HERE[3])), is_static=True)
    assert buffer.transform("elsewhere", "2", 0)[0, 3] == 5.0
    with pytest.raises(NoTransform):
        buffer.transform("0", "2", 0)


def test_time_that_begins_anew_is_followed_and_a_late_message_is_not() -> None:
    buffer = TransformBuffer()
    for x, second in ((1.0, 99), (2.0, 100), (1.5, 98)):
        place = (x, 0.0, 0.0, HERE[3])
        buffer.add(transform("odom", "base", place, second * SECOND), is_static=False)
    assert buffer.transform("odom", "base", 100 * SECOND)[0, 3] == 2.0
    buffer.add(transform("odom", "base", stamp=SECOND), is_static=False)
    assert buffer.transform("odom", "base", SECOND)[0, 3] == 0.0


def test_what_is_long_past_is_forgotten() -> None:
    buffer = TransformBuffer()
    for second in range(1000):
        buffer.add(transform("odom", "base", stamp=second * SECOND), is_static=False)
    assert buffer.transform("odom", "base", 999 * SECOND - int(KEEP) * SECOND) is not None
    with pytest.raises(NoTransform):
        buffer.transform("odom", "base", 998 * SECOND - int(KEEP) * SECOND)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (transform("", "a"), "child_frame_id: 'a' cannot lie in ''"),
        (transform("a", ""), "child_frame_id"),
        (transform("a", "/a"), "child_frame_id"),
        (transform("2", "0"), "child_frame_id: '2' lies in '0' already"),
        (transform("0", "1", (math.nan, 0.0, 0.0, HERE[3])), "transform: holds NaN"),
        (transform("0", "1", (0.0, 0.0, 0.0, (0.0, 0.0, 0.0, 0.0))), "unit quaternion"),
        (transform("0", "1", (0.0, 0.0, 0.0, (0.0, 0.0, 0.0, 0.99))), "unit quaternion"),
    ],
)
def test_a_bad_transform_is_refused_and_changes_nothing(bad, reason) -> None:
    buffer = chain((1.0, 2.0, 3.0, HERE[3]), HERE)
    with pytest.raises(ObservationError, match=reason):
        buffer.add(bad, is_static=True)
    np.testing.assert_array_equal(buffer.transform("0", "2", 0)[:3, 3], [1.0, 2.0, 3.0])


def test_frames_without_end_do_not_fill_the_memory(monkeypatch) -> None:
    monkeypatch.setattr("m2vae_ros.robot.frames.MOST_FRAMES", 3)
    buffer = chain(HERE, HERE, HERE)
    with pytest.raises(ObservationError, match="3 frames are known already"):
        buffer.add(transform("0", "new"), is_static=True)
    buffer.add(transform("0", "3", (4.0, 0.0, 0.0, HERE[3])), is_static=True)
    assert buffer.transform("0", "3", 0)[0, 3] == 4.0


def test_where_time_begins_anew_only_what_stands_still_is_remembered() -> None:
    buffer = TransformBuffer()
    buffer.add(transform("base", "laser"), is_static=True)
    for seconds in (3, 5):
        buffer.add(transform("odom", "base", stamp=seconds * SECOND), is_static=False)
    assert buffer.knows("odom")
    buffer.begin_anew()
    assert not buffer.knows("odom")
    buffer.transform("base", "laser", 0)
    with pytest.raises(NoTransform):
        buffer.transform("odom", "base", 4 * SECOND)
    buffer.add(transform("odom", "base", stamp=SECOND), is_static=False)
    buffer.transform("odom", "laser", SECOND)
