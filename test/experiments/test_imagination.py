# SPDX-License-Identifier: Apache-2.0
"""What was sensed is decoded surely, what was not is imagined with a spread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from m2vae_ros.cli import main
from m2vae_ros.experiments.imagination import imagine
from m2vae_ros.host.resources import resource
from m2vae_ros.sim.sampler import sample
from m2vae_ros.vae.weights import load

WEIGHTS = load(resource("models/amiro"))
THINGS = sample(6, seed=4321)


def test_what_a_sensor_saw_differs_less_than_what_it_did_not_see() -> None:
    told = {m: imagine(WEIGHTS, THINGS, [m], 32) for m in WEIGHTS.suite}
    for modality in WEIGHTS.suite:
        own = told[modality][modality]
        assert own.mean.shape == own.spread.shape == own.reading.shape
        for other in set(WEIGHTS.suite) - {modality}:
            assert own.spread.mean() < told[other][modality].spread.mean()


def test_equal_seeds_imagine_the_same() -> None:
    one, other = (imagine(WEIGHTS, THINGS, ["lidar"], 4, seed=7)["camera"] for _ in range(2))
    assert np.array_equal(one.mean, other.mean)


@pytest.mark.parametrize("held", [[], ["sonar"]])
def test_what_is_no_modality_is_refused_by_name(held: list[str]) -> None:
    with pytest.raises(ValueError, match="sonar|missing"):
        imagine(WEIGHTS, THINGS, held, 4)


def test_the_command_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "imagined.png"
    given = ["imagine", "amiro", "--held", "lidar", "--things", "2", "--samples", "8"]
    assert main([*given, "--out", str(out)]) == 0
    assert out.stat().st_size > 10_000
    assert "camera: spread" in capsys.readouterr().out
