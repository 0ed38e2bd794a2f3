# SPDX-License-Identifier: Apache-2.0
"""Samples of suites: what is loaded is what was saved, or a clear error; parts are apart."""

import json
import zipfile

import numpy as np
import pytest
from at_once import at_once
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_samples import random_samples

from m2vae_ros.datasets.samples import DataError, Samples
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.world.suite import AMIRO


def samples(count: int = 6, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    return random_samples(rng, rng.integers(0, 8, count))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "samples.npz"
    samples().save(path)
    return path


def test_saved_samples_come_back(saved):
    loaded, original = Samples.load(saved), samples()
    assert loaded.digest() == original.digest()
    for name in AMIRO:
        assert np.array_equal(loaded.packed[name], original.packed[name])
    assert np.array_equal(loaded.attributes, original.attributes)


def test_the_same_samples_are_the_same_file(saved, tmp_path):
    samples().save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == saved.read_bytes()


def test_saving_replaces_a_file_and_leaves_nothing_else(saved):
    samples(seed=1).save(saved)
    assert Samples.load(saved).digest() == samples(seed=1).digest()
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("name", ["samples", "samples.data", ".npz"])
def test_the_file_has_the_name_it_was_given_whatever_that_ends_on(name, tmp_path):
    samples().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == [tmp_path / name]
    assert Samples.load(tmp_path / name).digest() == samples().digest()


def test_labels_name_the_classes():
    some = samples(64)
    words = [
        f"{('red', 'green')[colour]} {('cylinder', 'box')[shape]} {('mat', 'shiny')[material]}"
        for colour, shape, material in some.attributes
    ]
    assert [AMIRO.classes[label] for label in some.labels] == words


def test_observations_are_what_the_model_takes():
    some = samples()
    for modality, shape in (("camera", (3, 16, 64)), ("lidar", (227,)), ("reflectance", (8,))):
        values = some.observations(modality)
        assert values.shape == (len(some), *shape)
        assert values.dtype == np.float32
        assert values.min() >= 0.0
        assert values.max() <= 1.0
    with pytest.raises(DataError, match="'sonar'"):
        some.observations("sonar")


@pytest.mark.parametrize("index", [slice(1, 4), np.array([5, 0]), np.arange(6) % 2 == 0])
def test_some_of_the_samples_are_samples(index):
    some = samples()
    assert np.array_equal(some[index].packed["lidar"], some.packed["lidar"][index])
    assert np.array_equal(some[index].labels, some.labels[index])


@given(count=st.integers(0, 40), most=st.integers(1, 40), seed=st.integers(0, 99))
def test_drawn_are_all_or_as_many_as_may_be_each_once_and_in_order(count, most, seed):
    some = grouped(list(range(count)), [0] * count)
    drawn = some.drawn(most, seed)
    assert len(drawn) == min(count, most)
    assert (np.diff(drawn) > 0).all()
    assert set(drawn) <= set(range(count))
    np.testing.assert_array_equal(drawn, some.drawn(most, seed))


def test_the_digest_tells_any_change():
    some = samples()
    for name in (*AMIRO, "labels", "groups"):
        changed = samples()
        values = {**changed.packed, "labels": changed.labels, "groups": changed.groups}[name]
        other = "1" if name == "groups" else 1
        values.flat[0] = values.dtype.type() if values.flat[0] else other
        assert changed.digest() != some.digest()
    assert some[:5].digest() != some.digest()


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("camera", np.zeros((6, 16, 64), np.uint8), "camera: shape"),
        ("camera", np.zeros((6, 3, 16, 64), np.float32), "camera: type float32"),
        ("lidar", np.zeros((5, 227), np.float32), "lidar: shape"),
        ("lidar", np.full((6, 227), np.nan, np.float32), "lidar: .* not finite"),
        ("reflectance", np.full((6, 8), np.inf, np.float32), "reflectance: .* not finite"),
        ("labels", np.full(6, 8), "labels: holds values that are no class"),
        ("labels", np.full(6, -2), "labels: holds values that are no class"),
        ("labels", np.zeros((6, 3), np.int64), r"labels: int64 \(6, 3\), expected"),
        ("labels", np.zeros(6, np.int32), "labels: int32"),
        ("groups", np.full(5, "a"), "groups: <U1"),
        ("groups", np.zeros(6), "groups: float64"),
    ],
)
def test_arrays_that_are_no_samples_are_named(field, value, reason):
    some = samples()
    arrays = {**some.packed, "labels": some.labels, "groups": some.groups} | {field: value}
    packed = {name: arrays[name] for name in AMIRO}
    with pytest.raises(DataError, match=reason):
        Samples(AMIRO, packed, arrays["labels"], arrays["groups"])


def test_samples_of_other_modalities_are_refused():
    some = samples()
    with pytest.raises(DataError, match="modalities: "):
        Samples(AMIRO, {"camera": some.packed["camera"]}, some.labels)


def refused(path, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as error:
        Samples.load(path)
    assert str(path) in str(error.value)


def test_files_that_are_no_samples_are_refused_with_path_and_reason(tmp_path, saved):
    refused(tmp_path / "missing.npz", "no such file")
    refused(tmp_path, "no such file")
    (tmp_path / "empty.npz").touch()
    refused(tmp_path / "empty.npz", "not an .npz file")
    (tmp_path / "text.npz").write_text("camera")
    refused(tmp_path / "text.npz", "not an .npz file")
    np.save(tmp_path / "array.npy", np.zeros(3))
    refused(tmp_path / "array.npy", "not an .npz file")
    np.savez(tmp_path / "foreign.npz", images=np.zeros(3))
    refused(tmp_path / "foreign.npz", "format: missing")
    np.savez(tmp_path / "pickle.npz", format=np.array([{}], dtype=object))
    refused(tmp_path / "pickle.npz", "allow_pickle")
    with np.load(saved) as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "later.npz", **(arrays | {"format": np.array("2")}))
    refused(tmp_path / "later.npz", "format: '2'")
    suite = {**AMIRO.to_plain(), "name": "A suite"}
    np.savez(tmp_path / "suite.npz", **(arrays | {"suite": np.array(json.dumps(suite))}))
    refused(tmp_path / "suite.npz", "suite: name: 'A suite'")
    for name in ("modality/lidar", "labels", "groups", "suite"):
        some = {key: array for key, array in arrays.items() if key != name}
        np.savez(tmp_path / "without.npz", **some)
        refused(tmp_path / "without.npz", name)


@given(share=st.floats(0.0, 0.999))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_file_that_was_cut_off_is_refused(saved, share):
    cut = saved.with_name("cut.npz")
    whole = saved.read_bytes()
    cut.write_bytes(whole[: int(share * len(whole))])
    refused(cut, ".")


@given(place=st.floats(0.0, 0.9999), flipped=st.integers(1, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@pytest.mark.filterwarnings("ignore")  # numpy and zipfile may also warn of what they find
def test_a_spoilt_byte_is_refused_or_changes_nothing(saved, place, flipped):
    spoilt = saved.with_name("spoilt.npz")
    content = bytearray(saved.read_bytes())
    content[int(place * len(content))] ^= flipped
    spoilt.write_bytes(content)
    try:
        loaded = Samples.load(spoilt)
    except DataError:
        refused(spoilt, ".")
    else:
        assert loaded.digest() == samples().digest()


def grouped(groups: list[int], labels: list[int]) -> Samples:
    """Samples of tiny views, each of a group."""
    names = np.array([f"bag {group}" for group in groups])
    made = random_samples(np.random.default_rng(0), np.array(labels), TINY)
    return Samples(TINY, made.packed, made.labels, names)


TINY = SensorSuite.from_plain(
    {
        "name": "tiny",
        "about": "robot",
        "classes": ["a", "b", "c"],
        "modalities": {
            "distance": {
                "topic": "range",
                "type": "sensor_msgs/msg/Range",
                "view": {"kind": "range"},
            }
        },
    }
)


@given(
    of=st.lists(st.tuples(st.integers(0, 12), st.integers(-1, 2)), min_size=2, max_size=80),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
)
def test_parts_are_of_whole_groups_and_together_all(of, share, seed):
    groups, labels = zip(*of, strict=True)
    some = grouped(list(groups), list(labels))
    try:
        one, other = some.split(share, seed)
    except DataError as error:
        assert "groups: " in str(error)
        return
    assert not set(one.groups) & set(other.groups)
    assert len(one) > 0
    assert len(other) > 0
    values = [part.packed["distance"] for part in (one, other)]
    np.testing.assert_array_equal(
        np.sort(np.concatenate(values), 0), np.sort(some.packed["distance"], 0)
    )
    again = some.split(share, seed)
    assert [part.digest() for part in again] == [one.digest(), other.digest()]


@given(
    per_class=st.integers(2, 12),
    size=st.integers(1, 5),
    share=st.floats(0.1, 0.9),
    seed=st.integers(0, 99),
)
def test_the_second_part_has_its_share_of_each_class_as_nearly_as_groups_allow(
    per_class, size, share, seed
):
    groups = np.repeat(np.arange(3 * per_class), size)
    some = grouped(groups.tolist(), (groups % 3).tolist())
    try:
        one, other = some.split(share, seed)
    except DataError:
        assert round(share * per_class) == 0
        return
    for label in range(3):
        apart = (other.labels == label).sum() / size
        assert abs(apart - share * per_class) <= 0.5 + 1e-6 or apart == per_class - 1
        assert (one.labels == label).any()


@pytest.mark.parametrize("groups", [[0] * 6, [0, 1, 1, 1, 1, 1]])
def test_what_cannot_be_split_is_named(groups):
    with pytest.raises(DataError, match="groups: "):
        grouped(groups, [0, 1, 1, 1, 1, 1]).split(0.5, 0)


def test_samples_without_labels_are_samples_and_are_split():
    some = grouped([0, 0, 1, 1, 2, 2], [-1] * 6)
    assert not some.labelled
    one, other = some.split(1 / 3, 0)
    assert (len(one), len(other)) == (4, 2)
    assert not some[:0].labelled


def test_groups_and_labels_survive_the_file(tmp_path):
    some = grouped([3, 3, 1, 1, 2, 0], [-1, 0, 1, 2, 0, 1])
    some.save(tmp_path / "some.npz")
    loaded = Samples.load(tmp_path / "some.npz")
    assert loaded.suite == TINY
    assert loaded.groups.tolist() == some.groups.tolist()
    assert loaded.labels.tolist() == some.labels.tolist()
    assert loaded.digest() == some.digest()


def test_a_file_that_unpacks_to_more_than_the_machine_has_is_refused_at_once(tmp_path):
    path = tmp_path / "bomb.npz"
    grouped([0, 1], [0, 1]).save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.npy", b"")
        archive.infolist()[-1].file_size = 2**46  # a promise, which is what it may unpack to
    with at_once(), pytest.raises(DataError, match=r"bomb\.npz: unpacks to 7\d{13} bytes"):
        Samples.load(path)
