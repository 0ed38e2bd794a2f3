# SPDX-License-Identifier: Apache-2.0
"""Whether a class that was left out of everything is told as unknown, for any suite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from suites import modality, plain

from m2vae_ros.datasets.errors import DataError
from m2vae_ros.datasets.samples import UNLABELLED, Samples
from m2vae_ros.experiments.left_out import KNOWN, evaluate, made_of_windows, tables
from m2vae_ros.sensors import SensorSuite

BRIEFLY = {"latent_dim": 2, "hidden": [4], "epochs": 5}
WINDOWS = {name: modality("window", beta_vae=BRIEFLY) for name in ("wrist", "ankle")}
SUITE = SensorSuite.from_plain(plain(modalities=WINDOWS, classes=["low", "middle", "high"]))


def recorded(count: int, groups: int) -> Samples:
    """Classes that differ by how high all values are."""
    rng = np.random.default_rng(0)
    group = np.arange(count) % groups
    labels = (group % len(SUITE.classes)).astype(np.int64)
    packed = {}
    for name, view in SUITE.views.items():
        level = (labels - 1.0)[:, None, None]
        packed[name] = view.pack(
            (level + rng.normal(0, 0.1, (count, *view.shape))).astype(np.float32)
        )
    return Samples(SUITE, packed, labels, group.astype(np.str_))


def test_a_class_that_nothing_was_fitted_on_is_told_and_the_others_are_not() -> None:
    samples = recorded(1500, 150)
    numbers = evaluate(SUITE, samples, seeds=[3])
    assert set(numbers["left_out"]) == set(SUITE.classes)
    for name, found in numbers["left_out"].items():
        assert found["all"] > 0.9, name
        assert found["all"] >= max(found["wrist"], found["ankle"])
        assert numbers["others"][name]["all"] < 0.15
    assert numbers["known"][KNOWN]["all"] < 0.15
    assert numbers["made"]["white noise of 10"]["all"] > 0.9
    (table,) = tables(numbers)
    assert {len(row) for row in table.rows} == {len(table.header)}


def test_a_still_sensor_reads_nothing_and_a_turned_one_the_same_by_other_axes() -> None:
    samples = recorded(30, 3)
    made = made_of_windows(samples, seed=0)
    assert not made["a still sensor"].observations("wrist").any()
    turned = made["known, axes exchanged"].observations("wrist")
    assert np.array_equal(turned[:, [1, 0]], samples.observations("wrist"))


def test_what_cannot_be_measured_is_refused() -> None:
    samples = recorded(300, 30)
    with pytest.raises(DataError, match="too few to tell what is unknown"):
        evaluate(SUITE, samples, seeds=[3])
    nobody = replace(samples, labels=np.full(300, UNLABELLED))
    with pytest.raises(DataError, match="labels: "):
        evaluate(SUITE, nobody, seeds=[3])
