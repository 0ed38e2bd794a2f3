# SPDX-License-Identifier: Apache-2.0
"""What a look is expected to tell, imagined from the embedding alone."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.fusion.active_sensing import expected_gain
from m2vae_ros.fusion.attributes import entropy
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.host.resources import resource
from m2vae_ros.sim.sampler import sample

OBJECTS = 24


class Signs:
    """A model that can be seen through: each modality tells the sign of one latent dimension.

    Classes are the signs of the first two. "noise" tells the third dimension, which no class
    depends on.
    """

    modalities = ("first", "second", "noise")
    latent_dim = 3
    sharpness = 20.0

    def encode(self, codes):
        mean, log_variance = np.zeros(3, np.float32), np.zeros(3, np.float32)
        for m, code in codes.items():
            index = self.modalities.index(m)
            mean[index], log_variance[index] = code[0], -9.0
        return SimpleNamespace(mean=mean, log_variance=log_variance)

    def decode(self, modality, mean):
        return mean[[self.modalities.index(modality)]]

    def classify(self, mean):
        right = 1.0 / (1.0 + np.exp(-self.sharpness * mean[:2].astype(np.float64)))
        return np.outer([right[0], 1 - right[0]], [right[1], 1 - right[1]]).ravel()


def holding(engine, codes) -> Embedding:
    posterior = engine.encode(codes)
    held = dict.fromkeys(codes, 1)
    place = (0.0, 0.0, 0.0)
    return Embedding("a", place, "map", held, posterior.mean, posterior.log_variance, "robot", "f")


signs = st.sampled_from([-1.0, 1.0]).map(lambda sign: np.float32([sign]))


@given(signs, signs, st.integers(0, 99))
def test_what_tells_nothing_gains_nothing_and_what_tells_a_half_a_bit(first, second, seed) -> None:
    engine = Signs()
    one, both = (
        holding(engine, {"first": first}),
        holding(engine, {"first": first, "second": second}),
    )
    for embedding in (None, one, both):
        assert expected_gain(engine, embedding, ["noise"], seed=seed) == pytest.approx(
            0.0, abs=1e-6
        )
    bit = math.log(2.0)
    assert expected_gain(engine, one, ["second"], seed=seed) == pytest.approx(bit, abs=0.25)
    assert expected_gain(engine, None, ["first", "second"], seed=seed) > 1.2 * bit
    assert expected_gain(engine, both, ["second"], seed=seed) <= 1e-6


@given(st.floats(0.0, 0.05), signs, st.integers(0, 99))
def test_a_poor_reading_is_worth_another_look_and_a_clear_one_is_not(poor, clear, seed) -> None:
    engine = Signs()
    embedding = holding(engine, {"first": np.float32([poor]), "second": clear})
    assert expected_gain(engine, embedding, ["first"], seed=seed) > 0.15
    assert expected_gain(engine, embedding, ["second"], seed=seed) <= 1e-6


@pytest.fixture(scope="module")
def engine() -> OnnxEngine:
    return OnnxEngine.load(resource("models/amiro"))


@pytest.fixture(scope="module")
def codes(engine: OnnxEngine) -> list[dict[str, np.ndarray]]:
    samples = sample(OBJECTS, seed=4712)
    return [
        {m: engine.encode_modality(m, samples.observations(m)[i]).code for m in engine.modalities}
        for i in range(OBJECTS)
    ]


def test_of_each_object_a_sensor_that_is_missing_promises_more_than_one_that_is_held(
    engine, codes
) -> None:
    for held in engine.modalities:
        for of in codes:
            embedding = holding(engine, {held: of[held]})
            gains = {m: expected_gain(engine, embedding, [m]) for m in engine.modalities}
            assert all(gains[m] > gains[held] + 0.1 for m in gains if m != held)


def test_the_promise_is_kept_on_average(engine, codes) -> None:
    """The entropy falls by what was expected, within a third of a bit."""
    for held, new in (("camera", "lidar"), ("lidar", "reflectance"), ("reflectance", "camera")):
        promised, kept = [], []
        for of in codes:
            embedding = holding(engine, {held: of[held]})
            promised.append(expected_gain(engine, embedding, [new]))
            after = engine.encode({m: of[m] for m in (held, new)}).mean
            before = engine.classify(embedding.mean)
            kept.append(entropy(before) - entropy(engine.classify(after)))
        assert np.mean(promised) == pytest.approx(np.mean(kept), abs=0.23)


def test_more_sensors_at_once_promise_more_and_a_seed_gives_one_answer(engine, codes) -> None:
    embedding = holding(engine, {"camera": codes[0]["camera"]})
    both = expected_gain(engine, embedding, ["lidar", "reflectance"])
    assert both > 1.2 * max(expected_gain(engine, embedding, [m]) for m in ("lidar", "reflectance"))
    assert expected_gain(engine, embedding, ["lidar", "reflectance"]) == both
    assert expected_gain(engine, embedding, ["lidar", "reflectance"], seed=1) != both
