# SPDX-License-Identifier: Apache-2.0
"""Table II and MNIST-E, in small, from the real digits and articles."""

import json
from dataclasses import replace

import pytest

from m2vae_ros.datasets.errors import DataError
from m2vae_ros.datasets.mnist import FASHION_MNIST, MNIST
from m2vae_ros.experiments import mnist, table2
from m2vae_ros.experiments.contenders import EXTENSIONS
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.training.loop import Schedule
from m2vae_ros.vae.baselines import MODELS


@pytest.fixture
def tiny(monkeypatch):
    """One epoch on a few pairs of three models."""
    for source in (MNIST, FASHION_MNIST):
        monkeypatch.setattr(type(source), "_fetch", _offline)
        try:
            source.find()
        except DataError as error:
            pytest.skip(f"{source.title}: {str(error).splitlines()[0]}")
    base = table2.settings(quick=True)
    once = Schedule(epochs=1, batch_size=50)
    small = replace(
        base,
        digits=500,
        articles=500,
        conditional=replace(base.conditional, schedule=once),
        train=200,
        test=100,
        recipe=replace(base.recipe, schedule=once),
        samples=2,
    )
    monkeypatch.setattr(table2, "settings", lambda quick: small)
    chosen = {name: MODELS[name] for name in ("M2VAE", "BiVCCA", "CVAE", "JMVAE")}
    for module in (table2, mnist):
        monkeypatch.setattr(module, "contenders", lambda: chosen)


def _offline(source, cache):
    raise DataError(f"{source.title} is not on this machine")


@pytest.mark.slow
def test_table_2_and_the_classes_come_from_the_same_trainings(tmp_path, tiny):
    lab = Lab(tmp_path, tmp_path / "runs", quick=True, seeds=2, workers=1)
    table2.run(lab)
    trained = sorted(lab.runs.rglob("*.safetensors"))
    mnist.run(lab)
    assert set(lab.runs.rglob("table2/**/*.safetensors")) <= set(trained) | {
        lab.runs / "table2" / "CVAE" / str(seed) / f"{table2.BETA_NORM}.safetensors"
        for seed in lab.fresh_seeds
    }

    bounds = json.loads((tmp_path / "table2.json").read_text())
    assert list(bounds) == ["M2VAE", "BiVCCA", "JMVAE", *EXTENSIONS]  # CVAE has no such bound
    assert bounds["BiVCCA"]["ab"] is None
    assert len(bounds["M2VAE"]["ab"]["seeds"]) == 2
    rows = table2.section(bounds).tables[0].rows
    assert next(row for row in rows if row[0] == "CVAE")[1].startswith("–")

    classes = json.loads((tmp_path / "mnist.json").read_text())
    assert list(classes) == ["M2VAE", "BiVCCA", "CVAE", "JMVAE"]
    assert classes["CVAE"]["accuracy"]["b"] is None
    assert all(0 < entry["seconds_per_epoch"] < 60 for entry in classes.values())
    assert (tmp_path / "fig3b.png").read_bytes().startswith(b"\x89PNG")
    assert mnist.section(classes).figures[0].file == "fig3b.png"
