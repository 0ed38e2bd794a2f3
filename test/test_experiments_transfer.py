# SPDX-License-Identifier: Apache-2.0
"""The transfer between the simulators: run when named, judged by what was measured."""

import pytest
from rich.console import Console

from m2vae_ros.data.errors import DataError
from m2vae_ros.experiments import reproduce, transfer
from m2vae_ros.experiments.lab import Lab

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
    for name, module in reproduce.EXPERIMENTS.items():
        monkeypatch.setattr(module, "run", lambda lab, name=name: ran.append(name))
    lab = Lab(tmp_path / "out", tmp_path / "runs", quick=True)
    assert reproduce.reproduce([], lab, Console(quiet=True))
    assert ran == [name for name in reproduce.EXPERIMENTS if name != "transfer"]
    assert reproduce.reproduce(["transfer"], lab, Console(quiet=True))
    assert ran[-1] == "transfer"


def test_bags_that_are_not_there_are_named_with_the_command_that_makes_them(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "sample", None)  # nothing is simulated in vain
    lab = Lab(tmp_path / "out", tmp_path / "runs", quick=True, bags=tmp_path / "bags")
    with pytest.raises(DataError, match="bags/train: no such folder; `m2vae survey"):
        transfer.run(lab)
