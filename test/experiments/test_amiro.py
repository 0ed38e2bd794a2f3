# SPDX-License-Identifier: Apache-2.0
"""What the shipped weights reach on samples nobody trained on: the claims of the README."""

import pytest

from m2vae_ros.experiments.amiro import Evaluation, evaluate
from m2vae_ros.host.resources import resource
from m2vae_ros.sim.sampler import sample
from m2vae_ros.training.suite import WITHOUT_REENCODING
from m2vae_ros.vae.weights import load

pytestmark = pytest.mark.slow

SEED = 20_001


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    weights = load(resource("models/amiro"))
    assert weights.facts["data"]["seed"] != SEED
    twin = load(resource(f"models/amiro{WITHOUT_REENCODING}"))
    return evaluate(weights, twin, sample(4000, SEED), SEED)


@pytest.mark.parametrize(
    ("modality", "own", "at_least"),
    [("camera", "colour", 0.99), ("lidar", "shape", 0.97), ("reflectance", "material", 0.97)],
)
def test_one_sensor_tells_its_own_attribute_and_little_of_the_others(
    evaluation, modality, own, at_least
):
    accuracy = {name: count.accuracy for name, count in evaluation.single[modality].items()}
    assert accuracy.pop(own) >= at_least
    assert max(accuracy.values()) <= 0.65


def test_the_raw_codes_of_all_sensors_tell_the_object(evaluation):
    assert evaluation.raw.accuracy >= 0.97


def test_the_joint_embedding_tells_as_much_as_the_raw_codes_within_a_point(evaluation):
    assert evaluation.joint.accuracy >= evaluation.raw.accuracy - 0.01


def test_in_place_fusion_tells_as_much_as_the_joint_embedding_in_every_order(evaluation):
    worst = min(count.accuracy for count in evaluation.in_place.values())
    assert worst >= 0.96
    assert worst >= evaluation.joint.accuracy - 0.01


def test_with_the_reencoding_loss_the_order_matters_less(evaluation):
    def spread(rates) -> float:
        accuracies = [count.accuracy for count in rates.values()]
        return max(accuracies) - min(accuracies)

    assert spread(evaluation.in_place) < spread(evaluation.in_place_without_reencoding)
