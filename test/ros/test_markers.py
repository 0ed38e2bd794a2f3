# SPDX-License-Identifier: Apache-2.0
"""Objects and fields of view as markers."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from fusion_team import embedding
from hypothesis import given
from hypothesis import strategies as st
from visualization_msgs.msg import Marker

from m2vae_ros.fusion.belief import Belief
from m2vae_ros.ros.markers import PALETTE, UNKNOWN, MarkerIds, colour, marker_array
from m2vae_ros.sensors.sensing_range import SensingRange

ATTRIBUTES = {"class": ("box", "ball")}

# From linear red, green and blue to what who lacks one kind of cones sees: Machado, Oliveira and
# Fernandes (2009), severity 1.0.
SIGHT = {
    "all cones": np.eye(3),
    "no long ones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no middle ones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no short ones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def belief(name: str = "pillar", probabilities=(0.9, 0.1), **fields) -> Belief:
    return Belief(embedding(object_id=name, **fields), np.array(probabilities))


def array(objects, attributes=ATTRIBUTES, ranges=None, frame="base", **how):
    frames, ranges = dict.fromkeys(ranges or {}, frame), ranges or {}
    return marker_array("amiro1", "map", objects, attributes, 0.2, frames, ranges, **how)


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_of_classes_are_told_apart_however_one_sees(sight: str) -> None:
    digits = [colour(index) for index in (*range(len(PALETTE)), None)]
    values = np.array([[one.r, one.g, one.b] for one in digits])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SIGHT[sight]).T, 0.0, 1.0)
    encoded = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = cv2.cvtColor(encoded[None].astype(np.float32), cv2.COLOR_RGB2LAB)[0]
    apart = min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2))
    assert apart > 15.0  # about 2.3 is a just noticeable difference


def test_there_is_a_colour_for_every_class_however_many_there_are() -> None:
    assert colour(len(PALETTE)) == colour(0) != colour(1)
    assert UNKNOWN not in PALETTE


@given(st.lists(st.sets(st.sampled_from("abcdef")), max_size=12))
def test_an_object_keeps_its_number_and_shares_it_with_none(history: list[set[str]]) -> None:
    ids = MarkerIds()
    before: dict[str, int] = {}
    for held in history:
        assigned = ids.assign([belief(name) for name in sorted(held)])
        now = {one.embedding.object_id: i for i, one in enumerate(assigned) if one is not None}
        assert now.keys() == held
        assert all(now[name] == before[name] for name in now.keys() & before.keys())
        before = now
    assert len(ids.assign([])) <= max(map(len, history), default=0)  # numbers are used again


@given(st.lists(st.sets(st.sampled_from("abcd")), min_size=1, max_size=8), st.data())
def test_one_array_shows_everything_whatever_was_missed(history: list[set[str]], data) -> None:
    ids = MarkerIds()
    viewer: dict[tuple[str, int], str] = {}
    for index, held in enumerate(history):
        made = array(ids.assign([belief(name) for name in sorted(held)]))
        if index < len(history) - 1 and data.draw(st.booleans()):
            continue  # this one got lost
        for marker in made.markers:
            if marker.action == Marker.DELETE:
                viewer.pop((marker.ns, marker.id), None)
            else:
                viewer[marker.ns, marker.id] = marker.text
    assert len(viewer) == 2 * len(history[-1])


def test_the_surer_the_less_one_sees_through() -> None:
    chances = [(0.5, 0.5), (0.7, 0.3), (0.9, 0.1), (1.0, 0.0)]
    balls = [array([belief(probabilities=p)]).markers[0] for p in chances]
    assert [ball.color.a for ball in balls] == sorted({ball.color.a for ball in balls})
    assert balls[0].color.a == pytest.approx(0.25)
    assert balls[-1].color.a == 1.0
    assert {(b.color.r, b.color.g, b.color.b) for b in balls} == {
        (c.r, c.g, c.b) for c in [colour(0)]
    }


def test_a_label_says_what_is_known_how_likely_a_class_is_and_what_was_sensed() -> None:
    held = belief(probabilities=(0.126, 0.874), held={"camera": 1, "lidar": 2})
    ball, label = array([held]).markers
    assert label.text == "ball, 87 %\ncamera, lidar"
    assert label.pose.position.z > ball.pose.position.z + 0.1
    nothing = array([belief(probabilities=())], attributes={})
    assert nothing.markers[1].text == "pillar\ncamera"
    partly = belief(probabilities=(0.5, 0.48, 0.01, 0.01))
    two = {"colour": ("red", "green"), "shape": ("box", "ball")}
    assert array([partly], attributes=two).markers[1].text == "red · ?\ncamera"


def test_what_is_none_of_the_classes_has_neither_the_colour_nor_the_name_of_one() -> None:
    ball, label = array([belief(strange={"camera"})]).markers
    assert (ball.color.r, ball.color.a) == (colour(None).r, 1.0)
    assert label.text == "unknown\ncamera"


def test_a_field_of_view_is_where_a_sensor_looks_at_objects() -> None:
    limits = SensingRange(0.4, 0.6, 0.3)
    (view,) = array([], ranges={"lidar": limits, "imu": None}).markers
    assert (view.ns, view.header.frame_id, view.frame_locked) == (
        "amiro1/view of lidar",
        "base",
        True,
    )
    points = np.array([[p.x, p.y] for p in view.points])
    np.testing.assert_array_equal(points[0], points[-1])  # it is closed
    distances, bearings = np.hypot(*points.T), np.arctan2(points[:, 1], points[:, 0])
    assert set(distances.round(6)) == {0.4, 0.6}
    assert (bearings.min(), bearings.max()) == (pytest.approx(-0.3), pytest.approx(0.3))
    (gone,) = array([], ranges={"lidar": limits}, frame="").markers
    assert (gone.ns, gone.id, gone.action) == (view.ns, view.id, Marker.DELETE)


def test_what_an_earlier_process_left_goes_first_and_by_the_robots_own_namespaces() -> None:
    made = array([belief()], ranges={"lidar": SensingRange(0.0, 1.0)}, anew=True).markers
    cleared = [marker.ns for marker in made if marker.action == Marker.DELETEALL]
    assert made[: len(cleared)] == [m for m in made if m.action == Marker.DELETEALL]
    assert set(cleared) == {marker.ns for marker in made if marker.action == Marker.ADD}
    assert all(name.startswith("amiro1/") for name in cleared)
