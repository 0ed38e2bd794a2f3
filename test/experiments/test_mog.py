# SPDX-License-Identifier: Apache-2.0
"""Figures 3a and 4: what is drawn, and what is read off it."""

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.naive_bayes import GaussianNB

from m2vae_ros.experiments import mog, table1
from m2vae_ros.experiments.contenders import ContenderRecipe
from m2vae_ros.experiments.figures import DPI
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.training.loop import Schedule


def test_ambiguous_are_the_classes_the_paper_names():
    assert mog.ambiguous(("a", "b")) == []
    assert mog.ambiguous(("a",)) == [0, 5, 6, 7, 8]
    assert mog.ambiguous(("b",)) == [0, 9]


def test_statistics_keep_the_groups_apart_and_measure_distance_in_spreads():
    labels = np.arange(10).repeat(3)
    in_a = np.isin(labels, [0, 5, 6, 7, 8])
    rng = np.random.default_rng(0)
    z = rng.normal(size=(30, 2))
    spread = np.sqrt(np.square(z - z.mean(0)).sum(1).mean())
    moved = z + np.where(in_a, 100.0, 0.5 * spread)[:, None] * [1.0, 0.0]
    embedded = mog.Embedded(
        z={"ab": z, "a": moved, "b": 3 * z},
        elbo={"ab": -np.arange(30.0), "a": np.where(in_a, -2.0, -1.0), "b": np.arange(30.0)},
        kl={"ab": np.arange(30.0), "a": np.where(in_a, 5.0, 4.0), "b": np.arange(30.0)},
        classifier=GaussianNB(),
    )
    measured = mog.statistics(embedded, labels)
    assert measured["ab"]["ambiguous"] is None
    assert measured["ab"]["distance"] == 0
    by_all = np.arange(30.0)
    assert measured["a"] == {
        **measured["a"],
        "ambiguous": {"elbo": -2, "kl": 5, "samples": 15, "kl_by_all": by_all[in_a].mean()},
        "unambiguous": {"elbo": -1, "kl": 4, "samples": 15, "kl_by_all": by_all[~in_a].mean()},
    }
    assert measured["a"]["distance"] == pytest.approx(0.5)
    assert [measured[c]["correlation"] for c in ("ab", "a", "b")] == pytest.approx([-1, -1, 1])


def numbers(**ambiguous):
    """Made-up statistics: elsewhere ELBO -1 and KL 2; ``distance`` of the others is 0.5."""

    def model(distance):
        group = {"elbo": -1.0, "kl": 2.0, "kl_by_all": 2.5, "samples": 7}
        column = {"unambiguous": group, "correlation": -0.5, "distance": distance}
        single = {**column, "ambiguous": {**group, **ambiguous}}
        return {"ab": {**column, "ambiguous": None}, "a": single, "b": single}

    return {"M2VAE": model(0.1), **{name: model(0.5) for name in mog.OTHERS}}


@pytest.mark.parametrize(
    ("elbo", "kl", "verdicts"),
    [(-2.0, 3.0, [True, True]), (-2.0, 1.0, [True, False]), (0.0, 3.0, [False, True])],
)
def test_verdicts_follow_the_numbers(elbo, kl, verdicts):
    section = mog.section(numbers(elbo=elbo, kl=kl))
    assert [check.holds for check in section.checks] == [*verdicts, *verdicts, True, True]
    as_incoherent = {**numbers(), "M2VAE": numbers()["tVAE"]}
    assert [check.holds for check in mog.section(as_incoherent).checks[-2:]] == [False, False]


@pytest.mark.slow
def test_run_draws_three_pictures_and_publishes_what_they_show(tmp_path, monkeypatch):
    recipe = ContenderRecipe(table1.CONFIG, beta_norm=0.01, schedule=Schedule(epochs=1))
    monkeypatch.setattr(mog, "settings", lambda quick: table1.Settings(500, 400, recipe))
    lab = Lab(tmp_path / "out", tmp_path / "runs", quick=True, workers=1)
    mog.run(lab)
    section = mog.section(lab.published(mog.NAME))
    sizes = {"fig3a.png": (2 * 3.4, 3.2), "fig4.png": (3 * 2.7, 4 * 2.4)}
    sizes["fig4_others.png"] = (3 * 2.7, len(mog.OTHERS) * 2.4)
    assert [figure.file for figure in section.figures] == list(sizes)
    for name, (width, height) in sizes.items():
        with Image.open(lab.out / name) as image:
            assert image.format == "PNG"
            assert image.size == pytest.approx((width * DPI, height * DPI), abs=1)
            assert len(np.unique(np.asarray(image.convert("L")))) > 100, "all blank"
    known = json.loads((lab.out / "reproduce.json").read_text())[mog.NAME]
    assert known["quick"]
    assert known["numbers"]["M2VAE"]["a"]["ambiguous"]["samples"] > 0

    # the models are Table I's: what one has trained the other loads
    before = {path: path.stat().st_mtime_ns for path in lab.runs.rglob("*.safetensors")}
    assert len(before) == 1 + len(mog.OTHERS)
    table1.trained(lab, mog.settings(True), "M2VAE", mog.SEED)
    assert {path: path.stat().st_mtime_ns for path in lab.runs.rglob("*.safetensors")} == before
