# SPDX-License-Identifier: Apache-2.0
"""Pictures, raw and compressed, in colour and grey: one picture whatever it came as."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rosbags.image.image import ENCODINGMAP

from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.images import CONVERTERS, GREY_ENCODINGS, as_message, check, picture
from m2vae_ros.sensors.views import view_of
from m2vae_ros.sensors.views.depth import DepthView
from m2vae_ros.sensors.views.image import ImageView
from m2vae_ros.sensors.views.image_band import ImageBandView
from m2vae_ros.world.suite import AMIRO

COLOUR = sorted(set(ENCODINGMAP) - set(GREY_ENCODINGS))
COARSE = {"uyvy", "yuv422", "yuyv", "yuv422_yuy2", "nv12", "nv21"}
"""Whose colours are those of several pixels, or not quite any."""

by_converter = pytest.mark.parametrize("convert", CONVERTERS, ids=lambda f: f.__name__)


def flat(colour: tuple[int, int, int], encoding: str, size: tuple[int, int] = (8, 12)) -> object:
    """A message of one colour, of an encoding that rosbags-image knows."""
    height, width = size
    depth, _, kind, channels = ENCODINGMAP[encoding]
    red, green, blue = colour
    letters = {"r": red, "g": green, "b": blue, "a": 255}
    rgb = np.full((height, width, 3), colour, np.uint8)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    if encoding.startswith("mono"):
        pixels = grey[..., None]
    elif encoding.startswith("bayer"):
        tile = np.array([letters[c] for c in encoding[6:10]]).reshape(2, 2)
        pixels = np.tile(tile, (height // 2, width // 2))[..., None]
    elif encoding in COARSE:
        luma, u, v = cv2.cvtColor(rgb[:1, :1], cv2.COLOR_RGB2YUV)[0, 0].astype(float)
        luma, u, v = 16 + luma * 219 / 255, u, v
        pairs = {"u": (u, luma, v, luma), "y": (luma, u, luma, v)}
        if encoding.startswith("nv"):
            plane = np.full((height, width), luma)
            chroma = (u, v) if encoding == "nv12" else (v, u)
            below = np.tile(chroma, (height // 2, width // 2))
            pixels = np.concatenate([plane, below])[..., None]
        else:
            order = pairs["u" if encoding in ("uyvy", "yuv422") else "y"]
            pixels = np.tile(np.reshape(order, (2, 2)), (height, width // 2, 1))
    else:
        pixels = np.full((height, width, channels), [letters[c] for c in encoding[:channels]])
    if depth == 16:
        pixels = pixels.astype(np.uint16) * 257
    pixels = np.rint(pixels).astype(kind)
    return SimpleNamespace(
        height=len(pixels),
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=width * channels * depth // 8,
        data=np.frombuffer(pixels.tobytes(), np.uint8),
    )


def swapped(message: object) -> object:
    """The same picture, its values with the other byte order."""
    size = ENCODINGMAP[message.encoding][0] // 8
    data = message.data.reshape(-1, size)[:, ::-1].reshape(-1)
    return SimpleNamespace(**{**vars(message), "is_bigendian": 1, "data": data.copy()})


def padded(message: object, padding: int) -> object:
    """The same picture, with bytes of no meaning behind each row."""
    rows = message.data.reshape(message.height, message.step)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    fields = {"step": message.step + padding, "data": rows.reshape(-1)}
    return SimpleNamespace(**{**vars(message), **fields})


colours = st.tuples(*[st.integers(40, 215)] * 3)


@by_converter
@pytest.mark.parametrize("encoding", COLOUR)
@given(colour=colours, padding=st.integers(0, 3), big=st.booleans())
def test_every_encoding_of_colours_gives_the_same_picture(
    convert, encoding, colour, padding, big
) -> None:
    message = flat(colour, encoding)
    message = padded(swapped(message) if big else message, padding)
    check(message)
    result = convert(message, "rgb8")
    assert result.shape == (8, 12, 3)
    off = np.abs(result.astype(int) - colour).max()
    if encoding not in COARSE:
        assert off <= 1  # 16 bits are cut to 8
    elif np.ptp(colour) == 0:
        assert off <= 3


@by_converter
@pytest.mark.parametrize("encoding", sorted(ENCODINGMAP))
@given(level=st.integers(20, 235), big=st.booleans())
def test_every_encoding_gives_the_same_grey(convert, encoding, level, big) -> None:
    message = flat((level,) * 3, encoding)
    result = convert(swapped(message) if big else message, "mono8")
    assert result.shape == (8, 12)
    # of YUV the luma is grey as it is, from 16 to 235
    expected = 16 + level * 219 / 255 if encoding in COARSE else level
    assert np.abs(result - expected).max() <= 1


@pytest.mark.parametrize("encoding", ["8UC3", "8UC1", "16UC1", "16UC3"])
def test_encodings_without_names_of_colours_are_taken_in_their_order(encoding) -> None:
    named = {"8UC3": "rgb8", "8UC1": "mono8", "16UC1": "mono16", "16UC3": "rgb16"}[encoding]
    wanted = "mono8" if encoding.endswith("1") else "rgb8"
    message = flat((200, 100, 50), named)
    expected = picture(message, wanted)
    message.encoding = encoding
    np.testing.assert_array_equal(picture(message, wanted), expected)


@pytest.mark.parametrize("encoding", GREY_ENCODINGS)
def test_what_has_no_colour_is_refused_by_name_where_colour_is_needed(encoding) -> None:
    message = raw(encoding=encoding, step=8, data=np.zeros(16, np.uint8))
    with pytest.raises(ObservationError, match=f"encoding: {encoding} has no colour"):
        picture(message)


@pytest.mark.parametrize("encoding", ["32FC1", "64FC1", "8SC1", "16SC1", "32SC1"])
def test_what_is_no_brightness_is_refused_by_name(encoding) -> None:
    message = raw(encoding=encoding, step=16, data=np.zeros(32, np.uint8))
    with pytest.raises(ObservationError, match=f"encoding: {encoding} has no brightness"):
        picture(message, "mono8")


@pytest.mark.parametrize("wanted", ["rgb8", "mono8"])
def test_who_looks_at_a_picture_of_numbers_is_told_of_the_view_that_reads_them(wanted) -> None:
    celsius = np.full((4, 4), 21.0, np.float32)
    data = celsius.view(np.uint8).reshape(-1)
    message = raw(encoding="32FC1", width=4, height=4, step=16, data=data)
    with pytest.raises(ObservationError, match="the view depth reads its numbers"):
        picture(message, wanted)
    np.testing.assert_allclose(DepthView(2, 2, max_depth=42.0).read(message), 0.5)


def raw(**fields) -> object:
    """A message of 2 × 2 rgb8 pixels, with some fields replaced."""
    whole = {"height": 2, "width": 2, "encoding": "rgb8", "step": 6, "is_bigendian": 0}
    return SimpleNamespace(**{**whole, "data": np.zeros(12, np.uint8), **fields})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"height": 0, "data": b""}, "width, height: 2×0 is no image"),
        ({"width": 0}, "width, height: 0×2"),
        ({"data": np.zeros(11, np.uint8)}, "data: 11 bytes, but step 6 × height 2 are 12"),
        ({"width": 3}, "step: 6 bytes, but 3 pixels of rgb8 need 9"),
        ({"height": 2**31, "data": b""}, "data: 0 bytes, but"),
        ({"encoding": "h264"}, "encoding: 'h264' is not known"),
        ({"encoding": ""}, "encoding: ''"),
        ({"encoding": "8UC0"}, "encoding: '8UC0'"),
        ({"encoding": "8UC2"}, "encoding: '8UC2'"),
        ({"encoding": f"8UC{10**9}"}, "step: 6 bytes"),
        ({"encoding": "nv12", "width": 3, "step": 6}, "encoding: 'nv12'"),
    ],
)
@pytest.mark.parametrize("view", [ImageView(), ImageView(colour=False), ImageBandView()])
def test_a_raw_message_that_does_not_fit_names_the_field(fields, reason, view) -> None:
    with pytest.raises(ObservationError, match=reason):
        view.read(raw(**fields))


@given(
    seed=st.integers(0, 2**31),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    small=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    colour=st.booleans(),
)
def test_the_image_view_keeps_the_mean_of_each_channel(seed, size, small, colour) -> None:
    height, width = (n * m for n, m in zip(size, small, strict=True))
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    view = ImageView(small[1], small[0], colour)
    result = view.read(as_message(image))
    assert result.shape == view.shape == (3 if colour else 1, *small)
    assert result.dtype == np.float32
    channels = image if colour else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    means = channels.reshape(-1, view.shape[0]).mean(0) / 255.0
    np.testing.assert_allclose(result.mean((1, 2)), means, atol=2.5 / 255)
    stored = view.pack(result)
    assert stored.dtype == np.uint8
    np.testing.assert_allclose(view.unpack(stored), result, atol=0.51 / 255)


@given(width=st.integers(20, 200), share=st.floats(0.75, 2.0), low=st.floats(-10, 10))
def test_the_band_is_of_the_same_rows_in_a_raw_and_a_compressed_image(width, share, low) -> None:
    height = int(width * share)
    image = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    view = ImageBandView(8, 4, elevation=(low, low + 8.0))
    top, bottom = view.rows(height, width)
    reduced = ImageView(8, 4)(image[top:bottom])
    np.testing.assert_array_equal(view.read(as_message(image)), reduced)
    np.testing.assert_array_equal(view.read(compressed(image, ".png")), reduced)


@by_converter
@pytest.mark.parametrize("encoding", COLOUR)
def test_a_band_is_cut_before_it_is_converted_and_is_the_same(
    convert, encoding, monkeypatch
) -> None:
    monkeypatch.setattr("m2vae_ros.sensors.images.CONVERTERS", (convert,))
    message = flat((1, 2, 3), encoding)
    noise = np.random.default_rng(0).integers(0, 256, message.data.size, dtype=np.uint8)
    message.data = noise
    shown = picture(message)
    for padding in (0, 4):
        band = picture(padded(message, padding), band=lambda height, width: (2, height - 2))
        np.testing.assert_array_equal(band, shown[2:-2])


def compressed(image: np.ndarray, suffix: str) -> object:
    """A CompressedImage of red, green and blue, or of grey."""
    written = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    _, data = cv2.imencode(suffix, written)
    return SimpleNamespace(format=suffix[1:], data=data)


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
@pytest.mark.parametrize("bits", [8, 16])
@given(seed=st.integers(0, 2**31))
def test_a_compressed_picture_is_the_one_that_was_compressed(suffix, bits, seed) -> None:
    if (suffix, bits) == (".bmp", 16):
        return
    image = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    written = image if bits == 8 else image.astype(np.uint16) * 257
    np.testing.assert_array_equal(picture(compressed(written, suffix)), image)
    grey = picture(compressed(written, suffix), "mono8")
    expected = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    np.testing.assert_allclose(grey.astype(int), expected.astype(int), atol=1)


def test_a_jpeg_is_nearly_the_picture_and_grey_ones_have_equal_colours() -> None:
    image = np.full((48, 64, 3), (200, 100, 50), np.uint8)
    np.testing.assert_allclose(picture(compressed(image, ".jpg")), image, atol=3)
    grey = picture(compressed(image[..., 0], ".jpg"))
    assert grey.shape == (48, 64, 3)
    np.testing.assert_allclose(grey, 200, atol=1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "data: is empty"),
        (b"no image", r"data: not an image \('jpeg'\)"),
        (cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes()[:40], "data: "),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "data: "),
    ],
)
def test_compressed_data_that_are_no_image_are_named(data, reason) -> None:
    with pytest.raises(ObservationError, match=reason):
        ImageView().read(SimpleNamespace(format="jpeg", data=data))


@given(st.binary(max_size=60), st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"]))
def test_any_bytes_are_an_image_or_an_error_that_names_them(data, begin) -> None:
    try:
        result = ImageView(4, 4).read(SimpleNamespace(format="", data=begin + data))
    except ObservationError as error:
        assert str(error).startswith("data: ")
    else:
        assert result.shape == (3, 4, 4)


def png_that_says(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says how large it is, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    begin = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + begin + chunk(b"IEND", b"")


READ = """
import resource, sys
from types import SimpleNamespace
from m2vae_ros.{room} import {module}
from m2vae_ros.sensors import ObservationError
from m2vae_ros.sensors.views.image import ImageView
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    ImageView(4, 4).read(SimpleNamespace(format="png", data=sys.stdin.buffer.read()))
except ObservationError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(("room", "module"), [("sensors", "images"), ("world", "noise")])
def test_an_image_that_would_unpack_to_gigabytes_is_refused_before_memory_is_taken(
    room, module, monkeypatch
) -> None:
    monkeypatch.delenv("OPENCV_IO_MAX_IMAGE_PIXELS", raising=False)
    done = subprocess.run(
        [sys.executable, "-c", READ.format(room=room, module=module)],
        input=png_that_says(30_000, 30_000),
        capture_output=True,
        check=True,
    )
    said, taken = done.stdout.decode().rsplit("\n", 2)[:2]
    assert said.startswith("data: ")
    assert int(taken) < 100_000  # kilobytes; three gigabytes are what it would unpack to


def test_whoever_has_larger_images_may_say_so(monkeypatch) -> None:
    monkeypatch.setenv("OPENCV_IO_MAX_IMAGE_PIXELS", "100")
    _, data = cv2.imencode(".png", np.zeros((11, 11, 3), np.uint8))
    done = subprocess.run(
        [sys.executable, "-c", READ.format(room="sensors", module="images")],
        input=data.tobytes(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.startswith(b"data: ")


def test_the_views_of_the_robots_read_what_the_simulator_gives() -> None:
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    view = AMIRO["camera"].view
    np.testing.assert_array_equal(view.read(as_message(image)), view(image))


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({"kind": "image", "colour": True}, (48, 64, 3)),
        ({"kind": "image", "colour": False}, (48, 64)),
        ({"kind": "image_band"}, (16, 64, 3)),
        ({"kind": "depth"}, (48, 64)),
        ({"kind": "point_cloud"}, (16, 64)),
    ],
)
def test_what_a_view_gives_can_be_looked_at(fields, shape) -> None:
    view = view_of(fields)
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    planes = np.atleast_3d(picture).transpose(2, 0, 1) / np.float32(255.0)
    assert planes.shape == view.shape
    np.testing.assert_array_equal(view.picture(planes), picture)
    beyond = view.picture(planes * 3.0 - 1.0)  # as a decoder may give it
    assert (beyond.min(), beyond.max()) == (0, 255)
