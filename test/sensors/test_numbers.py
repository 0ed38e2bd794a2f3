# SPDX-License-Identifier: Apache-2.0
"""Views of numbers: ranges, vectors of fields, and windows of them over a time."""

from __future__ import annotations

import array
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.views.range import RangeView
from m2vae_ros.sensors.views.vector import VectorView
from m2vae_ros.sensors.views.window import WindowView

SECOND = 10**9
finite = st.floats(-1e6, 1e6)


# Ranges


@given(st.floats(0.0, 100.0), st.floats(0.01, 50.0))
def test_a_range_is_a_share_of_the_largest(distance, max_range) -> None:
    result = RangeView(max_range).read(SimpleNamespace(range=distance))
    assert result.shape == RangeView(max_range).shape == (1,)
    assert result.dtype == np.float32
    assert result[0] == pytest.approx(min(distance / max_range, 1.0))


@pytest.mark.parametrize(
    ("distance", "share"), [(math.inf, 1.0), (-math.inf, 0.0), (-0.1, 0.0), (1e300, 1.0)]
)
def test_too_near_is_near_and_too_far_is_far(distance, share) -> None:
    assert RangeView(2.0).read(SimpleNamespace(range=distance)) == share


def test_a_range_that_is_no_number_is_refused() -> None:
    with pytest.raises(ObservationError, match="range: is NaN"):
        RangeView().read(SimpleNamespace(range=math.nan))


# Vectors


def imu(*values: float) -> object:
    x, y, z = values
    return SimpleNamespace(
        linear_acceleration=SimpleNamespace(x=x, y=y, z=z),
        covariance=array.array("d", values),
        data=np.array(values, np.float32),
        name="base",
        count=7,
        on=True,
        level=b"\x02",
        texts=["1", "2", "3"],
        nested=[[1.0, 2.0], [3.0]],
        table=[[1.0, 2.0], [3.0, 4.0]],
        nothing=None,
        empty=array.array("d"),
    )


@given(st.tuples(finite, finite, finite), st.floats(-10, 10), st.floats(0.01, 100))
def test_numbers_are_shifted_scaled_and_in_the_order_of_the_fields(values, offset, scale) -> None:
    paths = ("linear_acceleration.z", "covariance", "linear_acceleration.x")
    view = VectorView(paths, size=5, offset=offset, scale=scale)
    result = view.read(imu(*values))
    x, y, z = values
    assert result.shape == view.shape == (5,)
    assert result.dtype == np.float32
    expected = (np.array([z, x, y, z, x]) - offset) / scale
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_whole_numbers_truths_and_bytes_are_numbers() -> None:
    result = VectorView(("count", "on", "level")).read(imu(1, 2, 3))
    np.testing.assert_array_equal(result, [7.0, 1.0, 2.0])


@pytest.mark.parametrize("size", [0, 2, 4])
def test_an_array_of_another_length_is_refused(size) -> None:
    expected = size or 1
    with pytest.raises(ObservationError, match=f"data: 3 values, expected {expected}"):
        VectorView(("data",), size=size).read(imu(1, 2, 3))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("angular", "angular: the message has no field 'angular'"),
        ("linear_acceleration.w", r"linear_acceleration\.w: the message has no field 'w'"),
        ("count.real.x", r"count\.real\.x: the message has no field 'x'"),
        ("name", "name: is a str, not a number"),
        ("linear_acceleration", "linear_acceleration: is a SimpleNamespace, not a number"),
        ("texts", "texts: is a list, not a number"),
        ("nested", "nested: is a list, not a number"),
        ("nothing", "nothing: is a NoneType, not a number"),
        ("table", r"table: shape \(2, 2\), expected a number or a list"),
        ("empty", "empty: 0 values, expected 1"),
    ],
)
def test_what_is_no_number_is_named(path, reason) -> None:
    with pytest.raises(ObservationError, match=reason):
        VectorView((path,)).read(imu(1, 2, 3))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("path", ["linear_acceleration.y", "covariance"])
def test_what_is_not_finite_is_named(path, value) -> None:
    for view in (VectorView((path,), size=3), WindowView((path,))):
        with pytest.raises(ObservationError, match=f"{path}: holds NaN or infinite"):
            view.stream()(imu(1, value, 3), 0)


# Windows


def windows(view: WindowView, stamps, signal) -> dict[int, np.ndarray]:
    """Stamp (ns) -> the window that ends there, of a message at each stamp."""
    stream, found = view.stream(), {}
    for stamp in stamps:
        message = SimpleNamespace(**{path: signal(stamp / SECOND) for path in view.fields})
        if (window := stream(message, stamp)) is not None:
            found[stamp] = window
    return found


def at(*seconds: float) -> list[int]:
    return [round(s * SECOND) for s in seconds]


def line(seconds: float) -> float:
    return 3.0 * seconds - 1.0


VIEW = WindowView(("x",), seconds=1.0, rate=10.0, hop=0.3, max_gap=0.2)


def test_one_message_makes_no_window() -> None:
    with pytest.raises(ObservationError, match="a window takes many messages"):
        VIEW.read(imu(1, 2, 3))
    assert windows(VIEW, at(0.0), line) == {}


@given(
    rate=st.sampled_from([10.0, 20.0, 50.0, 100.0]),
    start=st.integers(0, 10**18),
    offset=st.floats(-3, 3),
    scale=st.floats(0.1, 10.0),
)
def test_of_equally_spaced_messages_a_window_holds_their_values(rate, start, offset, scale) -> None:
    view = WindowView(("x",), 1.0, rate, hop=0.3, max_gap=0.2, offset=offset, scale=scale)
    stamps = [start + round(i * SECOND / rate) for i in range(int(3 * rate))]
    found = windows(view, stamps, lambda t: line(t - start / SECOND))
    assert min(found) == stamps[view.samples - 1]
    for stamp, window in found.items():
        assert window.shape == view.shape == (1, view.samples)
        assert window.dtype == np.float32
        last = (stamp - start) / SECOND
        times = last - view.span + np.arange(view.samples) / rate
        np.testing.assert_allclose(window[0], (line(times) - offset) / scale, atol=1e-2)


@given(
    gaps=st.lists(st.floats(0.001, 0.19), min_size=20, max_size=150),
    start=st.integers(0, 10**9),
)
def test_between_messages_that_come_as_they_like_values_are_interpolated(gaps, start) -> None:
    stamps = [start + round(t * SECOND) for t in np.cumsum(gaps)]
    found = windows(VIEW, stamps, line)
    whole = [stamp for stamp in stamps if stamp - stamps[0] >= VIEW.span * SECOND]
    assert bool(found) == bool(whole)
    for stamp, window in found.items():
        times = stamp / SECOND - VIEW.span + np.arange(VIEW.samples) / VIEW.rate
        np.testing.assert_allclose(window[0], line(times), atol=1e-4)
    # as often as the hop says, as nearly as messages come
    span = (stamps[-1] - stamps[0]) / SECOND - VIEW.span
    assert len(found) <= max(0.0, span / VIEW.hop + 1)
    assert len(found) >= span / VIEW.hop - 1


@given(hop=st.floats(0.01, 1.0), period=st.floats(0.02, 0.19))
def test_a_hop_is_kept_where_messages_come_often_enough_and_else_each_gives_a_window(
    hop, period
) -> None:
    view = WindowView(("x",), 1.0, 10.0, hop=hop, max_gap=0.2)
    stamps = at(*(i * period for i in range(round(5 / period))))
    found = sorted(windows(view, stamps, line))
    whole = [stamp for stamp in stamps if stamp >= view.span * SECOND]
    if hop <= period - 1e-6:
        assert found == whole
    else:
        steps = np.diff(found) / SECOND
        assert (steps >= hop - period - 1e-6).all()
        assert (steps <= hop + period + 1e-6).all()
        assert abs(len(found) - (whole[-1] - whole[0]) / SECOND / hop) <= 2


def test_a_gap_is_not_bridged_and_the_window_begins_anew_behind_it() -> None:
    before = [0.1 * i for i in range(15)]
    behind = [2.0 + 0.1 * i for i in range(15)]
    found = windows(VIEW, at(*before, *behind), line)
    assert not [stamp for stamp in found if at(1.41)[0] < stamp < at(2.9)[0]]
    assert min(stamp for stamp in found if stamp > at(1.5)[0]) == at(2.9)[0]


def test_a_gap_as_long_as_it_may_be_is_bridged() -> None:
    stamps = at(*(0.2 * i for i in range(12)))
    assert windows(VIEW, stamps, line)


@pytest.mark.parametrize("back", [0.05, 5.0, 9.0])
def test_where_time_goes_back_the_window_begins_anew(back) -> None:
    first = [10.0 + 0.1 * i for i in range(15)]
    again = [first[-1] - back + 0.1 * i for i in range(15)]
    stream = VIEW.stream()
    for seconds in first:
        stream(SimpleNamespace(x=1.0), *at(seconds))
    given = [stream(SimpleNamespace(x=2.0), *at(seconds)) for seconds in again]
    whole = [window for window in given if window is not None]
    assert all(window is None for window in given[:9])
    assert whole
    np.testing.assert_array_equal(whole, 2.0)  # nothing of the time before


@given(st.lists(st.integers(0, 3), min_size=30, max_size=60))
def test_messages_that_come_twice_make_no_difference(repeats) -> None:
    stamps = at(*(0.05 * i for i in range(len(repeats))))
    often = [stamp for stamp, n in zip(stamps, repeats, strict=True) for _ in range(n + 1)]
    once, more = (windows(VIEW, given, math.sin) for given in (stamps, often))
    assert list(once) == list(more)
    for stamp, window in once.items():
        np.testing.assert_array_equal(window, more[stamp])


@given(
    stamps=st.lists(st.integers(0, 5 * SECOND), max_size=100),
    spectrum=st.booleans(),
)
def test_whatever_the_stamps_are_a_window_is_whole_or_there_is_none(stamps, spectrum) -> None:
    view = WindowView(("x", "y"), 0.5, 20.0, 0.1, 0.3, spectrum)
    for window in windows(view, stamps, math.cos).values():
        assert window.shape == view.shape
        assert np.isfinite(window).all()


@pytest.mark.parametrize(("seconds", "rate"), [(1.0, 10.0), (2.5, 10.0), (0.7, 30.0)])
def test_a_spectrum_has_the_frequencies_from_zero_to_half_the_rate(seconds, rate) -> None:
    view = WindowView(("x", "y"), seconds, rate, spectrum=True)
    assert view.samples == round(seconds * rate)
    assert view.shape == (2, view.samples // 2 + 1)
    assert view(np.zeros((2, view.samples))).shape == view.shape


@given(
    cycles=st.integers(2, 22),
    phase=st.floats(0.0, 6.3),
    strength=st.floats(0.1, 10.0),
)
def test_the_spectrum_of_a_swing_peaks_at_its_frequency_whatever_its_phase(
    cycles, phase, strength
) -> None:
    view = WindowView(("x",), 5.0, 10.0, spectrum=True)
    times = np.arange(view.samples) / view.rate
    spectrum, shifted = (
        view(strength * np.sin(2 * np.pi * cycles / 5.0 * times + p)[None]) for p in (phase, 1.0)
    )
    assert spectrum[0].argmax() == cycles
    assert spectrum[0, cycles] == pytest.approx(shifted[0, cycles], abs=0.05)
    stronger = view(2 * strength * np.sin(2 * np.pi * cycles / 5.0 * times + phase)[None])
    assert stronger[0, cycles] > spectrum[0, cycles]


def test_the_spectrum_of_silence_is_nothing() -> None:
    view = WindowView(("x",), 5.0, 10.0, spectrum=True, offset=2.0)
    np.testing.assert_array_equal(view(np.full((1, view.samples), 2.0)), 0.0)


def test_a_message_that_does_not_fit_is_refused_and_the_window_goes_on() -> None:
    stream = VIEW.stream()
    found = []
    for index, stamp in enumerate(at(*(0.1 * i for i in range(12)))):
        if index == 4:
            with pytest.raises(ObservationError, match="x: holds NaN"):
                stream(SimpleNamespace(x=math.nan), stamp)
            continue
        found.append(stream(SimpleNamespace(x=1.0), stamp))
    assert any(window is not None for window in found)


def test_a_field_of_a_window_is_one_number() -> None:
    with pytest.raises(ObservationError, match="data: expected a number each"):
        WindowView(("data",)).stream()(imu(1, 2, 3), 0)


def test_two_streams_of_a_view_know_nothing_of_each_other() -> None:
    one, other = VIEW.stream(), VIEW.stream()
    for stamp in at(*(0.1 * i for i in range(9))):
        one(SimpleNamespace(x=1.0), stamp)
    assert other(SimpleNamespace(x=1.0), *at(0.9)) is None
    assert one(SimpleNamespace(x=1.0), *at(0.9)) is not None
