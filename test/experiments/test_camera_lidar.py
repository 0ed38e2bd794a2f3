# SPDX-License-Identifier: Apache-2.0
"""Section V-D: what the report says of it follows from the published numbers."""

import json
from itertools import permutations
from typing import Any

import pytest
import torch

from m2vae_ros.experiments import camera_lidar
from m2vae_ros.experiments.amiro import Evaluation
from m2vae_ros.experiments.counts import Count
from m2vae_ros.experiments.lab import Lab, summary
from m2vae_ros.training import calibration, suite
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig
from m2vae_ros.world.suite import AMIRO

ORDERS = [",".join(order) for order in permutations(AMIRO)]
WORST = ORDERS[2]


def evaluation(raw=971, joint=962, in_place=943, without=658) -> dict[str, Any]:
    """The paper's result, of 1000 samples: the rates in place are those of the worst order."""

    def orders(worst: int) -> dict[str, Count]:
        return {o: Count(worst if o == WORST else worst + 7, 1000) for o in ORDERS}

    return Evaluation(
        raw=Count(raw, 1000),
        joint=Count(joint, 1000),
        in_place=orders(in_place),
        in_place_without_reencoding=orders(without),
        joint_without_reencoding=Count(960, 1000),
        product_of_experts=Count(950, 1000),
        single={},
        seed=1,
        fingerprint="0123456789abcdef",
    ).to_json()


def ablation() -> dict[str, Any]:
    """As if alpha moved the rate in place by 20 points and nothing else did anything."""
    shipped = {"beta_norm": 0.001, "alpha": 0.1, "latent_dim": 10}
    changed = [{}, {"alpha": 0.0}, {"beta_norm": 0.1}, {"latent_dim": 2}]

    def point(change: dict[str, float]) -> dict[str, Any]:
        worst = 0.7 if change.get("alpha") == 0 else 0.9
        return {
            **shipped,
            **change,
            "joint": summary([0.95, 0.97]),
            "in_place": {o: summary([worst + 0.05 * (o != WORST)] * 2) for o in ORDERS},
            "kl": summary([12.0, 14.0]),
            "drift": {"1": summary([0.1, 0.3]), "10": summary([0.5, 0.5])},
        }

    return {
        "shipped": shipped,
        "epochs": 20,
        "train": 6000,
        "raw": summary([0.98, 0.98]),
        "points": [point(change) for change in changed],
    }


def section(**changed: int):
    return camera_lidar.section({"evaluation": evaluation(**changed), "ablation": ablation()})


def test_the_papers_own_result_holds_every_claim() -> None:
    assert section().name == "camera-lidar"
    assert [check.holds for check in section().checks] == [True] * 4


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"joint": 960}, [0]),
        ({"in_place": 942, "without": 600}, [1]),
        ({"in_place": 943, "without": 943}, [2, 3]),
        ({"in_place": 990, "without": 980}, [3]),
    ],
)
def test_a_claim_that_the_numbers_do_not_bear_is_a_miss(changed, missed) -> None:
    checks = section(**changed).checks
    assert [index for index, check in enumerate(checks) if not check.holds] == missed


def test_the_table_stands_beside_the_papers_rates_and_names_the_orders() -> None:
    rows = {row[0]: row[1:] for row in section().tables[0].rows}
    assert rows["raw: the β-VAE codes of all sensors"][0] == "97.1%"
    assert [row[-1] for row in rows.values() if row[-1]] == [
        "97.1%",
        "96.2%",
        "94.3%",
        "94.3%",
        "65.8%",
        "65.8%",
    ]
    worst = f"in place, worst of six orders ({WORST.replace(',', ' → ')})"
    assert rows[worst][0] == "94.3%"


def test_the_text_begins_with_the_parameter_that_matters_most() -> None:
    _, ranking, first, *_ = section().text
    assert "α by 20.0 points, β_norm by 0.0 points, D_z by 0.0 points" in ranking
    assert first.startswith("α: in place, worst order, 90.0% at 0.1 and 70.0% at 0")


def test_the_ablation_shows_each_sweep_through_the_shipped_recipe() -> None:
    table = section().tables[1]
    assert [row[0] for row in table.rows] == [
        "β_norm = 0.001 (shipped)",
        "β_norm = 0.1",
        "α = 0",
        "α = 0.1 (shipped)",
        "D_z = 2",
        "D_z = 10 (shipped)",
    ]
    assert list(table.rows[2][1:]) == ["96.0%", "70.0%", "75.0%", "13.0", "0.200", "0.500"]


def test_the_figure_has_a_panel_per_parameter_with_joint_worst_order_and_raw() -> None:
    for panel in camera_lidar.picture(ablation()).axes:
        lines = {line.get_label(): line.get_ydata() for line in panel.get_lines()}
        assert list(lines["joint"]) == pytest.approx([96.0, 96.0])
        assert max(lines["in place, worst order"]) == pytest.approx(90.0)
        assert list(lines["raw codes"]) == [98.0, 98.0]


@pytest.mark.parametrize("quick", [False, True])
def test_each_configuration_differs_from_the_shipped_recipe_in_one_parameter(quick) -> None:
    setting = camera_lidar.settings(quick)
    recipes = camera_lidar.configurations(setting)
    assert recipes[0] == setting.recipe
    for recipe in recipes[1:]:
        fields = [f for f in vars(recipe) if getattr(recipe, f) != getattr(setting.recipe, f)]
        assert len(fields) == 1
    for name, values in setting.sweeps.items():
        assert {getattr(recipe, name) for recipe in recipes} == set(values)


def test_the_recipe_is_the_shipped_one_but_for_its_schedule() -> None:
    card = json.loads((camera_lidar.resource(camera_lidar.WEIGHTS) / "card.json").read_text())
    recipe = camera_lidar.settings(quick=False).recipe
    for name in ("latent_dim", "beta_norm", "alpha"):
        assert card["recipe"]["m2vae"][name] == getattr(recipe, name)
    seeds = [camera_lidar.FRESH_SEED + i for i in range(10)]
    assert card["data"]["seed"] not in seeds


def test_drift_is_the_mean_distance_from_the_embedding_that_was_encoded_again() -> None:
    torch.manual_seed(0)
    model = M2VAE(M2VAEConfig(dict.fromkeys("abc", 2), latent_dim=3, hidden=(8,)))
    start = torch.randn(7, 3)
    with torch.no_grad():
        again = model.encode({m: model.decode(m, start) for m in "abc"}).mean
        drift = camera_lidar.drift(model, start)
    assert drift["1"] == pytest.approx((again - start).norm(dim=1).mean().item())
    assert list(drift) == ["1", "10"]


@pytest.mark.slow
def test_a_second_run_neither_senses_nor_trains_and_publishes_the_same(
    tmp_path, monkeypatch
) -> None:
    tiny = camera_lidar.Settings(
        sweeps={"beta_norm": (1e-3,), "alpha": (0.0, 0.1), "latent_dim": (2, 10)},
        fresh=16,
        train=(48, 48),  # early stopping sets a tenth aside, which has to hold eight classes
        recipe=M2VAERecipe(schedule=Schedule(epochs=2)),
        seeds=2,
    )
    monkeypatch.setattr(camera_lidar, "settings", lambda quick: tiny)
    monkeypatch.setattr(suite, "ENOUGH_TO_STOP_EARLY", 96)  # and to calibrate, as in earnest
    monkeypatch.setattr(calibration, "STEPS", 20)
    (tmp_path / "out").mkdir()
    lab = Lab(tmp_path / "out", tmp_path / "runs", workers=1)
    camera_lidar.run(lab)
    numbers = lab.published("camera-lidar")

    assert numbers["evaluation"]["n"] == 16
    assert set(numbers["evaluation"]["in_place"]) == set(ORDERS)
    assert numbers["ablation"]["train"] == 96
    assert len(numbers["ablation"]["raw"]["seeds"]) == 2
    points = numbers["ablation"]["points"]
    assert [(p["alpha"], p["latent_dim"]) for p in points] == [(0.1, 10), (0.0, 10), (0.1, 2)]
    for point in points:
        assert set(point["in_place"]) == set(ORDERS)
        cells = [point["joint"], point["kl"], *point["drift"].values(), *point["in_place"].values()]
        assert all(len(cell["seeds"]) == 2 for cell in cells)
    assert (lab.out / "ablation.png").stat().st_size > 10_000
    record = json.loads((lab.out / "reproduce.json").read_text())["camera-lidar"]
    assert record["numbers"] == numbers
    assert len(set(record["seeds"]["samples"])) == 3
    assert camera_lidar.section(numbers).tables[1].rows

    def refuse(*_, **__):
        raise AssertionError("done again")

    monkeypatch.setattr(torch.optim.Adam, "step", refuse)
    monkeypatch.setattr(camera_lidar, "sample", refuse)
    camera_lidar.run(lab)
    assert lab.published("camera-lidar") == numbers
