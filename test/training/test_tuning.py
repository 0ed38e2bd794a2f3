# SPDX-License-Identifier: Apache-2.0
"""The search for networks: judged by what is held out, gone on with, and never worse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from random_samples import random_samples
from suites import modality, plain

from m2vae_ros.cli import main
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.datasets.samples import Samples
from m2vae_ros.sensors import SensorSuite, read_suite
from m2vae_ros.sensors.suite_file import write_suite
from m2vae_ros.training.tuning import tune

TINY = {"hidden": [8], "epochs": 1, "latent_dim": 4}


def samples(labelled: bool = True, groups: int = 8) -> Samples:
    fields = plain(modalities={"distance": modality("range"), "again": modality("range")})
    for one in fields["modalities"].values():
        one["beta_vae"] = TINY
    fields["fusion"] = TINY | {"latent_dim": 8}
    if not labelled:
        del fields["classes"]
        fields["sampling"] = {"labels": ""}
    suite = SensorSuite.from_plain(fields)
    count = 64
    labels = np.arange(count) % len(suite.classes) if labelled else np.full(count, -1)
    made = random_samples(np.random.default_rng(0), labels, suite)
    return replace(made, groups=(np.arange(count) // (count // groups)).astype(np.str_))


@pytest.mark.parametrize("labelled", [True, False])
def test_a_search_goes_on_where_it_was_and_ends_no_worse_than_it_began(
    labelled: bool, tmp_path: Path
) -> None:
    some, journal = samples(labelled), tmp_path / "search.trials"
    counted: list[tuple[int, float]] = []

    def progress(done: int, best: float) -> None:
        counted.append((done, best))

    tune(some, journal, 2, progress=progress)
    found, judgement = tune(some, journal, 3, progress=progress)
    assert [done for done, _ in counted] == [1, 2, 3]
    bests = [best for _, best in counted]
    assert bests == sorted(bests)
    assert judgement == bests[-1]
    assert found.views == some.suite.views
    assert tune(some, journal, 3)[1] == judgement  # nothing is left to be tried


def test_samples_that_cannot_be_divided_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="groups: "):
        tune(samples(groups=1), tmp_path / "search.trials", 1)


def test_the_command_writes_a_suite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some, out = samples(), tmp_path / "tuned.yaml"
    some.save(tmp_path / "samples.npz")
    write_suite(tmp_path / "mine.yaml", some.suite)
    given = ["--data", str(tmp_path / "samples.npz"), "--out", str(out), "--trials", "1"]
    assert main(["tune", str(tmp_path / "mine.yaml"), *given]) == 0
    assert "judged" in capsys.readouterr().out
    assert read_suite(out).classes == some.suite.classes
    assert main(["tune", "amiro", "--out", str(out)]) == 1
    assert "--bags or --data" in capsys.readouterr().err
