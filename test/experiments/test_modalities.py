# SPDX-License-Identifier: Apache-2.0
"""Four and five modalities: what the report says of them follows from the published numbers."""

import json
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch

from m2vae_ros.datasets.attributes import attributes, best_rate
from m2vae_ros.datasets.attributes import modalities as names
from m2vae_ros.experiments import modalities
from m2vae_ros.experiments.contenders import tensors
from m2vae_ros.experiments.lab import Lab, summary
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe
from m2vae_ros.vae.in_place import sensed_in_turn
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig, subsets


def coherent() -> dict[str, Any]:
    """Numbers of a model that reaches the best rates everywhere, three seeds."""
    numbers = {}
    for n in modalities.TOLERANCE:
        best = {"".join(s): best_rate(n, s) for s in subsets(names(n))}
        cells = {s: summary([rate] * 3) for s, rate in best.items()}
        sizes = {str(k): summary([k / n] * 3) for k in range(1, n + 1)}
        numbers[str(n)] = {
            "best": best,
            "raw": cells,
            "embedding": deepcopy(cells),
            "in_place": sizes,
            "at_once": deepcopy(sizes),
        }
    return numbers


def test_when_every_subset_is_as_good_as_raw_every_claim_holds() -> None:
    section = modalities.section(coherent())
    assert section.name == "modalities"
    assert [check.holds for check in section.checks] == [True] * 4
    assert ["15 subsets" in c.claim for c in section.checks] == [True, False, False, False]
    assert ["31 subsets" in c.claim for c in section.checks] == [False, False, True, False]


@pytest.mark.parametrize(("n", "subset"), [(4, "bd"), (5, "ace"), (5, "a")])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_single_subset_too_far_from_raw_is_a_miss_and_named(n, subset, sign) -> None:
    numbers = coherent()
    numbers[str(n)]["embedding"][subset]["mean"] += sign * (modalities.TOLERANCE[n] + 0.001)
    checks = modalities.section(numbers).checks
    (missed,) = [check for check in checks if not check.holds]
    assert missed.claim.startswith(f"{n} modalities: every one")
    assert " & ".join(subset) in missed.measured


def test_a_loss_in_place_is_a_miss_even_if_the_encoders_cohere() -> None:
    numbers = coherent()
    numbers["5"]["in_place"]["5"]["mean"] = 0.96
    (missed,) = [c for c in modalities.section(numbers).checks if not c.holds]
    assert "5 modalities fused in place" in missed.claim
    assert missed.measured == "0.960"


def test_the_tables_have_one_row_per_size_that_counts_all_subsets() -> None:
    for table, n in zip(modalities.section(coherent()).tables, (4, 5), strict=True):
        assert [len(row) for row in table.rows] == [len(table.header)] * n
        assert sum(int(row[1]) for row in table.rows) == 2**n - 1


def test_the_figure_shows_every_subset_ordered_by_size() -> None:
    for panel, n in zip(modalities.picture(coherent()).axes, (4, 5), strict=True):
        shown = [label.get_text() for label in panel.get_xticklabels()]
        assert sorted(shown) == sorted("".join(s) for s in subsets(names(n)))
        assert [len(subset) for subset in shown] == sorted(len(subset) for subset in shown)


def test_sensing_in_turn_keeps_only_the_embedding() -> None:
    torch.manual_seed(0)
    model = M2VAE(M2VAEConfig(dict.fromkeys("abc", 2), latent_dim=3, hidden=(8,)))
    x = tensors(attributes(3, 5, 0).x)
    with torch.no_grad():
        first, second, third = sensed_in_turn(model, x, ("c", "a", "b"))
        assert torch.equal(first, model.encode({"c": x["c"]}).mean)
        unfolded = {"c": model.decode("c", first), "a": x["a"]}
        assert torch.equal(second, model.encode(unfolded).mean)
        unfolded = {m: model.decode(m, second) for m in "ac"} | {"b": x["b"]}
        assert torch.equal(third, model.encode(unfolded).mean)


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> Lab:
    settings = {
        n: modalities.Settings(
            train=300,
            test=400,
            recipe=M2VAERecipe(n, (16,), beta_norm=0.01, schedule=Schedule(epochs=2)),
            seeds=2,
            orders=3,
        )
        for n in modalities.TOLERANCE
    }
    monkeypatch.setattr(modalities, "settings", lambda quick: settings)
    (tmp_path / "out").mkdir()
    return Lab(tmp_path / "out", tmp_path / "runs", workers=1)


@pytest.mark.slow
def test_a_second_run_trains_nothing_and_publishes_the_same(tiny, monkeypatch) -> None:
    modalities.run(tiny)
    numbers = tiny.published("modalities")

    def refuse(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(torch.optim.Adam, "step", refuse)
    modalities.run(tiny)
    assert tiny.published("modalities") == numbers


@pytest.mark.slow
def test_what_is_published_is_every_subset_with_every_seed(tiny) -> None:
    modalities.run(tiny)
    numbers = tiny.published("modalities")
    assert list(numbers) == ["4", "5"]
    for n, of_n in numbers.items():
        everything = {"".join(s) for s in subsets(names(int(n)))}
        sizes = [str(k) for k in range(1, int(n) + 1)]
        assert of_n["best"] == {s: best_rate(int(n), s) for s in of_n["best"]}
        for kind in ("best", "raw", "embedding"):
            assert set(of_n[kind]) == everything
        for kind in ("in_place", "at_once"):
            assert list(of_n[kind]) == sizes
        for kind in ("raw", "embedding", "in_place", "at_once"):
            for cell in of_n[kind].values():
                assert len(cell["seeds"]) == 2
                assert cell["mean"] == pytest.approx(np.mean(cell["seeds"]))
        # The first modality is not fused with anything: in place is at once.
        assert of_n["in_place"]["1"] == of_n["at_once"]["1"]
    assert (tiny.out / "modalities.png").stat().st_size > 10_000
    record = json.loads((tiny.out / "reproduce.json").read_text())["modalities"]
    assert record["numbers"] == numbers
    assert record["seeds"] == {"4": [0, 1], "5": [0, 1]}
    assert modalities.section(numbers).checks[0].holds is False  # two epochs teach nothing
