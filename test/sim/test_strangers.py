# SPDX-License-Identifier: Apache-2.0
"""Things that are none of the classes are sensed as what they are."""

from __future__ import annotations

import numpy as np
import pytest

from m2vae_ros.sim.sampler import sample
from m2vae_ros.sim.strangers import KINDS, sample_strangers

COUNT = 8


@pytest.fixture(scope="module")
def strangers():
    return {kind: sample_strangers(kind, COUNT, seed=3) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_no_stranger_has_a_class(strangers, kind) -> None:
    assert len(strangers[kind]) == COUNT
    assert not strangers[kind].labelled


def test_the_same_seed_gives_the_same_strangers() -> None:
    once, again = (sample_strangers("sphere", 4, seed=3).digest() for _ in range(2))
    assert once == again
    assert sample_strangers("sphere", 4, seed=4).digest() != once


def test_a_kind_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'cat' is none of sphere, blue"):
        sample_strangers("cat", 1, seed=0)


def test_a_blue_thing_is_blue_for_the_camera(strangers) -> None:
    """More blue in the middle of the picture than of any object that has a class."""
    blue = _middle(strangers["blue"])
    assert (blue[:, 2] > blue[:, :2].max(1)).all()
    classes = _middle(sample(COUNT, seed=3))
    assert (classes[:, 2] < classes[:, :2].max(1)).all()


def test_an_empty_place_and_a_pole_return_fewer_beams_than_any_object(strangers) -> None:
    hits = {kind: _hits(strangers[kind]) for kind in ("nothing", "pole")}
    least = _hits(sample(COUNT, seed=3)).min()
    assert hits["nothing"].max() == 0
    assert 0 < hits["pole"].max() < least


def _middle(samples) -> np.ndarray:
    """Mean colour of the middle eighth of the picture, (N, 3)."""
    pictures = samples.observations("camera")
    half, eighth = pictures.shape[3] // 2, pictures.shape[3] // 16
    return pictures[..., half - eighth : half + eighth].mean(axis=(2, 3))


def _hits(samples) -> np.ndarray:
    """How many beams of the LiDAR met something nearby."""
    scans = samples.observations("lidar").reshape(len(samples), -1)
    return (scans < 1.0).sum(1)
