# SPDX-License-Identifier: Apache-2.0
"""What the embedding of any suite is worth: the numbers, and the tables of them."""

from __future__ import annotations

import json
import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_samples import random_samples
from suites import modality, plain
from untrained import random_weights, small

from m2vae_ros.datasets.samples import UNLABELLED
from m2vae_ros.experiments import evaluation, evaluation_figure, report
from m2vae_ros.experiments.evaluation import (
    TELLERS,
    calibration_error,
    evaluate,
    tables,
    told_codes,
)
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.training.suite import codes, raw_reader
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.m2vae import subsets
from m2vae_ros.world.suite import AMIRO

COUNT = 40


def motions(classes: bool = True) -> SensorSuite:
    fields = plain(
        modalities={"imu": modality("vector"), "distance": modality("range")},
    )
    if not classes:
        del fields["classes"]
    return SensorSuite.from_plain(fields)


def measured(suite: SensorSuite, labelled: bool = True) -> dict:
    rng = np.random.default_rng(0)
    labels = np.full(COUNT, UNLABELLED)
    if labelled:
        labels = rng.integers(len(suite.classes), size=COUNT)
    weights = random_weights(suite)
    return evaluate(weights, random_samples(rng, labels, suite), "a test")


@pytest.mark.parametrize("suite", [motions(), small(AMIRO)], ids=lambda suite: suite.name)
def test_every_subset_and_order_is_measured(suite) -> None:
    numbers = measured(suite)
    names = ["+".join(subset) for subset in subsets(tuple(suite))]
    assert list(numbers["subsets"]) == list(numbers["lower_bound"]) == names
    assert list(numbers["in_place"]) == [",".join(order) for order in permutations(suite)]
    assert {m: set(of) for m, of in numbers["cross"].items()} == dict.fromkeys(suite, set(suite))
    assert list(numbers["drift"]) == ["1", "10", "100"]
    assert numbers["n"] == COUNT
    assert numbers["suite"] == suite.name
    assert numbers["fingerprint"] == random_weights(suite).fingerprint
    counts = [of["embedding"] for of in numbers["subsets"].values()]
    counts += [of["product"] for of in numbers["subsets"].values()]
    for count in (*counts, *numbers["in_place"].values()):
        assert count["low"] <= count["accuracy"] == count["right"] / COUNT <= count["high"]
    for of in numbers["subsets"].values():
        assert 0.0 <= of["calibration_error"] <= 1.0
        assert of["raw"] is None  # these weights have no readers of raw codes
    single = {m: numbers["subsets"][m] for m in suite}
    for of in single.values():  # the product of one expert is that expert
        assert of["product"]["right"] == of["embedding"]["right"]


def test_readings_are_compared_with_what_each_teller_decodes_in_their_own_unit() -> None:
    suite = SensorSuite.from_plain(
        plain(
            modalities={
                "range": modality("range", view={"kind": "range", "max_range": 4.0}),
                "imu": modality("vector"),
            }
        )
    )
    weights = random_weights(suite)
    samples = random_samples(np.random.default_rng(0), np.zeros(COUNT, np.int64), suite)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "AT_ONCE", 7)
        found = evaluate(weights, samples)["reconstruction"]
    assert (found["range"]["unit"], found["imu"]["unit"]) == ("m", "")
    metres = 4.0 * samples.packed["range"]
    assert found["range"]["spread"] == pytest.approx(metres.std(), rel=1e-5)
    with torch.no_grad():
        told = told_codes(weights, codes(weights.beta_vaes, samples))["range"]
        for teller in TELLERS:
            decoded = 4.0 * weights.beta_vaes["range"].decode_code(told[teller]).numpy()
            error = np.sqrt(np.mean((decoded.reshape(metres.shape) - metres) ** 2))
            assert found["range"][teller] == pytest.approx(error, rel=1e-5)


def test_of_one_sensor_there_are_no_others_to_tell_its_readings() -> None:
    suite = SensorSuite.from_plain(plain(modalities={"distance": modality("range")}))
    assert "others" not in measured(suite)["reconstruction"]["distance"]


def test_the_figure_shows_a_sample_of_each_class(tmp_path) -> None:
    suite = motions()
    labels = np.array([0] * 30 + [1])
    samples = random_samples(np.random.default_rng(0), labels, suite)
    assert labels[evaluation_figure._one_of_each(samples)].tolist() == [0, 1]
    weights = random_weights(suite)
    picture = tmp_path / "evaluation.png"
    evaluation_figure.draw(evaluate(weights, samples), weights, samples, picture)
    assert picture.stat().st_size > 10_000
    unlabelled = random_samples(np.random.default_rng(0), np.full(COUNT, UNLABELLED), suite)
    assert len(evaluation_figure._one_of_each(unlabelled)) == evaluation_figure.SHOWN


def test_tables_fit_eighty_columns_with_every_word(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    report.show(tables(measured(small(AMIRO))))
    said = capsys.readouterr().out
    assert "…" not in said
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize("classes", [True, False])
def test_without_labels_all_is_measured_but_classes(classes) -> None:
    suite = motions(classes)
    numbers = measured(suite, labelled=False)
    assert numbers["subsets"] == numbers["in_place"] == {}
    assert list(numbers["lower_bound"]) == ["imu", "distance", "imu+distance"]
    assert all(map(math.isfinite, numbers["lower_bound"].values()))
    assert all(value >= 0.0 for of in numbers["cross"].values() for value in of.values())
    assert all(map(math.isfinite, numbers["drift"].values()))
    titles = [table.caption for table in tables(numbers)]
    assert len(titles) == 3
    assert not any(title.startswith("Classes") for title in titles)


def test_equal_weights_and_samples_give_equal_numbers_that_are_json() -> None:
    one, again = measured(motions()), measured(motions())
    assert one == again
    assert json.loads(json.dumps(one, allow_nan=False)) == one


def test_raw_codes_are_measured_where_there_are_readers_of_them() -> None:
    suite = motions()
    weights = random_weights(suite)
    torch.manual_seed(1)
    for subset in subsets(tuple(suite)):
        size = sum(suite[m].beta_vae.latent_dim for m in subset)
        weights.classifiers[raw_reader(subset, suite)] = Classifier((size, 4, 2))
    labels = np.arange(COUNT) % 2
    numbers = evaluate(weights, random_samples(np.random.default_rng(0), labels, suite))
    assert all(of["raw"]["n"] == COUNT for of in numbers["subsets"].values())
    (classes, *_) = tables(numbers)
    assert [row[0] for row in classes.rows] == ["imu", "distance", "imu + distance"]
    assert all(row[1].endswith("%") for row in classes.rows)


def test_the_tables_show_what_was_measured() -> None:
    numbers = measured(small(AMIRO))
    classes, in_place, readings, bounds, cross = tables(numbers)
    assert "a test" in classes.caption
    assert numbers["fingerprint"] in classes.caption
    assert len(classes.rows) == len(bounds.rows) == 7
    assert len(in_place.rows) == 6
    assert in_place.rows[0][0] == "in place: camera → lidar → reflectance"
    assert list(cross.header) == ["from", "camera", "lidar", "reflectance"]
    assert [row[:2] for row in readings.rows] == [
        ("camera", "1/255"),
        ("lidar", "m"),
        ("reflectance", "–"),
    ]
    for table in (classes, in_place, readings, bounds, cross):
        assert all(len(row) == len(table.header) for row in table.rows)
    rate = numbers["subsets"]["camera"]["embedding"]["accuracy"]
    assert classes.rows[0][2] == f"{rate:.1%}"


def test_of_readings_that_never_change_no_share_is_told() -> None:
    suite = motions()
    samples = random_samples(np.random.default_rng(0), np.arange(COUNT) % 2, suite)
    samples.packed["distance"][:] = 1.0
    numbers = evaluate(random_weights(suite), samples)
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers
    *_, cross = tables(numbers)
    assert [row[2] for row in cross.rows] == ["–", "–"]
    assert any("never changes" in footnote for footnote in cross.footnotes)
    assert all(row[1].endswith("%") for row in cross.rows)


# The expected calibration error


@given(
    confidence=st.lists(st.floats(0.5, 1.0), min_size=1, max_size=50),
    right=st.booleans(),
)
def test_who_is_always_right_or_wrong_is_off_by_the_mean_of_confidence(confidence, right) -> None:
    sure = torch.tensor(confidence)
    probabilities = torch.stack([sure, 1 - sure], 1)
    found = probabilities.argmax(1)
    labels = found if right else 1 - found
    error = calibration_error(probabilities, labels)
    expected = (1 - sure).mean() if right else sure.clamp(min=0.5).mean()
    assert error == pytest.approx(float(expected), abs=1e-5)


@given(st.integers(0, 10), st.integers(1, 10))
def test_confidence_that_is_the_share_of_right_ones_is_no_error(right, more) -> None:
    n = right + more
    share = right / n
    labels = torch.tensor([0] * right + [1] * more)
    probabilities = torch.tensor([[share, 1 - share]] * n)
    confidence = max(share, 1 - share)
    accuracy = float((probabilities.argmax(1) == labels).float().mean())
    error = calibration_error(probabilities, labels)
    assert error == pytest.approx(abs(confidence - accuracy), abs=1e-6)
    assert error == pytest.approx(0.0, abs=1e-6)


@given(st.integers(2, 6), st.integers(1, 40), st.integers(0, 999))
def test_the_error_is_a_share_and_does_not_depend_on_the_order(classes, n, seed) -> None:
    rng = np.random.default_rng(seed)
    probabilities = torch.from_numpy(rng.dirichlet(np.ones(classes), n).astype(np.float32))
    labels = torch.from_numpy(rng.integers(classes, size=n))
    order = torch.from_numpy(rng.permutation(n))
    error = calibration_error(probabilities, labels)
    assert 0.0 <= error <= 1.0
    shuffled = calibration_error(probabilities[order], labels[order])
    assert shuffled == pytest.approx(error, abs=1e-5)
