# SPDX-License-Identifier: Apache-2.0
"""Whatever suite is trained, its weights can be read, and say what they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from random_samples import random_samples
from suites import modality, plain

from m2vae_ros.experiments.evaluation import evaluate, tables
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.training.checkpoint import CheckpointError
from m2vae_ros.training.suite import (
    WITHOUT_REENCODING,
    SuiteRecipe,
    train,
    train_classifier,
    train_networks,
)
from m2vae_ros.vae.weights import load


@pytest.mark.parametrize("classes", [None, ["a", "b"], {"x": ["a", "b"], "y": ["c", "d", "e"]}])
@pytest.mark.parametrize(
    "modalities",
    [
        {"imu": modality("vector")},
        {"forward": modality("window"), "range_1": modality("range")},
        {"a": modality("range"), "b": modality("range"), "c": modality("vector")},
    ],
    ids=len,
)
def test_a_suite_is_trained_read_and_measured(
    modalities: dict[str, Any], classes: Any, tmp_path
) -> None:
    fields = plain(modalities=modalities, classes=classes)
    if classes is None:
        del fields["classes"]
    suite = SensorSuite.from_plain(fields)
    labels = np.arange(120) % len(suite.classes) if classes else np.full(120, -1)
    samples = random_samples(np.random.default_rng(0), labels, suite)
    recipe = SuiteRecipe.of(suite).rescheduled(lambda schedule: replace(schedule, epochs=1))
    trained = train(samples, tmp_path / "mine", recipe, {}, with_twin=True)
    assert list(trained) == ["", WITHOUT_REENCODING]
    for suffix, weights in trained.items():
        loaded = load(tmp_path / f"mine{suffix}")
        assert loaded.fingerprint == weights.fingerprint
        assert loaded.suite == suite
        assert bool(loaded.classifiers) == bool(classes)
        numbers = evaluate(loaded, samples)
        assert len(numbers["subsets"]) == (2 ** len(suite) - 1 if classes else 0)
        assert tables(numbers)


def test_a_training_is_not_resumed_with_other_samples_held_out(tmp_path) -> None:
    fields = plain(modalities={"a": modality("vector"), "b": modality("range")})
    suite = SensorSuite.from_plain(fields)
    recipe = SuiteRecipe.of(suite).rescheduled(lambda schedule: replace(schedule, epochs=1))
    seen, some, others = (
        random_samples(np.random.default_rng(seed), np.zeros(40, int), suite) for seed in range(3)
    )
    for _ in range(2):  # the second time it resumes
        train_networks(seen, recipe, tmp_path, held_out=some, quiet=True)
    for other in (others, None):
        with pytest.raises(CheckpointError, match="other data"):
            train_networks(seen, recipe, tmp_path, held_out=other, quiet=True)


@pytest.mark.filterwarnings("error")
def test_a_classifier_that_could_be_better_still_is_no_warning_to_users() -> None:
    rng = np.random.default_rng(1)
    x, labels = torch.from_numpy(rng.normal(size=(300, 10)).astype(np.float32)), np.arange(300) % 2
    train_classifier(x, labels, seed=0)
