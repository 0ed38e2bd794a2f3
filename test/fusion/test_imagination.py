# SPDX-License-Identifier: Apache-2.0
"""What samples of an embedding decode to, on the engine of the robots."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.fusion.imagination import draws, imagine
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.host.resources import resource
from m2vae_ros.sim.sampler import sample

ENGINE = OnnxEngine.load(resource("models/amiro"))


@given(
    dimensions=st.integers(1, 8),
    pairs=st.integers(1, 40),
    level=st.floats(-4.0, 2.0),
    seed=st.integers(0, 2**32),
)
def test_samples_mirror_each_other_at_the_mean(dimensions, pairs, level, seed) -> None:
    mean = np.linspace(-1.0, 1.0, dimensions, dtype=np.float32)
    posterior = SimpleNamespace(mean=mean, log_variance=np.full(dimensions, level, np.float32))
    drawn = draws(posterior, 2 * pairs, seed)
    assert drawn.shape == (2 * pairs, dimensions)
    assert drawn[:pairs] + drawn[pairs:] == pytest.approx(2 * np.tile(mean, (pairs, 1)), abs=1e-4)
    assert np.array_equal(drawn, draws(posterior, 2 * pairs, seed))


def test_what_a_sensor_saw_is_told_surely_and_what_it_did_not_see_with_a_spread() -> None:
    things = sample(4, seed=4321)
    for at in range(4):
        told = {}
        for modality, view in ENGINE.suite.views.items():
            reading = view.unpack(things.packed[modality][at])
            held = ENGINE.encode({modality: ENGINE.encode_modality(modality, reading).code})
            told[modality] = {m: imagine(ENGINE, held, m) for m in ENGINE.modalities}
            own = told[modality][modality]
            assert own.mean.shape == own.spread.shape == view.shape
        for modality in ENGINE.modalities:
            for other in set(ENGINE.modalities) - {modality}:
                sure, guess = (told[by][modality].spread.mean() for by in (modality, other))
                assert sure < guess
