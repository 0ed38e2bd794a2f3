# SPDX-License-Identifier: Apache-2.0
"""What is none of the known is told as such, by what was fitted on known things alone."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from random_samples import random_samples
from untrained import random_weights, small

from m2vae_ros.bags.worlds import read_bags
from m2vae_ros.datasets.samples import Samples
from m2vae_ros.experiments.left_out import made_of_windows
from m2vae_ros.fusion.engine import FAMILIAR
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.host.resources import resource, weights_folder
from m2vae_ros.sim.sampler import sample
from m2vae_ros.sim.strangers import sample_strangers
from m2vae_ros.training.novelty import FALSE_ALARMS, LEAST, LEAST_GROUPS, fit_novelty, lacking
from m2vae_ros.training.suite import codes, reconstruction_errors
from m2vae_ros.vae.novelty import Novelty
from m2vae_ros.vae.weights import Weights

SUITE = small()


def noise(count: int, seed: int, things: int = LEAST) -> Samples:
    """Readings in which nothing is to be seen, of so many things."""
    rng = np.random.default_rng(seed)
    drawn = random_samples(rng, rng.integers(len(SUITE.classes), size=count), SUITE)
    return replace(drawn, groups=(np.arange(count) % things).astype(np.str_))


def surprises(weights: Weights, samples: Samples, modality: str) -> torch.Tensor:
    vae = weights.beta_vaes[modality]
    error = reconstruction_errors(vae, samples, modality) / weights.familiar_error[modality]
    return weights.novelty[modality](codes(weights.beta_vaes, samples)[modality], error)


def test_the_known_is_rarely_told_as_unknown_and_usual_is_no_surprise() -> None:
    weights = random_weights(SUITE, familiar_error=1.0)
    weights.novelty = fit_novelty(weights.beta_vaes, noise(4000, 3), weights.familiar_error)
    for modality in SUITE:
        found = surprises(weights, noise(4000, 2), modality)
        expected = FALSE_ALARMS / len(SUITE)
        assert 0.3 * expected < float((found > FAMILIAR).float().mean()) < 2.0 * expected
        assert float(found.median()) == pytest.approx(0.0, abs=0.1)


def test_of_too_few_samples_or_one_group_no_limit_is_told() -> None:
    weights = random_weights(SUITE, familiar_error=1.0)
    for samples in (noise(LEAST - 1, 1), noise(LEAST, 1, things=1)):
        assert fit_novelty(weights.beta_vaes, samples, weights.familiar_error) == {}


def test_of_few_recordings_all_tell_the_limit_and_what_was_trained_on_the_shape() -> None:
    weights = random_weights(SUITE, familiar_error=1.0)
    few = 400  # of three sensors: a hundredth is four

    def fitted(things: int, seen: Samples | None) -> dict[str, Novelty]:
        held_out = noise(few, 3, things)
        return fit_novelty(weights.beta_vaes, held_out, weights.familiar_error, 0, seen)

    seen = noise(few, 4)
    assert fitted(LEAST_GROUPS, None) == fitted(LEAST_GROUPS - 1, seen) == {}
    weights.novelty = fitted(LEAST_GROUPS, seen)
    for modality in SUITE:
        assert weights.novelty[modality].components == 1
        beyond = surprises(weights, noise(few, 3), modality) > FAMILIAR
        assert 0 < beyond.sum() <= 0.015 * few


def test_what_is_said_to_be_enough_is_enough_and_less_is_not() -> None:
    weights = random_weights(SUITE, familiar_error=1.0)
    seen = noise(400, 4)

    def fits(count: int, things: int) -> bool:
        held_out = noise(count, 3, things)
        return bool(fit_novelty(weights.beta_vaes, held_out, weights.familiar_error, 0, seen))

    had = "400 samples of 16 objects"
    said = lacking(noise(400, 3, things=16), len(SUITE))
    told = re.fullmatch(f"{had} were held out, it takes (\\d+) of (\\d+) objects", said)
    assert told is not None, said
    samples, objects = map(int, told.groups())
    assert fits(samples, objects)
    assert not fits(samples - 1, objects)
    assert not fits(samples, objects - 1)
    assert f"nothing was held out, it takes {samples} samples" in lacking(None, len(SUITE))


def shares(engine: OnnxEngine, samples: Samples) -> dict[str, float]:
    """By modality, which share of the samples is told as unknown."""
    return {
        m: float(np.mean([engine.encode_modality(m, x).surprise > FAMILIAR for x in observed]))
        for m in engine.modalities
        for observed in [samples.observations(m)]
    }


def test_the_shipped_weights_tell_strangers_by_the_sensors_that_can() -> None:
    engine = OnnxEngine.load(weights_folder("amiro"))
    assert engine.tells_unknown
    assert sum(shares(engine, sample(200, 31)).values()) < 0.06
    blue = shares(engine, sample_strangers("blue", 30, 31))
    assert blue["camera"] > 0.9 > 0.1 > blue["lidar"]  # of which a blue box is a box
    assert shares(engine, sample_strangers("sphere", 30, 31))["camera"] > 0.8
    nothing = shares(engine, sample_strangers("nothing", 30, 31))
    assert min(nothing.values()) > 0.9


def test_the_shipped_motions_tell_noise_and_a_sensor_that_is_turned_more_often_than_motions() -> (
    None
):
    engine = OnnxEngine.load(weights_folder("motions"))
    assert engine.tells_unknown
    known = read_bags([resource("test/data/motions/test")], suite=engine.suite)[0]
    made = made_of_windows(known, seed=7)
    false_alarms = sum(shares(engine, known[::4]).values())
    assert false_alarms < 0.06
    assert max(shares(engine, made["white noise of 1"][:50]).values()) > 0.9
    assert max(shares(engine, made["known, axes exchanged"][::4]).values()) > 3 * false_alarms
    still = made["a still sensor"][:5]  # stands still, as who stands does
    assert max(shares(engine, still).values()) == 0.0
