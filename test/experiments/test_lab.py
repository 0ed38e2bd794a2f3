# SPDX-License-Identifier: Apache-2.0
"""Experiments: many at once, resumed where they were, every number published."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from m2vae_ros.datasets.errors import DataError
from m2vae_ros.experiments import contenders, reproduce, table1, table2
from m2vae_ros.experiments.lab import Lab, summary
from m2vae_ros.training import loop
from m2vae_ros.training.loop import Schedule
from m2vae_ros.vae.baselines import MODELS


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path / "out", tmp_path / "runs", quick=True, seeds=2, workers=1)


_JOBS = """
import os, sys, time
from pathlib import Path
import torch
from m2vae_ros.experiments.lab import Lab

def facts(number):
    return number, os.getpid(), torch.get_num_threads()

def refuse(number):
    raise ValueError(f"{number} is wrong")

def sleep(number):
    Path(sys.argv[1], f"{number}.begun").touch()
    time.sleep(600)

if __name__ == "__main__":
    from lab_jobs import facts, refuse, sleep

    lab = Lab(Path(sys.argv[1]), Path(sys.argv[1]), workers=2)
    print(lab.map("jobs", {"facts": facts, "refuse": refuse, "sleep": sleep}[sys.argv[2]],
                  [(n,) for n in range(6)]))
"""


@pytest.fixture
def start(tmp_path):
    """Starts a lab with two processes in a process of its own, which ends with the test."""
    script = tmp_path / "lab_jobs.py"
    script.write_text(_JOBS)
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    started = []

    def begin(job):
        process = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path), job],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.slow
def test_results_come_in_the_order_of_the_arguments_from_several_processes(start):
    process = start("facts")
    results = ast.literal_eval(process.communicate(timeout=120)[0])
    assert [number for number, _, _ in results] == list(range(6))
    assert all(pid != process.pid for _, pid, _ in results)
    assert {threads for _, _, threads in results} == {1}


@pytest.mark.slow
def test_an_error_in_another_process_comes_out_as_it_is(start):
    process = start("refuse")
    error = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert error.splitlines()[-1].startswith("ValueError: ")
    assert error.splitlines()[-1].endswith("is wrong")


@pytest.mark.slow
def test_ctrl_c_ends_every_process_of_a_lab(start, tmp_path):
    process = start("sleep")
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("*.begun"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    process.communicate(timeout=60)
    assert process.returncode != 0
    with pytest.raises(ProcessLookupError):
        _wait_until_gone(process.pid)


def _wait_until_gone(group):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        os.killpg(group, 0)
        time.sleep(0.05)


def test_a_cell_holds_mean_standard_deviation_and_the_value_of_each_seed():
    cell = summary([1.0, 2.0, 3.0])
    assert cell == {"mean": 2.0, "std": 1.0, "seeds": [1.0, 2.0, 3.0]}
    assert summary([0.5]) == {"mean": 0.5, "std": 0.0, "seeds": [0.5]}


def test_numbers_are_published_alone_and_with_seeds_version_and_time(lab):
    lab.publish("one", {"x": 1}, seeds=[0])
    lab.publish("two", {"x": 2}, seeds=[0, 1])
    assert lab.published("one") == {"x": 1}
    assert lab.published("three") is None
    everything = json.loads((lab.out / "reproduce.json").read_text())
    assert everything["one"]["numbers"] == {"x": 1}
    assert everything["two"]["seeds"] == [0, 1]
    assert everything["two"]["quick"] is True
    assert {"time", "versions"} <= set(everything["one"])


@pytest.fixture
def tiny(monkeypatch):
    """Table I in a second: little data, one epoch, three models."""
    setting = table1.settings(quick=True)
    recipe = contenders.ContenderRecipe(table1.CONFIG, 0.01, Schedule(epochs=1, batch_size=50))
    small = table1.Settings(200, 100, recipe)
    monkeypatch.setattr(table1, "settings", lambda quick: small)
    chosen = {name: MODELS[name] for name in ("M2VAE", "BiVCCA", "JMVAE")}
    monkeypatch.setattr(table1, "contenders", lambda: chosen)
    return setting


def test_table_1_maps_model_and_column_to_mean_std_and_seeds(lab, tiny):
    table1.run(lab)
    numbers = json.loads((lab.out / "table1.json").read_text())
    assert list(numbers) == ["raw", "M2VAE", table1.OWN, "BiVCCA", "JMVAE"]
    for model in ("raw", "M2VAE", table1.OWN, "JMVAE"):
        assert list(numbers[model]) == ["ab", "a", "b"]
        for cell in numbers[model].values():
            assert len(cell["seeds"]) == 2
            assert cell["mean"] == pytest.approx(sum(cell["seeds"]) / 2)
    assert numbers["BiVCCA"]["ab"] is None


def test_what_is_trained_is_loaded_the_next_time(lab, tiny, monkeypatch):
    table1.run(lab)
    first = lab.published("table1")
    monkeypatch.setattr(
        loop.checkpoints, "save", lambda *_: pytest.fail("trained although it was done")
    )
    table1.run(lab)
    assert lab.published("table1") == first


def test_a_dash_says_by_a_footnote_why_the_cell_is_empty(lab, tiny):
    table1.run(lab)
    table = table1.section(lab.published("table1")).tables[0]
    row = next(row for row in table.rows if row[0] == "BiVCCA")
    assert row[1] == "–¹"
    assert "has a posterior of a and one of b, and none of both" in table.footnotes[0]


def _cell(mean):
    return {"mean": mean, "std": 0.0, "seeds": [mean] * 5}


def _row(ab, a, b):
    return {"ab": _cell(ab), "a": _cell(a), "b": _cell(b)}


def test_table_1_says_where_the_m2vae_is_off_the_raw_rate():
    numbers = {"raw": _row(0.99, 0.71, 0.90), "M2VAE": _row(0.985, 0.69, 0.905)}
    numbers |= {table1.OWN: _row(0.99, 0.708, 0.9), "JMVAE": _row(0.99, 0.7, 0.9)}
    section = table1.section(numbers)
    assert [check.holds for check in section.checks] == [True, False, True]
    assert "0.690" in section.checks[1].measured
    assert "own the very same embeddings are right in 0.708" in section.misses[0]


def test_table_2_names_who_is_higher_and_who_is_closer():
    numbers = {"M2VAE": _row(-10, -11, -12), "JMVAE": _row(-12, -12.1, -12.2)}
    numbers |= {"JMVAE-Zero": _row(-9, -50, -40), "BiVCCA": _row(-13, -14, -15)}
    highest_ab, highest_a, highest_b, closest = table2.section(numbers).checks
    assert not highest_ab.holds
    assert "JMVAE-Zero" in highest_ab.measured
    assert highest_a.holds
    assert not highest_b.holds or highest_b.measured.startswith("-12.00")
    assert not closest.holds
    assert "(JMVAE)" in closest.measured


def test_an_extension_has_a_row_of_table_2_and_no_part_in_the_papers_claims():
    numbers = {"M2VAE": _row(-10, -10, -10), "JMVAE": _row(-12, -12.1, -12.2)}
    numbers["BiVCCA"] = _row(-13, -13, -13)
    (extension,) = contenders.EXTENSIONS
    extended = numbers | {extension: _row(-9, -9, -9)}
    section = table2.section(extended)
    assert section.checks == table2.section(numbers).checks
    assert extension in [row[0] for row in section.tables[0].rows]
    assert "w = .25" in section.tables[0].caption
    assert "w = .25" not in table2.section(numbers).tables[0].caption


def test_where_samples_are_fresh_at_every_step_none_of_the_given_counts():
    recipe = contenders.ContenderRecipe(table1.CONFIG, 0.01, Schedule(epochs=2, batch_size=50))
    asked = []

    def fresh(count):
        asked.append(count)
        return {m: torch.randn(count, 2) for m in "ab"}

    first, second = (
        contenders.train_contender("M2VAE, cross terms", recipe, x, 0, fresh, quiet=True)
        for x in ({m: torch.full((120, 2), value) for m in "ab"} for value in (0.0, 9.0))
    )
    assert asked == 2 * [50, 50, 20, 50, 50, 20]
    assert first.cross == 0.25
    weights = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in weights)


def test_an_unknown_experiment_is_named_with_those_there_are(lab):
    from rich.console import Console

    with pytest.raises(ValueError, match="table3.*table1"):
        reproduce.reproduce(["table3"], lab, Console())


def test_an_experiment_without_data_is_named_and_the_others_go_on(lab, tiny, monkeypatch):
    from rich.console import Console

    def no_data(_):
        raise DataError("MNIST is nowhere")

    monkeypatch.setattr(table2, "run", no_data)
    console = Console(record=True, width=100)
    assert not reproduce.reproduce(["table2", "table1"], lab, console)
    text = console.export_text()
    assert "table2 was not run: MNIST is nowhere" in text
    assert "M2VAE" in (lab.out / "index.html").read_text()


def test_the_command_knows_every_experiment():
    from m2vae_ros.cli import reproduction

    assert tuple(reproduce.EXPERIMENTS) == reproduction.EXPERIMENTS
