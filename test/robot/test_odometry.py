# SPDX-License-Identifier: Apache-2.0
"""Where a robot stood when it took a reading, and when nobody can say."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.robot.odometry import Moving, OdometryToCome, Standing, Track, Unplaced
from m2vae_ros.sensors.messages import Motion

times = st.one_of(st.integers(0, 10**19 // 2), st.integers(0, 10**8))
stamps = st.lists(times, min_size=1, max_size=30)


def track(*motions: Motion, **how) -> Track:
    made = Track(Standing(), **how)
    for motion in motions:
        made.add(motion)
    return made


def at(stamp: int, x: float = 0.0, speed: float = 0.0, turn: float = 0.0) -> Motion:
    return Motion(x, 0.0, 0.0, speed, turn, stamp)


@given(
    stamps=stamps,
    stamp=times,
    tolerance=st.floats(0.001, 1e9),
)
def test_a_pose_is_only_known_between_two_odometries_nearby_or_just_after_two(
    stamps: list[int], stamp: int, tolerance: float
) -> None:
    track = Track(Standing(tolerance))
    for known in stamps:  # in any order
        track.add(Motion(1.0, 2.0, 3.0, 0.0, 0.0, known))
    *_, earlier, before = [None, None, *sorted(s for s in set(stamps) if s <= stamp)]
    after = min((s for s in stamps if s > stamp), default=None)

    def near(one: int | None, other: int | None, seconds: float = tolerance) -> bool:
        return one is not None and other is not None and (other - one) / 1e9 <= seconds

    between = near(before, stamp) and near(stamp, after)
    just_after = near(before, stamp, min(0.02, tolerance)) and near(earlier, before)
    try:
        pose = track.at(stamp).pose
    except Unplaced as error:
        assert not between
        assert not just_after
        assert isinstance(error, OdometryToCome) == (before is not None and after is None)
    else:
        assert pose == (1.0, 2.0, 3.0)
        assert between or just_after


def test_just_after_odometry_none_of_later_is_waited_for() -> None:
    standing, driving = at(100_000_000), at(100_000_000, x=0.02, speed=0.3)
    assert track(at(0), standing).at(115_000_000) == standing
    with pytest.raises(Moving):
        track(at(0), driving).at(115_000_000)
    for known in (track(at(0), standing), track(at(0), driving)):
        with pytest.raises(OdometryToCome):
            known.at(125_000_000)


@given(
    start=st.tuples(*[st.floats(-10, 10)] * 2, st.floats(-7, 7)),
    distance=st.floats(0, 0.1),
    heading=st.floats(-4, 4),
    turn=st.floats(-0.1, 0.1),
    turns=st.integers(-1, 1),
)
def test_who_tells_no_speed_stands_if_both_poses_are_the_same(
    start: tuple[float, float, float], distance: float, heading: float, turn: float, turns: int
) -> None:
    x, y, yaw = start
    end = (
        x + distance * math.cos(heading),
        y + distance * math.sin(heading),
        yaw + turn + turns * math.tau,
    )
    made = track(Motion(*start, 0.0, 0.0, 0), Motion(*end, 0.0, 0.0, 50_000_000))
    # what is exactly at a limit may be rounded either way
    if abs(distance - 0.01) < 1e-9 or abs(abs(turn) - math.radians(1)) < 1e-9:
        return
    if distance < 0.01 and abs(turn) < math.radians(1):
        assert made.at(20_000_000).pose == start
    else:
        with pytest.raises(Moving):
            made.at(20_000_000)


@given(
    speed=st.floats(0, 0.5),
    turn=st.floats(-0.5, 0.5),
    rate=st.sampled_from([5, 20, 50, 1000]),
)
def test_who_reports_no_speed_stands_if_the_poses_say_so_at_any_rate(
    speed: float, turn: float, rate: int
) -> None:
    made = track()
    for i in range(rate + 2):  # a second
        t = i / rate
        made.add(Motion(speed * t, 0.0, turn * t, 0.0, 0.0, round(t * 1e9)))
    # what is exactly at a limit may be rounded either way
    if abs(speed - 0.05) < 1e-3 or abs(abs(turn) - math.radians(5)) < 1e-2:
        return
    if speed < 0.05 and abs(turn) < math.radians(5):
        made.at(10**9 - 1)
    else:
        with pytest.raises(Moving):
            made.at(10**9 - 1)


def test_who_reports_speeds_stands_as_soon_as_they_are_none() -> None:
    made = track(*(at(i * 10**7, x=i * 0.003, speed=0.3) for i in range(10)))
    made.add(at(10 * 10**7, x=0.03))
    made.add(at(11 * 10**7, x=0.03))
    assert made.at(11 * 10**7 + 1).pose[0] == 0.03


def test_noise_of_a_localisation_that_is_allowed_for_does_not_make_a_robot_move() -> None:
    rng = np.random.default_rng(0)
    poses = rng.uniform(-0.01, 0.01, (200, 2))
    for allowed in (0.01, 0.03):
        made = Track(Standing(position_noise=allowed))
        for i, (x, y) in enumerate(poses):
            made.add(Motion(x, y, 0.0, 0.0, 0.0, i * 10**8))
        stood = 0
        for i in range(10, 190):
            with suppress(Moving):
                made.at(i * 10**8 + 1)
                stood += 1
        assert stood == 180 if allowed == 0.03 else stood < 90


@pytest.mark.parametrize("fast", [{"speed": 0.06}, {"turn": 0.11}])
@pytest.mark.parametrize("first", [True, False])
def test_a_robot_that_tells_a_speed_moves_however_near_the_poses_are(fast, first) -> None:
    motions = [at(0), at(50_000_000, x=0.003, **fast)]
    if first:
        motions = [at(0, **fast), at(50_000_000, x=0.003)]
    with pytest.raises(Moving):
        track(*motions).at(20_000_000)


def test_of_equal_stamps_the_last_counts() -> None:
    assert track(at(0, x=5.0), at(0, x=1.0), at(9, x=1.0)).at(3).pose == (1.0, 0.0, 0.0)


def test_only_so_much_is_remembered() -> None:
    made = track(*(at(i * 10**8) for i in range(1000)), keep=2.0)
    assert made.at(998 * 10**8).pose
    with pytest.raises(Unplaced, match="no odometry before it"):
        made.at(970 * 10**8)
