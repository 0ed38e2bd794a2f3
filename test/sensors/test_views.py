# SPDX-License-Identifier: Apache-2.0
"""The views: from raw readings to what the model takes."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.sensors import ObservationError, PlainError, Unit, View, view_of
from m2vae_ros.sensors.views.depth import DepthView
from m2vae_ros.sensors.views.image import ImageView
from m2vae_ros.sensors.views.image_band import ImageBandView
from m2vae_ros.sensors.views.intensities import IntensitiesView
from m2vae_ros.sensors.views.range import RangeView
from m2vae_ros.sensors.views.scan import ScanView
from m2vae_ros.sensors.views.vector import VectorView
from m2vae_ros.sensors.views.window import WindowView
from m2vae_ros.world.suite import AMIRO

URG = (math.radians(-120.0), math.radians(240.0 / 682))


def profile(angles: np.ndarray) -> np.ndarray:
    """A smooth wall with a relief, nearest straight ahead."""
    return 0.4 + 0.3 * np.sin(angles / 2.0) ** 2 + 0.01 * np.sin(3.0 * angles)


def relief(view: ScanView, ranges: np.ndarray) -> np.ndarray:
    return np.clip((ranges - np.sort(ranges)[:5].mean()) / view.depth, 0.0, 1.0)


def test_views_give_the_shapes_they_promise():
    camera = AMIRO["camera"].view(np.zeros((480, 640, 3), np.uint8))
    lidar = AMIRO["lidar"].view(np.full(683, np.inf), *URG)
    reflectance = AMIRO["reflectance"].view(np.zeros(8))
    for modality, result in zip(AMIRO, (camera, lidar, reflectance), strict=True):
        assert result.shape == AMIRO[modality].view.shape
        assert result.dtype == np.float32


def test_views_survive_their_card():
    for view in AMIRO.views.values():
        assert view_of(json.loads(json.dumps(view.to_card()))) == view


def test_whole_numbers_do_for_others():
    assert view_of({"kind": "scan", "beams": 90, "max_range": 3}) == ScanView(90, max_range=3.0)


@pytest.mark.parametrize(
    ("card", "named"),
    [
        ({"kind": "sonar"}, r"kind: 'sonar' is not one of image, image_band, "),
        ({"width": 64}, "kind: None"),
        ({"kind": ["image"]}, r"kind: \['image'\]"),
        ([1, 2], "not a table"),
        ({"kind": "image", "widht": 64}, "widht: no such field; there are width, height, colour"),
        ({"kind": "image", "width": 0}, "width: must be positive"),
        ({"kind": "image", "width": "wide"}, "width: expected int, got str"),
        ({"kind": "image", "width": 6.5}, "width: "),
        ({"kind": "image", "width": True}, "width: expected int, got bool"),
        ({"kind": "image", "colour": 1}, "colour: expected bool"),
        ({"kind": "image_band", "height": -3}, "height: "),
        ({"kind": "image_band", "elevation": [30.0, 15.0]}, "elevation: must rise"),
        ({"kind": "image_band", "elevation": [0.0, math.nan]}, "elevation: must rise"),
        ({"kind": "image_band", "elevation": [0.0]}, "elevation: "),
        ({"kind": "image_band", "horizontal_fov": 180.0}, "horizontal_fov: "),
        ({"kind": "depth", "max_depth": 0.0}, "max_depth: must be positive"),
        ({"kind": "depth", "max_depth": math.nan}, "max_depth: must be positive"),
        ({"kind": "scan", "beams": 1}, "beams: must be at least 2"),
        ({"kind": "scan", "half_angle": 0.0}, "half_angle: "),
        ({"kind": "scan", "max_range": math.inf}, "max_range: "),
        ({"kind": "scan", "depth": -1.0}, "depth: "),
        ({"kind": "intensities", "rays": 0}, "rays: "),
        ({"kind": "intensities", "max_intensity": 0.0}, "max_intensity: "),
        ({"kind": "point_cloud", "azimuth": [10.0, 10.0]}, "azimuth: must rise"),
        ({"kind": "point_cloud", "elevation": [-91.0, 0.0]}, "elevation: must rise"),
        ({"kind": "point_cloud", "max_range": math.inf}, "max_range: "),
        ({"kind": "range", "max_range": -1.0}, "max_range: "),
        ({"kind": "vector"}, "fields: is empty"),
        ({"kind": "vector", "fields": "x"}, "fields: "),
        ({"kind": "vector", "fields": [3]}, "fields"),
        ({"kind": "vector", "fields": ["a..b"]}, "fields: 'a..b' is no path"),
        ({"kind": "vector", "fields": ["__class__"]}, "fields: '__class__' is no path"),
        ({"kind": "vector", "fields": ["x", "x"]}, "fields: holds the same path twice"),
        ({"kind": "vector", "fields": ["x"], "size": -1}, "size: must not be negative"),
        ({"kind": "vector", "fields": ["x"], "scale": 0.0}, "scale: "),
        ({"kind": "vector", "fields": ["x"], "offset": math.nan}, "offset: must be finite"),
        ({"kind": "window", "fields": ["x"], "seconds": 0.0}, "seconds: must be positive"),
        ({"kind": "window", "fields": ["x"], "seconds": 0.1, "rate": 10}, "seconds: .* no two"),
        ({"kind": "window", "fields": ["x"], "seconds": 1e200, "rate": 1e200}, "seconds: "),
        ({"kind": "window", "fields": ["x"], "hop": math.inf}, "hop: "),
        ({"kind": "window", "fields": ["x"], "max_gap": 0.0}, "max_gap: "),
        ({"kind": "window", "fields": ["x"], "floor": 0.0}, "floor: "),
        ({"kind": "window", "fields": ["x"], "offset": -math.inf}, "offset: must be finite"),
    ],
)
def test_a_card_that_does_not_fit_names_the_field(card, named):
    with pytest.raises(PlainError, match=rf"^here[.:].*{named}"):
        view_of(card, "here")


# The camera


def test_the_camera_view_keeps_colours_and_their_columns():
    image = np.zeros((480, 640, 3), np.uint8)
    image[:, 320:] = (255, 51, 0)
    small = AMIRO["camera"].view(image)
    assert np.all(small[:, :, :32] == 0.0)
    assert np.allclose(small[:, :, 32:], np.array([1.0, 0.2, 0.0])[:, None, None])


@given(st.sampled_from([(480, 640), (800, 800), (240, 320), (720, 1280)]), st.floats(1.0, 14.0))
def test_the_camera_view_shows_the_same_elevations_at_every_resolution(size, elevation):
    height, width = size
    focal = width / 2 / math.tan(math.radians(40))
    image = np.zeros((height, width, 3), np.uint8)
    # Everything above that elevation is white.
    image[: round(height / 2 - focal * math.tan(math.radians(elevation)))] = 255
    view = ImageBandView()
    white = view(image)[0, :, 0].sum() / view.height
    tangent = math.tan(math.radians(view.elevation[1]))
    expected = (tangent - math.tan(math.radians(elevation))) / tangent
    assert white == pytest.approx(expected, abs=0.03)


def test_noise_of_pixels_is_averaged_away():
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal(100, 10, (480, 640, 3)), 0, 255).astype(np.uint8)
    assert AMIRO["camera"].view(image).std() * 255 < 2.0


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((480, 640), np.uint8), "image: shape"),
        (np.zeros((480, 640, 4), np.uint8), "image: shape"),
        (np.zeros((480, 640, 3), np.float32), "image: values of type float32"),
        (np.zeros((100, 640, 3), np.uint8), "image: 640×100 pixels"),
        (np.zeros((0, 0, 3), np.uint8), "image: 0×0 pixels"),
    ],
)
def test_an_image_that_does_not_fit_is_refused_with_the_reason(image, reason):
    with pytest.raises(ObservationError, match=reason):
        AMIRO["camera"].view(image)


# The LiDAR


def test_the_beams_of_the_urg_are_taken_as_they_are():
    view = AMIRO["lidar"].view
    ranges = np.random.default_rng(0).uniform(0.3, 0.44, 683)
    # Angles as a LaserScan carries them.
    angles = np.float32(URG[0]), np.float32(URG[1])
    assert np.allclose(view(ranges, *angles), relief(view, ranges[228:455]), atol=1e-6)


@given(
    beams=st.integers(180, 2000),
    first=st.floats(-math.pi, -0.75),
    last=st.floats(0.75, math.pi),
    clockwise=st.booleans(),
)
def test_a_scan_of_other_beams_agrees_with_the_continuous_profile(beams, first, last, clockwise):
    angles = np.linspace(first, last, beams)
    if clockwise:
        angles = angles[::-1]
    view = AMIRO["lidar"].view
    result = view(profile(angles), angles[0], angles[1] - angles[0])
    assert np.allclose(result, relief(view, profile(view.angles)), atol=5e-3)


@given(beams=st.integers(360, 1440), start=st.floats(-7.0, 7.0))
def test_a_full_turn_may_begin_anywhere(beams, start):
    step = 2 * math.pi / beams
    angles = start + step * np.arange(beams)
    ahead = np.arctan2(np.sin(angles), np.cos(angles))
    view = AMIRO["lidar"].view
    result = view(profile(ahead), start, step)
    # Behind the robot the profile has a jump, out of view.
    assert np.allclose(result, relief(view, profile(view.angles)), atol=5e-3)


@given(st.floats(0.2, 0.6), st.sampled_from([0.0, 0.1]))
def test_the_relief_of_an_object_does_not_depend_on_its_distance(nearest, moved):
    view = AMIRO["lidar"].view
    depths = np.abs(view.angles) * 0.1
    first = view(nearest + depths, view.angles[0], view.angles[1] - view.angles[0])
    second = view(nearest + moved + depths, view.angles[0], view.angles[1] - view.angles[0])
    assert np.allclose(first, second, atol=1e-5)


@pytest.mark.parametrize("nothing", [math.inf, math.nan, 0.9, -math.inf, 0.0])
def test_what_is_no_near_range_is_nothing_there(nothing):
    ranges = np.full(683, 0.4)
    ranges[:341] = nothing
    result = AMIRO["lidar"].view(ranges, *URG)
    assert np.all(result[:113] == 1.0)
    assert np.all(result[113:] == 0.0)


def test_between_an_object_and_nothing_there_is_no_third_thing():
    angles = np.linspace(-1.0, 1.0, 101)  # fewer beams than the view has
    ranges = np.where(np.abs(angles) < 0.3, 0.4, np.inf)
    result = AMIRO["lidar"].view(ranges, angles[0], angles[1] - angles[0])
    assert set(np.unique(result)) == {0.0, 1.0}


def test_an_empty_scan_is_nothing_there():
    assert np.all(AMIRO["lidar"].view(np.full(683, np.inf), *URG) == 1.0)


@pytest.mark.parametrize(
    ("ranges", "angles", "reason"),
    [
        (np.full(100, 0.4), (-0.35, 0.007), r"ranges: 100 beams .* do not cover"),
        (np.full(683, 0.4), (0.0, math.radians(0.35)), "ranges: 683 beams .* do not cover"),
        (np.full(683, np.nan), URG, "ranges: every value is NaN"),
        (np.array([]), URG, "ranges: shape"),
        (np.zeros((2, 683)), URG, "ranges: shape"),
        (np.full(683, 0.4), (math.nan, 0.007), "angle_min"),
        (np.full(683, 0.4), (-2.0, 0.0), "angle_increment"),
        (np.full(683, 0.4), (-2.0, math.inf), "angle_increment"),
    ],
)
def test_a_scan_that_does_not_fit_is_refused_with_the_reason(ranges, angles, reason):
    with pytest.raises(ObservationError, match=reason):
        AMIRO["lidar"].view(ranges, *angles)


@given(st.lists(st.floats(0.0, 1.2), min_size=2, max_size=50), st.floats(0.3, 2.0))
def test_without_a_depth_ranges_are_shares_of_the_largest(ranges, max_range):
    view = ScanView(beams=len(ranges), half_angle=0.5, max_range=max_range)
    result = view(np.array(ranges), -0.5, 1.0 / (len(ranges) - 1))
    expected = [r / max_range if 0.0 < r < max_range else 1.0 for r in ranges]
    np.testing.assert_allclose(result, expected, atol=1e-6)


# The ring of proximity sensors


@given(
    st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=20), st.floats(1e-3, 1e3)
)
def test_every_intensity_is_a_share(readings, strongest):
    result = IntensitiesView(len(readings), strongest)(readings)
    finite = np.nan_to_num(readings, nan=0.0, posinf=0.0, neginf=0.0)
    np.testing.assert_allclose(result, np.clip(finite / strongest, 0.0, 1.0), atol=1e-6)


def test_intensities_are_in_units_of_the_strongest():
    readings = [0.5, 4.0, -1.0, math.nan, math.inf, 0.0, 1.0, 2.0]
    result = IntensitiesView(max_intensity=2.0)(readings)
    assert np.allclose(result, [0.25, 1.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0])


@pytest.mark.parametrize(
    ("intensities", "reason"),
    [
        ([], "intensities: empty"),
        ([0.1] * 7, "intensities: 7 values, expected 8"),
        (np.zeros((8, 1)), "intensities: 8 values"),
        ([math.nan] * 8, "intensities: every value is NaN"),
    ],
)
def test_intensities_that_do_not_fit_are_refused_with_the_reason(intensities, reason):
    with pytest.raises(ObservationError, match=reason):
        AMIRO["reflectance"].view(intensities)


# Units


def own_numbers(view: View, values: np.ndarray) -> np.ndarray:
    return view.unit.offset + view.unit.scale * values


@given(st.floats(0.01, 1.0), st.floats(0.1, 20.0))
def test_values_lead_back_to_the_numbers_of_the_sensor(share, most):
    number = share * most
    read = RangeView(max_range=most).read(SimpleNamespace(range=number))
    assert own_numbers(RangeView(max_range=most), read) == pytest.approx([number], abs=1e-5)
    strengths = IntensitiesView(rays=2, max_intensity=most)
    assert own_numbers(strengths, strengths(np.full(2, number))) == pytest.approx(
        number, rel=1e-5, abs=1e-5
    )
    metres = DepthView(width=2, height=2, max_depth=most)
    read = metres(np.full((4, 4), number))
    assert own_numbers(metres, read) == pytest.approx(number, abs=1e-4)
    fields = VectorView(fields=("x",), offset=most, scale=2.0)
    read = fields.read(SimpleNamespace(x=number))
    assert own_numbers(fields, read) == pytest.approx([number], abs=1e-4)
    window = WindowView(fields=("x",), seconds=1.0, rate=4.0, offset=most, scale=0.5)
    assert own_numbers(window, window(np.full((1, 4), number))) == pytest.approx(number, abs=1e-4)


def test_pictures_scans_and_spectra_say_their_unit():
    picture = ImageView(width=2, height=2, colour=False)
    assert own_numbers(picture, picture(np.full((4, 4), 51, np.uint8))) == pytest.approx(51.0)
    assert (ScanView(max_range=0.8).unit, ScanView(max_range=0.8, depth=0.1).unit) == (
        Unit("m", 0.8),
        Unit("m", 0.1),
    )
    spectrum = WindowView(fields=("x",), seconds=1.0, rate=8.0, spectrum=True, floor=1e-3)
    signal = np.sin(np.arange(8.0))[None]
    power = np.abs(np.fft.rfft(signal * np.hanning(8))) ** 2 / 8
    assert own_numbers(spectrum, spectrum(signal)) == pytest.approx(
        np.log10(1.0 + power / 1e-3), abs=1e-5
    )
