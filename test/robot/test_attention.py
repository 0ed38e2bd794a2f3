# SPDX-License-Identifier: Apache-2.0
"""Which object a robot looks at, against scans and views that geometry gives exactly."""

import math

import numpy as np
import pytest
from fusion_team import embedding, patient
from hypothesis import assume, given
from hypothesis import strategies as st

from m2vae_ros.robot.attention import ScanAttention, point_ahead
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.sensing_range import nearest_in_view

ANGLE_MIN, INCREMENT, BEAMS = math.radians(-120), math.radians(240) / 682, 683


def scan(circles=(), wall=math.inf, angle_min=ANGLE_MIN, increment=INCREMENT, beams=BEAMS):
    """Exact ranges to circles (bearing, distance of the centre, radius) before a straight wall."""
    angles = angle_min + increment * np.arange(beams)
    with np.errstate(divide="ignore"):
        ranges = np.where(np.cos(angles) > 1e-6, wall / np.cos(angles), np.inf)
    for bearing, distance, radius in circles:
        off = angles - bearing
        discriminant = radius**2 - (distance * np.sin(off)) ** 2
        hit = (discriminant >= 0) & (np.cos(off) > 0)
        surface = distance * np.cos(off) - np.sqrt(np.where(hit, discriminant, 0))
        ranges = np.where(hit, np.minimum(ranges, surface), ranges)
    return ranges, angle_min, increment


poses = st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(-10, 10))
bearings = st.floats(-0.6, 0.6)
distances = st.floats(0.3, 1.0)


def at(pose, bearing, distance):
    return point_ahead((pose[0], pose[1], pose[2] + bearing), distance)


@given(poses, bearings, distances, st.floats(0.04, 0.15), st.sampled_from([2.5, math.inf]))
@patient
def test_the_middle_of_a_round_object_is_found(pose, bearing, distance, radius, wall):
    found = ScanAttention(radius=radius)(pose, *scan([(bearing, distance, radius)], wall))
    assert math.dist(found, at(pose, bearing, distance)) < 0.02


@given(poses, bearings, distances, st.integers(0, 2**32 - 1))
@patient
def test_it_is_found_in_noise_and_with_some_beams_lost(pose, bearing, distance, seed):
    random = np.random.default_rng(seed)
    ranges, *angles = scan([(bearing, distance, 0.1)], 2.5)
    ranges = ranges + random.normal(scale=0.005, size=ranges.shape)
    ranges[random.random(ranges.shape) < 0.02] = random.choice([np.nan, np.inf, 0.0, -1.0])
    found = ScanAttention()(pose, ranges, *angles)
    assert math.dist(found, at(pose, bearing, distance)) < 0.05


sides = st.floats(0.45, 0.6)


@given(sides, sides, st.sampled_from([-1, 1]), distances, distances)
@patient
def test_of_two_objects_the_one_closer_to_straight_ahead_is_looked_at(one, other, side, near, far):
    assume(abs(one - other) > 0.02)
    one, other = side * one, -side * other
    found = ScanAttention()((0, 0, 0), *scan([(one, near, 0.1), (other, far, 0.1)]))
    ahead = (one, near) if abs(one) < abs(other) else (other, far)
    assert math.dist(found, at((0, 0, 0), *ahead)) < 0.02


@given(distances, st.sampled_from([-1, 1]), st.integers(0, 359))
@patient
def test_the_way_the_scanner_turns_and_where_it_begins_do_not_matter(distance, sense, first):
    increment = sense * math.radians(1 / 3)
    turn = scan([(0.2, distance, 0.1)], math.inf, math.radians(first), increment, 1080)
    found = ScanAttention()((0, 0, 0), *turn)
    assert math.dist(found, at((0, 0, 0), 0.2, distance)) < 0.03


@pytest.mark.parametrize(
    "ranges",
    [
        scan(),
        scan(wall=0.7),
        scan([(0.0, 1.5, 0.1)]),
        scan([(1.0, 0.6, 0.1)]),
        ([math.nan] * BEAMS, ANGLE_MIN, INCREMENT),
        ([0.0] * BEAMS, ANGLE_MIN, INCREMENT),
        ([], ANGLE_MIN, INCREMENT),
        ([math.inf, 0.5, math.inf], -0.01, 0.01),
    ],
    ids=["nothing", "a wall", "too far", "aside", "NaN", "zeros", "no beams", "a speckle"],
)
def test_nothing_is_looked_at_where_no_object_is(ranges):
    assert ScanAttention()((0, 0, 0), *ranges) is None


@pytest.mark.parametrize(
    ("pose", "angle_min", "increment"),
    [
        ((math.nan, 0, 0), ANGLE_MIN, INCREMENT),
        ((0, 0, 0), math.inf, INCREMENT),
        ((0, 0, 0), ANGLE_MIN, math.nan),
        ((0, 0, 0), ANGLE_MIN, 0.0),
    ],
)
def test_angles_that_are_no_directions_are_refused(pose, angle_min, increment):
    with pytest.raises(ObservationError, match="angle_increment"):
        ScanAttention()(pose, [1.0] * BEAMS, angle_min, increment)


@pytest.mark.parametrize(
    "field",
    ["max_distance", "max_bearing", "jump", "radius", "max_width", "min_beams", "lost_beams"],
)
@pytest.mark.parametrize("value", [-1, math.nan])
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        ScanAttention(**{field: value})


objects = st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), max_size=6, unique=True).map(
    lambda ps: [embedding(object_id=str(i), position=(*p, 0.0)) for i, p in enumerate(ps)]
)


@given(poses, objects, st.floats(0.1, 5), st.floats(0.1, 3))
@patient
def test_the_nearest_object_in_view_is_looked_at(pose, objects, max_distance, max_bearing):
    found = nearest_in_view(pose, objects, max_distance, max_bearing)

    def distance(e):
        return math.dist(e.position[:2], pose[:2])

    def bearing(e):
        dx, dy = e.position[0] - pose[0], e.position[1] - pose[1]
        ahead = dx * math.cos(pose[2]) + dy * math.sin(pose[2])
        return math.acos(max(-1.0, min(1.0, ahead / (distance(e) or 1.0))))

    assume(all(abs(bearing(e) - max_bearing) > 1e-6 for e in objects))
    visible = [e for e in objects if distance(e) <= max_distance and bearing(e) <= max_bearing]
    assert found is (min(visible, key=distance) if visible else None) or (
        distance(found) == min(map(distance, visible))
    )


def test_a_pose_that_is_no_number_sees_nothing():
    assert nearest_in_view((math.nan, 0, 0), [embedding()], 100, 3) is None


@pytest.mark.parametrize(
    ("ranges", "clear"),
    [
        (np.full(181, 3.0), True),
        (np.full(181, np.inf), True),
        (np.full(181, np.nan), False),
        (np.full(181, 0.0), False),
        (np.full(181, -np.inf), False),
        (np.full(181, 0.5), False),  # something in front of it
        (np.full(181, 1.05), False),  # it, or something as far away
        (np.where(np.arange(181) == 90, 1.0, 3.0), False),
        (np.where(np.arange(181) < 80, 0.5, 3.0), True),  # beside it
        (np.full(3, 3.0), False),  # too few beams towards it
    ],
)
def test_a_place_is_empty_if_every_beam_goes_past_it(ranges, clear):
    step = math.pi / 180
    shown = ScanAttention().shows_nothing((1.0, 0.0, 0.0), ranges, -90 * step, step)
    assert shown is clear
