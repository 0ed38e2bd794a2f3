# SPDX-License-Identifier: Apache-2.0
"""MNIST and Fashion-MNIST: read as they are, or refused with a reason; fetched where they lack."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from at_once import at_once
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from m2vae_ros.datasets import idx
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.datasets.mnist import FASHION_MNIST, MNIST, Images, Source

IMAGES = "t10k-images-idx3-ubyte"
LABELS = "t10k-labels-idx1-ubyte"


def as_idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def some(count: int = 5, seed: int = 0) -> Images:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
    return Images(images, rng.integers(0, 10, count))


def write(folder: Path, data: Images, images: str = IMAGES, labels: str = LABELS) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in ((images, as_idx(data.images)), (labels, as_idx(data.labels))):
        packed = gzip.compress(content) if name.endswith(".gz") else content
        (folder / name).write_bytes(packed)
    return folder


def same(one: Images, other: Images) -> bool:
    return np.array_equal(one.images, other.images) and np.array_equal(one.labels, other.labels)


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "mnist", some())


def the_data(source: Source) -> Path:
    """Where this machine has the original; a test is skipped where it has not."""
    for candidate in source.folders:
        if candidate.is_dir():
            return candidate
    pytest.skip(f"{source.title} is not on this machine")


# --- the originals --------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [MNIST, FASHION_MNIST], ids=lambda source: source.title)
def test_the_original_is_read(source):
    data = source.load(the_data(source))
    assert len(data) in (10_000, 60_000, 70_000)
    assert data.images.shape == (len(data), 28, 28)
    assert data.images.dtype == np.uint8
    assert data.labels.dtype == np.int64
    assert set(data.labels) == set(range(10))


def test_the_first_digits_of_the_test_part_are_7_2_1_0_4():
    data = MNIST.load(the_data(MNIST))[-10_000:]
    assert data.labels[:5].tolist() == [7, 2, 1, 0, 4]
    # a 1 has less ink than a 0
    assert data.images[data.labels == 1].mean() < 0.5 * data.images[data.labels == 0].mean()


def test_fashion_in_the_place_of_digits_is_noticed():
    with pytest.raises(
        DataError, match="ubyte.gz: not the original of MNIST, its checksum differs"
    ):
        MNIST.load(the_data(FASHION_MNIST))


def test_one_flipped_bit_in_an_unpacked_original_is_noticed(tmp_path):
    original = the_data(MNIST)
    for name in (IMAGES, LABELS):
        content = bytearray(idx.unpack(original / f"{name}.gz"))
        if name == IMAGES:
            content[4000] ^= 1
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{IMAGES}: not the original of MNIST"):
        MNIST.load(tmp_path)


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("spell", [str, lambda name: name.replace("-idx", ".idx")])
def test_every_spelling_of_the_files_is_read(tmp_path, packed, spell):
    write(tmp_path / "m", some(), spell(IMAGES) + packed, spell(LABELS) + packed)
    assert same(MNIST.load(tmp_path / "m"), some())


def test_training_and_testing_parts_are_joined_in_this_order(folder):
    train = some(3, seed=1)
    write(folder, train, "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    loaded = MNIST.load(folder)
    assert len(loaded) == 8
    assert same(loaded[:3], train)
    assert same(loaded[3:], some())


def test_what_a_model_takes_is_between_0_and_1():
    data = some(64)
    assert data.x.shape == (64, 784)
    assert data.x.dtype == np.float32
    assert data.x.min() == 0
    assert data.x.max() == 1


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0)))
def test_an_idx_file_comes_back_as_it_was(array):
    read = idx.parse(Path("any"), as_idx(array), array.ndim)
    assert read.shape == array.shape
    assert np.array_equal(read, array)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_of_a_file_longer_than_its_header_says_no_more_is_unpacked(tmp_path, suffix):
    path = tmp_path / f"bomb{suffix}"
    content = as_idx(np.zeros(10, np.uint8)) + bytes(2**28)
    path.write_bytes(gzip.compress(content) if suffix else content)
    with at_once(), pytest.raises(DataError, match="11 bytes of data, expected 10"):
        idx.parse(path, idx.unpack(path), 1)


def test_an_array_that_fits_no_machine_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(bytes([0, 0, 8, 3]) + b"\xff" * 12)
    with at_once(), pytest.raises(DataError, match="bomb: .* bytes of data, at most"):
        idx.unpack(path)


@given(st.binary(max_size=64), st.sampled_from([1, 3]))
def test_any_file_is_unpacked_as_far_as_it_matters(content, axes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any"
        path.write_bytes(content)
        try:
            whole = idx.parse(path, content, axes)
        except DataError:
            with pytest.raises(DataError):
                idx.parse(path, idx.unpack(path), axes)
        else:
            assert np.array_equal(idx.parse(path, idx.unpack(path), axes), whole)


@given(st.binary(max_size=64), st.sampled_from([1, 3]))
def test_any_bytes_are_read_or_refused(content, axes):
    try:
        assert as_idx(idx.parse(Path("any"), content, axes)) == content
    except DataError as error:
        assert str(error).startswith("any: ")


def cut(content: bytes) -> bytes:
    return content[:-1]


def prolong(content: bytes) -> bytes:
    return content + b"\0"


def cut_header(content: bytes) -> bytes:
    return content[:10]


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (cut, "3919 bytes of data, expected 3920 for (5, 28, 28)"),
        (prolong, "3921 bytes of data, expected 3920"),
        (cut_header, "cut off in its header"),
        (lambda _: b"", "magic number , expected 00000803"),
        (lambda content: b"\0\0\x0d\x03" + content[4:], "magic number 00000d03, expected 00000803"),
        (lambda content: b"<html>not found</html>", "magic number 3c68746d"),
    ],
)
def test_a_damaged_file_is_named_with_the_reason(folder, harm, reason):
    path = folder / IMAGES
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(DataError) as error:
        MNIST.load(folder)
    assert str(path) in str(error.value)
    assert reason in str(error.value)


@pytest.mark.parametrize("harm", [cut, lambda c: c[:40] + b"\xff" + c[41:], lambda _: b"no gzip"])
def test_a_damaged_packed_file_is_named(folder, harm):
    path = (folder / IMAGES).with_name(f"{IMAGES}.gz")
    path.write_bytes(harm(gzip.compress((folder / IMAGES).read_bytes())))
    (folder / IMAGES).unlink()
    with pytest.raises(DataError, match=f"{path}: "):
        MNIST.load(folder)


def test_labels_swapped_for_images_are_noticed(folder):
    (folder / IMAGES).write_bytes((folder / LABELS).read_bytes())
    with pytest.raises(DataError, match=f"{IMAGES}: magic number 00000801, expected 00000803"):
        MNIST.load(folder)


def test_images_and_labels_of_different_number_are_refused(folder):
    (folder / LABELS).write_bytes(as_idx(some(4).labels))
    with pytest.raises(DataError, match="mnist: t10k has 5 images, but 4 labels"):
        MNIST.load(folder)


def test_images_of_another_size_are_refused(folder):
    (folder / IMAGES).write_bytes(as_idx(np.zeros((5, 32, 32))))
    with pytest.raises(DataError, match=r"images of t10k are \(32, 32\), expected \(28, 28\)"):
        MNIST.load(folder)


def test_labels_beyond_9_are_refused(folder):
    (folder / LABELS).write_bytes(as_idx(np.array([0, 1, 2, 3, 10])))
    with pytest.raises(DataError, match="labels of t10k go up to 10"):
        MNIST.load(folder)


def test_a_missing_companion_is_named(folder):
    (folder / LABELS).unlink()
    with pytest.raises(DataError, match=rf"{LABELS} \(or .gz\) is missing"):
        MNIST.load(folder)


# --- finding and fetching -------------------------------------------------------------------------


@pytest.fixture
def lonely(tmp_path, monkeypatch):
    """MNIST on a machine that has it nowhere, with a web site of its own that is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv(MNIST.variable, raising=False)
    site = tmp_path / "site"
    site.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        yield replace(MNIST, folders=(tmp_path / "nowhere",), url=url)
        server.shutdown()


@pytest.fixture
def online(lonely, tmp_path):
    """The same with four small files on its web site, and their checksums published."""
    site = tmp_path / "site"
    write(site, some(), f"{IMAGES}.gz", f"{LABELS}.gz")
    write(site, some(3, seed=1), "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    digests = {p.stem: hashlib.md5(p.read_bytes()).hexdigest() for p in site.iterdir()}
    return replace(lonely, md5=digests)


def test_a_named_folder_comes_before_the_environment_and_both_before_the_rest(
    tmp_path, monkeypatch
):
    for number, name in enumerate(("named", "environment", "rest")):
        write(tmp_path / name, some(seed=number))
    source = replace(MNIST, folders=(tmp_path / "nowhere", tmp_path / "rest"))
    monkeypatch.delenv(MNIST.variable, raising=False)
    assert same(source.load(), some(seed=2))
    monkeypatch.setenv(MNIST.variable, str(tmp_path / "environment"))
    assert same(source.load(), some(seed=1))
    assert same(source.load(tmp_path / "named"), some(seed=0))


def test_a_named_folder_without_the_data_is_refused_even_if_it_is_elsewhere(tmp_path, folder):
    source = replace(MNIST, folders=(folder,))
    with pytest.raises(DataError, match="empty: no file of MNIST there"):
        source.load(tmp_path / "empty")


def test_what_is_nowhere_is_downloaded_once(online, tmp_path, capfd):
    loaded = online.load()
    assert "100%" in capfd.readouterr().err  # a progress bar
    assert same(loaded[3:], some())
    for path in (tmp_path / "site").iterdir():
        path.unlink()
    assert same(online.load(), loaded)
    cache = tmp_path / "cache/m2vae_ros/mnist"
    assert sorted(p.name for p in cache.iterdir()) == sorted(f"{name}.gz" for name in online.md5)


def test_a_damaged_download_is_fetched_again(online, tmp_path):
    path = online.find() / f"{IMAGES}.gz"
    path.write_bytes(cut(path.read_bytes()))
    assert same(online.load()[3:], some())


def test_a_download_with_another_checksum_is_refused_and_not_kept(online, tmp_path):
    (tmp_path / "site" / f"{LABELS}.gz").write_bytes(gzip.compress(as_idx(some(5, 9).labels)))
    with pytest.raises(DataError, match=f"(?s)MD5 hash.*{LABELS}.*does not match"):
        online.load()
    assert not list((tmp_path / "cache").glob(f"**/*{LABELS}*"))


def test_without_data_and_network_the_message_names_every_way_to_get_it(lonely):
    unreachable = replace(lonely, url="http://127.0.0.1:9/", hint="as root, apt-get install it")
    with pytest.raises(DataError) as error:
        unreachable.load()
    sentence = str(error.value)
    assert "MNIST is not on this machine" in sentence
    for way in ("M2VAE_MNIST", "apt-get install", "go online", "http://127.0.0.1:9/", IMAGES):
        assert way in sentence


def test_a_web_site_that_lost_the_files_is_named_too(lonely):
    with pytest.raises(DataError, match="404"):
        lonely.load()
