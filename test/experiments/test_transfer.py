# SPDX-License-Identifier: Apache-2.0
"""The transfer between the simulators: run when named, judged by what was measured."""

from dataclasses import replace

import numpy as np
import pytest
from random_samples import random_samples
from rich.console import Console

from m2vae_ros.datasets.errors import DataError
from m2vae_ros.experiments import reproduce, transfer
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.host.resources import resource
from m2vae_ros.training.suite import WITHOUT_REENCODING
from m2vae_ros.vae.weights import load

ORDERS = ("camera → lidar → reflectance", "lidar → camera → reflectance")


def measured(joint, *in_place):
    return {"raw": 0.99, "joint": joint, "in_place": dict(zip(ORDERS, in_place, strict=True))}


def numbers(shipped_in_gazebo, own=None):
    good = measured(0.99, 0.99, 0.98)
    return {
        "trained": {
            "mujoco": {"mujoco": good, "gazebo": shipped_in_gazebo},
            "gazebo": {"mujoco": good, "gazebo": own or good},
            "mujoco_tuned": {"mujoco": good, "gazebo": good},
            "gazebo_tuned": {"mujoco": good, "gazebo": good},
        },
        "samples": {part: {"mujoco": 10, "gazebo": 20} for part in ("train", "test")},
    }


@pytest.mark.parametrize(
    ("shipped", "verdicts"),
    [
        (measured(0.985, 0.99, 0.98), [True, True, True]),
        (measured(0.985, 0.99, 0.959), [False, False, True]),
        (measured(0.99, 0.99, 0.97), [True, False, True]),
        (measured(0.97, 0.97, 0.97), [True, True, False]),
    ],
)
def test_the_verdicts_follow_from_the_worst_order(shipped, verdicts):
    section = transfer.section(numbers(shipped))
    assert [check.holds for check in section.checks] == verdicts


def test_the_table_has_every_training_in_both_worlds():
    (table,) = transfer.section(numbers(measured(0.9, 0.9, 0.8))).tables
    assert [row[0] for row in table.rows] == [
        "MuJoCo (shipped)",
        "Gazebo",
        "MuJoCo, 10 min Gazebo",
        "Gazebo, 10 min MuJoCo",
    ]
    assert table.rows[0][1:] == ("99.0%", "99.0%", "98.0%", "99.0%", "90.0%", "80.0%")


def test_it_is_not_run_unless_named(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(reproduce, "FIGURES", {})
    for name, module in reproduce.EXPERIMENTS.items():
        monkeypatch.setattr(module, "run", lambda lab, name=name: ran.append(name))
    lab = Lab(tmp_path / "out", tmp_path / "runs", quick=True)
    assert reproduce.reproduce([], lab, Console(quiet=True))
    assert ran == [name for name in reproduce.EXPERIMENTS if name != "transfer"]
    assert reproduce.reproduce(["transfer"], lab, Console(quiet=True))
    assert ran[-1] == "transfer"


def test_bags_that_are_not_there_are_named_with_the_command_that_makes_them(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "simulated", None)  # nothing is simulated in vain
    lab = Lab(tmp_path / "out", tmp_path / "runs", quick=True, bags=tmp_path / "bags")
    with pytest.raises(DataError, match="bags/train: no such folder; `m2vae survey"):
        transfer.run(lab)


def few_samples(seed):
    rng = np.random.default_rng(seed)
    return random_samples(rng, np.arange(8))


def test_samples_of_other_bags_are_named_and_not_used(tmp_path, monkeypatch):
    bags, readings = tmp_path / "bags", []

    def read_bags(paths, seed):
        readings.append(paths)
        return few_samples(len(readings)), None

    monkeypatch.setattr(transfer, "read_bags", read_bags)
    (bags / "train").mkdir(parents=True)
    (bags / "train/x.mcap").write_bytes(b"1")
    lab = Lab(tmp_path / "out", tmp_path / "runs", bags=bags)
    first = transfer._recorded(lab, "train").digest()
    # they are read once, also by whoever has no bags any more
    for again in (lab, replace(lab, bags=tmp_path / "nowhere")):
        assert transfer._recorded(again, "train").digest() == first
    assert len(readings) == 1

    (bags / "train/x.mcap").write_bytes(b"12")
    with pytest.raises(DataError, match=r"gazebo-train\.npz: was made of other bags.*remove it"):
        transfer._recorded(lab, "train")
    (tmp_path / "runs/transfer/gazebo-train.npz").unlink()
    assert transfer._recorded(lab, "train").digest() != first
    transfer._recorded(lab, "train")
    assert len(readings) == 2


def test_samples_of_which_is_not_known_what_they_were_made_of_are_used(tmp_path):
    (tmp_path / "bags/train").mkdir(parents=True)
    path = tmp_path / "runs/transfer/gazebo-train.npz"
    few_samples(1).save(path)
    lab = Lab(tmp_path / "out", tmp_path / "runs", bags=tmp_path / "bags")
    assert transfer._recorded(lab, "train").digest() == few_samples(1).digest()
    (tmp_path / "bags/train/x.mcap").touch()
    with pytest.raises(DataError, match="other bags"):
        transfer._recorded(lab, "train")


def test_weights_of_other_samples_or_another_start_are_named_and_not_used(tmp_path, monkeypatch):
    shipped, folder = resource("models/amiro"), tmp_path / "tuned"
    weights = load(shipped)
    weights.facts["data"] = {"sha256": few_samples(1).digest()}
    weights.facts["training"] = {"from": weights.fingerprint}
    for suffix in ("", WITHOUT_REENCODING):
        weights.save(tmp_path / f"tuned{suffix}")
    monkeypatch.setattr(transfer, "train", None)  # nothing is trained
    transfer._train(folder, few_samples(1), "gazebo", start=shipped)
    for samples, start in ((few_samples(2), shipped), (few_samples(1), None)):
        with pytest.raises(DataError, match="tuned: was trained on other samples or from other"):
            transfer._train(folder, samples, "gazebo", start=start)
