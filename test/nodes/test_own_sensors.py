# SPDX-License-Identifier: Apache-2.0
"""Sensors that the package knows nothing of, from bags to classes over real topics."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import four_sensors
import numpy as np
import pytest
from four_sensors import READINGS, ROVER, SUITE
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.serialization import deserialize_message
from ros_team import Team, team

from m2vae_ros.bags.worlds import read_bags
from m2vae_ros.experiments.evaluation import evaluate
from m2vae_ros.ros.message_types import message_class
from m2vae_ros.ros.qos import EVERY_ONE
from m2vae_ros.training.suite import SuiteRecipe, train
from m2vae_ros.vae.m2vae import subsets
from m2vae_ros.vae.weights import Weights

pytestmark = [pytest.mark.ros, pytest.mark.slow]

SUBSETS = subsets(tuple(SUITE))

SECONDS = 1.6
"""For which the rover has sensed: a window of its IMU, and half of another."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    folder = tmp_path_factory.mktemp("rover")
    bag = four_sensors.bag(folder / "train", episodes=5, seed=0)
    samples, _ = read_bags([bag], suite=SUITE)
    recipe = SuiteRecipe.of(SUITE).suited_to(len(samples))
    return train(samples, folder / "weights", recipe, {"source": "bags"})[""]


def test_the_embedding_is_as_good_as_the_codes_on_a_bag_that_was_not_trained_on(
    weights: Weights, tmp_path: Path
) -> None:
    unseen, _ = read_bags([four_sensors.bag(tmp_path / "test", 2, seed=1)], suite=SUITE)
    numbers = evaluate(weights, unseen)
    assert list(numbers["subsets"]) == ["+".join(subset) for subset in SUBSETS]
    everything = numbers["subsets"]["+".join(SUITE)]
    assert everything["raw"]["accuracy"] >= 0.95
    assert everything["embedding"]["accuracy"] >= 0.95
    assert min(one["accuracy"] for one in numbers["in_place"].values()) >= 0.95


def play(t: Team, label: int, subset: Sequence[str], rng: np.random.Generator) -> None:
    """Let the rover have sensed a world of one class, for the last seconds; it gets all of it."""
    end = math.floor(time.time())  # equal seeds sense the same
    events = sorted(
        (end - SECONDS + index / rate, name)
        for name, (_, rate) in READINGS.items()
        for index in range(round(SECONDS * rate))
    )
    values = dict(zip(SUITE, SUITE.attributes_of(label), strict=True))
    for now, name in events:
        kind, topic = SUITE[name].type, SUITE[name].topic
        made = READINGS[name][0](now, bool(values[name]), rng)
        message = deserialize_message(four_sensors.serialised(made, kind), message_class(kind))
        before = t.counted(ROVER[1:], f"received {topic}")
        t.send(f"{ROVER}/{topic}", message)
        if name in subset:
            t.until(lambda seen=before, of=topic: t.counted(ROVER[1:], f"received {of}") > seen)


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
def test_each_subset_of_the_sensors_tells_its_attributes_live(
    subset: tuple[str, ...], weights: Weights, tmp_path: Path
) -> None:
    folder = weights.save(tmp_path / "weights")
    rng = np.random.default_rng(SUBSETS.index(subset))
    label = int(rng.integers(len(SUITE.classes)))
    with team() as t:
        node = t.suite_robot(ROVER[1:], folder, list(subset))
        others = {SUITE[m].topic: SUITE[m].type for m in SUITE if m not in subset}
        for topic, kind in others.items():  # they are published, and nobody takes them
            t.listen(message_class(kind), f"{ROVER}/{topic}", lambda message: None, EVERY_ONE)
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        play(t, label, subset, rng)
        t.until(lambda: any(set(c.modalities) == set(subset) for c in t.classifications))
        found = [c for c in t.classifications if set(c.modalities) == set(subset)][-1]
        assert found.object_id == ROVER[1:]
        assert tuple(found.classes) == SUITE.classes
        told = np.array(found.probabilities)
        truth = SUITE.attributes_of(label)
        values = SUITE.attributes_of(np.arange(len(SUITE.classes)))
        for column, modality in enumerate(SUITE):
            if modality in subset:
                right = told[values[:, column] == truth[column]].sum()
                assert right > 0.8, f"{modality}: {right:.2f}"
