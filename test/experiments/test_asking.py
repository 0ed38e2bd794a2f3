# SPDX-License-Identifier: Apache-2.0
"""Asking the right robot: worlds end known, and the report says what was measured."""

from __future__ import annotations

from copy import deepcopy
from itertools import islice
from typing import Any

import numpy as np
import pytest

from m2vae_ros.experiments import asking
from m2vae_ros.experiments.asking import KINDS, STRATEGIES, Mission, Pool, Settings, World, fly
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.host.resources import resource
from m2vae_ros.sim.sampler import sample

SETTING = Settings(seeds=(4714,), worlds=4, objects=(3, 5), pool=48)


@pytest.fixture(scope="module")
def engine() -> OnnxEngine:
    return OnnxEngine.load(resource("models/amiro"))


@pytest.fixture(scope="module")
def pool(engine: OnnxEngine) -> Pool:
    return Pool(engine, sample(SETTING.pool, seed=4714))


def worlds(engine: OnnxEngine, kind: str) -> list[World]:
    rng = np.random.default_rng(4714)
    return [KINDS[kind](engine.modalities, SETTING, rng) for _ in range(SETTING.worlds)]


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_strategy_ends_with_all_known_and_the_planner_is_not_behind_chance(
    kind, engine, pool
) -> None:
    looks = dict.fromkeys(STRATEGIES, 0)
    for n, world in enumerate(worlds(engine, kind)):
        assert set(engine.modalities) == {m for sensors in world.team.values() for m in sensors}
        for name, strategy in STRATEGIES.items():
            taken, right, objects, known = fly(
                Mission(engine, pool, world, n), strategy, SETTING, n
            )
            assert known == objects == len(world.objects)
            assert right <= objects
            looks[name] += taken
    assert looks["planner"] < 0.8 * looks["random"]


def test_the_same_seed_takes_the_same_looks(engine, pool) -> None:
    world = worlds(engine, "mixed")[0]
    for strategy in STRATEGIES.values():
        one, other = (fly(Mission(engine, pool, world, 5), strategy, SETTING, 5) for _ in range(2))
        assert one == other


def test_a_first_look_is_the_objects_own_reading_and_a_second_one_of_its_class(
    engine, pool
) -> None:
    rng = np.random.default_rng(0)
    first = pool.code(7, "camera", None)
    assert (first == pool.code(7, "camera", None)).all()
    alike = [pool._codes["camera"][i] for i in np.flatnonzero(pool.labels == pool.labels[7])]
    again = [pool.code(7, "camera", rng) for _ in range(20)]
    assert all(any((code == one).all() for one in alike) for code in again)
    assert any((code != first).any() for code in again)


def test_a_tour_visits_every_object_by_every_robot(engine, pool) -> None:
    world = World([0, 1, 2, 3], {"x": ("camera",), "y": ("lidar", "reflectance")}, [()] * 4)
    visits = list(islice(asking.touring(Mission(engine, pool, world, 0), None), 8))
    assert set(visits) == {(robot, index) for robot in "xy" for index in range(4)}


def measured(planner: int, random: int, lacking: int) -> dict[str, Any]:
    """Numbers of worlds of three objects, with so many looks each."""
    looks = {"planner": planner, "lacking": lacking, "random": random, "tour": 30}
    of = [{s: np.tile([n, 3, 3, 3], (5, 1)) for s, n in looks.items()}] * 2
    return {kind: asking.summarised(of) for kind in KINDS}


def test_claims_hold_when_they_were_measured_and_miss_when_not() -> None:
    good = measured(9, 18, 10)
    assert good["alone"]["random"]["saved"]["value"] == pytest.approx(0.5)
    assert good["alone"]["random"]["saved_seeds"] == pytest.approx([0.5, 0.5])
    assert good["alone"]["planner"]["looks"]["value"] == pytest.approx(3.0)
    assert all(check.holds for check in asking.section(good).checks)
    few = asking.section(measured(9, 11, 9)).checks
    assert [check.holds for check in few] == [False, False, True] * 2
    wrong = deepcopy(good)
    wrong["mixed"]["planner"]["accuracy"]["value"] = 0.9
    assert [c.holds for c in asking.section(wrong).checks] == [True] * 5 + [False]
