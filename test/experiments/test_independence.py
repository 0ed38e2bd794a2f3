# SPDX-License-Identifier: Apache-2.0
"""Related sensors: how it is measured what is known of them, and what the report makes of it."""

import json
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from m2vae_ros.experiments import independence
from m2vae_ros.experiments.independence import (
    ABSENT,
    CLASSES,
    KINDS,
    OURS,
    RAW,
    WET,
    Exam,
    Settings,
)
from m2vae_ros.experiments.lab import Lab, summary
from m2vae_ros.experiments.ways import OTHERS, at_once, lasting
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe
from m2vae_ros.vae.in_place import orders, unfold
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig

FEW = Settings(5000, 500, M2VAERecipe(3, (16,), schedule=Schedule(epochs=1)))
SENSORS = ("camera", "lidar", "reflectance")
PAIRS = ("camera & lidar", "camera & reflectance", "lidar & reflectance")


@pytest.fixture(scope="module")
def model() -> M2VAE:
    torch.manual_seed(0)
    return M2VAE(M2VAEConfig(dict.fromkeys(SENSORS, 10), latent_dim=3, hidden=(16,)))


@pytest.fixture(scope="module")
def absent() -> Exam:
    return Exam(ABSENT, FEW, 0)


def test_the_product_of_class_probabilities_guesses_the_material_unless_it_tells_wet_from_dry():
    rows = Exam(WET, FEW, 0).readings()
    rates = {row: of["class"]["camera & lidar & reflectance"] for row, of in rows.items()}
    assert rates[RAW] > 0.9
    assert 0.4 < rates[CLASSES] < 0.6
    assert rates[KINDS] > 0.9


def test_two_raw_readings_tell_what_the_absent_sensor_would_read(absent):
    rows = absent.readings()
    assert list(rows) == [RAW, CLASSES]  # each kind is a class of its own
    for rates in rows.values():
        assert tuple(rates["class"]) == tuple(rates["sensor"]) == PAIRS
        assert min(rates["sensor"].values()) > 0.9


def test_what_is_decoded_of_the_absent_sensor_is_read_as_its_real_readings_are(absent):
    def everything(x, sensed):  # an embedding that holds what the absent sensor reads, too
        return torch.cat([x[m] for m in SENSORS], 1)

    def of_another(x, sensed):
        return everything(x, sensed).roll(1, 0)

    def decode(modality, z):
        return z[:, 10 * SENSORS.index(modality) :][:, :10]

    reader = absent.reader(everything)
    told = absent.embeddings(everything, decode, reader)
    assert min(min(cells.values()) for cells in told.values()) > 0.97
    guessed = absent.embeddings(of_another, decode, reader)
    assert max(guessed["sensor"].values()) < 0.45
    assert max(guessed["class"].values()) < 0.2


def test_orders_are_tried_only_where_it_is_said_that_they_matter(model, absent):
    embed = partial(at_once, model)
    reader = absent.reader(embed)
    assert tuple(absent.embeddings(embed, model.decode, reader)["class"]) == PAIRS
    ordered = absent.embeddings(embed, model.decode, reader, ordered=True)
    assert set(ordered["sensor"]) == {
        " → ".join(o) for pair in PAIRS for o in orders(pair.split(" & "))
    }


@torch.no_grad()
def test_robots_in_place_take_each_observation_from_where_it_was_reencoded_least(model):
    x = {m: torch.randn(7, 10) for m in SENSORS}
    first = model.encode({"lidar": x["lidar"]}).mean
    lidar = unfold(model, first, ["lidar"])["lidar"]
    second = model.encode({"lidar": lidar, "camera": x["camera"]}).mean
    camera = unfold(model, second, ["lidar", "camera"])["camera"]
    # the last robot has heard both, and has the LiDAR's reading from the first, not the second
    expected = model.encode({"lidar": lidar, "camera": camera, "reflectance": x["reflectance"]})
    found = lasting(model, x, ("lidar", "camera", "reflectance"))
    torch.testing.assert_close(found, expected.mean)


def rates(*values: float) -> dict[str, Any]:
    return {str(order): summary([value] * 5) for order, value in enumerate(values)}


def as_claimed() -> dict[str, Any]:
    """Numbers by which every claim holds."""
    good = {"class": rates(0.99, 0.99), "sensor": rates(0.99, 0.99)}
    ours = {
        f"{name}, {way}": dict(good)
        for name in OURS
        for way in (
            "at once",
            "in place (Eq. 18)",
            "in place as robots do",
            "product of single posteriors",
        )
    }
    rows = {RAW: good, CLASSES: good, **ours, **dict.fromkeys(OTHERS, good)}
    numbers = {world: dict(rows) for world in (WET, ABSENT)}
    numbers[WET] |= {CLASSES: {"class": rates(0.5)}, KINDS: {"class": rates(0.98)}}
    guessed = {"class": rates(0.9, 0.9), "sensor": rates(0.4, 0.5)}
    numbers[ABSENT] |= {"M2VAE, product of single posteriors": guessed, "MVAE": guessed}
    return numbers


def test_as_claimed_every_claim_holds_and_every_row_is_shown() -> None:
    numbers = as_claimed()
    section = independence.section(numbers)
    assert [check.holds for check in section.checks] == [True] * 7
    for table, world in zip(section.tables, (WET, ABSENT), strict=True):
        assert [row[0] for row in table.rows] == list(numbers[world])
        assert all(len(row) == len(table.header) for row in table.rows)


@pytest.mark.parametrize(
    ("world", "row", "of", "values", "missed"),
    [
        (WET, CLASSES, "class", (0.56,), "product of class probabilities"),
        (WET, "M2VAE, in place (Eq. 18)", "class", (0.99, 0.94), "in place, by Eq. 18"),
        (WET, "M2VAE, in place as robots do", "class", (0.94, 0.99), "as robots do"),
        (WET, "M2VAE, product of single posteriors", "class", (0.94,), "does not fail"),
        (ABSENT, "M2VAE, product of single posteriors", "sensor", (0.4, 0.76), "product of sing"),
        (ABSENT, "MVAE", "sensor", (0.76, 0.4), "MVAE"),
        (ABSENT, "M2VAE, in place as robots do", "sensor", (0.99, 0.89), "by Eq. 17, in place"),
        (ABSENT, "M2VAE with cross terms, in place (Eq. 18)", "sensor", (0.98, 0.99), "cross"),
    ],
)
def test_one_order_that_does_not_do_is_a_miss_of_its_claim(world, row, of, values, missed) -> None:
    numbers = as_claimed()
    numbers[world][row] = {**numbers[world][row], of: rates(*values)}
    (check,) = [check for check in independence.section(numbers).checks if not check.holds]
    assert missed in check.claim
    decisive = min(values) if "at least" in check.claim else max(values)
    assert check.measured.startswith(f"{decisive:.1%}")


def test_the_figure_names_every_row_of_both_worlds() -> None:
    numbers = as_claimed()
    for panel, world in zip(independence.picture(numbers).axes, (WET, ABSENT), strict=True):
        assert [label.get_text() for label in panel.get_yticklabels()] == list(numbers[world])


@pytest.mark.slow
def test_what_is_published_is_every_row_with_every_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(independence, "settings", lambda quick: FEW)
    (tmp_path / "out").mkdir()
    lab = Lab(tmp_path / "out", tmp_path / "runs", seeds=2, workers=1)
    independence.run(lab)
    numbers = lab.published("independence")
    known = {name for name in OTHERS if name in independence.contenders()}
    for world, rows in numbers.items():
        assert known < set(rows)
        assert len(rows) == len(known) + 4 * len(OURS) + (3 if world == WET else 2)
        for rates in rows.values():
            for cell in (cell for of in rates.values() for cell in of.values()):
                assert len(cell["seeds"]) == 2
                assert cell["mean"] == pytest.approx(np.mean(cell["seeds"]))
    assert (lab.out / "independence.png").stat().st_size > 10_000
    record = json.loads((lab.out / "reproduce.json").read_text())["independence"]
    assert record["seeds"] == [0, 1]
    assert not all(check.holds for check in independence.section(numbers).checks)
