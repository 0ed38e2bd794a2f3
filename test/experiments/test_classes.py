# SPDX-License-Identifier: Apache-2.0
"""Classes from each combination of sensors: what is asked of whom, and what the tables show."""

from pathlib import Path

import numpy as np
import pytest

from m2vae_ros.datasets.labelled import Labelled
from m2vae_ros.experiments import classes, motions
from m2vae_ros.experiments.classes import ACCURACY, CALIBRATION, LATE, READINGS, Task
from m2vae_ros.experiments.lab import Lab, over_seeds
from m2vae_ros.experiments.ways import AT_ONCE, EQ_18, OURS, PRODUCT, ROBOTS
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe

RECIPE = M2VAERecipe(2, (16,), schedule=Schedule(epochs=2, learning_rate=1e-2))


def half_told(count: int, seed: int) -> Labelled:
    """Four classes, of which each of two sensors tells one half."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=count)
    bits = {"a": labels // 2, "b": labels % 2}
    x = {
        m: rng.normal(6 * bit[:, None], 1, (count, 3)).astype("float32") for m, bit in bits.items()
    }
    return Labelled(x, labels)


@pytest.fixture(scope="module")
def task() -> Task:
    train, test = half_told(400, 0), half_told(300, 1)
    return Task(train, test, "half told", 0, {"raw codes": (train, test)})


def test_readings_of_both_sensors_tell_what_either_tells_half_of_and_a_product_does_as_well(task):
    rows = classes.measure(Lab(Path(), Path()), (), task, READINGS, RECIPE, None)
    assert list(rows) == ["raw codes", LATE]
    for rates in rows.values():
        assert 0.4 < rates[ACCURACY]["a"] < 0.6
        assert 0.4 < rates[ACCURACY]["b"] < 0.6
        assert rates[ACCURACY]["a & b"] > 0.98
        assert rates[CALIBRATION]["a & b"] < 0.05
    assert {k: rows[LATE][ACCURACY][k] for k in "ab"} == {
        k: rows["raw codes"][ACCURACY][k] for k in "ab"
    }


def test_in_place_every_order_is_asked_and_at_once_every_combination(task, tmp_path):
    rows = classes.measure(Lab(tmp_path, tmp_path), ("t",), task, "M2VAE", RECIPE, 0.0)
    assert list(rows) == [f"M2VAE, {way}" for way in (AT_ONCE, EQ_18, ROBOTS, PRODUCT)]
    together, in_turn = {"a", "b", "a & b"}, {"a", "b", "a → b", "b → a"}
    assert [set(rates[ACCURACY]) for rates in rows.values()] == [
        together, in_turn, in_turn, together
    ]  # fmt: skip
    first = [rates[ACCURACY]["a"] for rates in rows.values()]
    assert first[0] == first[1] == first[2]  # there is nothing yet to fuse with
    assert min(rows[f"M2VAE, {AT_ONCE}"][ACCURACY].values()) > 0.3


def test_the_worst_order_counts_and_the_error_is_a_mean_over_orders() -> None:
    def seed(first: float, second: float) -> classes.Rates:
        accuracy = {"a": 0.5, "a → b": first, "b → a": second}
        return {ACCURACY: accuracy, CALIBRATION: {"a": 0.3, "a → b": 0.1, "b → a": 0.2}}

    rates = over_seeds([seed(0.9, 0.95), seed(0.9, 0.8)])
    assert classes.worst(rates, 2) == [0.95, 0.8]  # the order worse on the whole, not seed by seed
    assert classes.error(rates, 2) == pytest.approx([0.15, 0.15])
    accuracy, calibration = classes.tables(lambda block: block, {"row": rates}, ("a",))
    assert accuracy.rows == [("row", "50.0 ± 0.0", "50.0 ± 0.0", "50.0 ± 0.0")]
    assert calibration.rows == [("row", "0.300 ± 0.000")]


def test_no_recording_of_the_motions_is_in_both_parts() -> None:
    train, test = motions.recordings()
    assert len(train) == len(test) == 440
    windows = [{part.packed[m][i].tobytes() for m in part.packed for i in range(440)}
               for part in (train, test)]  # fmt: skip
    assert windows[0].isdisjoint(windows[1])


def test_without_the_recordings_the_motions_say_what_is_missing(monkeypatch) -> None:
    monkeypatch.setattr(motions, "RECORDINGS", "test/data/nowhere")
    with pytest.raises(motions.DataError, match="test/data/nowhere: .*a checkout alone"):
        motions.recordings()


@pytest.mark.parametrize("way", [AT_ONCE, EQ_18, ROBOTS])
def test_more_than_a_point_below_the_raw_codes_is_a_miss(way) -> None:
    def known(both: float) -> classes.Rates:
        how = {"accelerometer": 0.99, "gyroscope": 0.99, "accelerometer & gyroscope": both}
        return {ACCURACY: how, CALIBRATION: dict.fromkeys(how, 0.01)}

    rows = {
        motions.CODES: 0.995,
        **{f"{n}, {w}": 0.99 for n in OURS for w in (AT_ONCE, EQ_18, ROBOTS)},
    }
    good = {row: over_seeds([known(both)] * 2) for row, both in rows.items()}
    assert all(check.holds for check in motions.section(good).checks)
    bad = good | {f"M2VAE, {way}": over_seeds([known(0.98)] * 2)}
    assert [check.measured for check in motions.section(bad).checks if not check.holds] == ["98.0%"]
