# SPDX-License-Identifier: Apache-2.0
"""Several processes, started by torchrun, train what one does with the same batches."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.vae.weights import load
from m2vae_ros.world.suite import AMIRO

pytestmark = pytest.mark.slow

TRAINING = """
import json, sys
from pathlib import Path
import torch
from m2vae_ros.datasets.attributes import attributes
from m2vae_ros.training import distributed
from m2vae_ros.training.loop import Schedule, fit
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig
from m2vae_ros.vae.objectives import m2vae_bound, reencoding_loss
from m2vae_ros.vae.terms import drawn_terms

def of_m2vae(model, batch):
    terms = drawn_terms(tuple(batch))
    posteriors = model.posteriors(batch, terms.bounds)
    bound = m2vae_bound(model, batch, posteriors, 0.01, terms)
    return {"loss": 0.1 * reencoding_loss(model, batch, posteriors, terms) - bound}

with distributed.process_group():
    x = {m: torch.from_numpy(values) for m, values in attributes(5, 1001, 0).x.items()}
    torch.manual_seed(0)
    line = torch.nn.Linear(2, 1)
    three, five = (M2VAE(M2VAEConfig(dict.fromkeys(m, 2), 4, (32, 16))) for m in ("abc", "abcde"))
    square = lambda batch, epoch: {"loss": (line(batch["a"]) - batch["b"][:, :1]).square().sum(1)}
    of_line = fit(line, square, x, Schedule(5, 256, 0.05), title="line", quiet=True)
    some = {m: x[m] for m in "abc"}
    torch.randn_like, noise = torch.zeros_like, torch.randn_like
    of_three = fit(three, lambda batch, epoch: of_m2vae(three, batch), some,
                   Schedule(10, 250, 3e-3), title="three", quiet=True)
    # each process draws noise of its own, and of five modalities other subsets
    torch.randn_like = noise
    drawn = fit(five, lambda batch, epoch: of_m2vae(five, batch), x, Schedule(5, 250, 3e-3),
                title="five", quiet=True)
    weights = [p.detach().double().sum().item() for p in (*three.parameters(), *five.parameters())]
    told = [distributed.count(), of_line, of_three, [drawn, weights]]
    Path(sys.argv[1], f"{distributed.rank()}.json").write_text(json.dumps(told))
"""


def _torchrun(*command: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [*run, *command], env=environment, capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 0, found.stderr
    return found


def test_two_processes_follow_the_loss_curve_of_one(tmp_path: Path) -> None:
    script = tmp_path / "training.py"
    script.write_text(TRAINING)
    for folder in ("alone", "shared"):
        (tmp_path / folder).mkdir()
    subprocess.run([sys.executable, script, tmp_path / "alone"], check=True)
    _torchrun(str(script), str(tmp_path / "shared"))
    count, *expected, _ = json.loads((tmp_path / "alone/0.json").read_text())
    assert count == 1
    first, second = (json.loads((tmp_path / f"shared/{n}.json").read_text()) for n in (0, 1))
    assert first == second, "both have the same weights and tell the same losses"
    count, *found, _ = first
    assert count == 2
    for ours, theirs in zip(found, expected, strict=True):
        assert [epoch["loss"] for epoch in ours] == pytest.approx(
            [epoch["loss"] for epoch in theirs], rel=1e-3
        )
        assert ours[-1]["loss"] < 0.99 * ours[0]["loss"]


def test_of_two_processes_that_train_a_suite_one_writes_and_tells(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    packed = {
        name: random.integers(0, 256, (96, *view.shape)).astype(view.packed)
        if view.packed == np.uint8
        else random.random((96, *view.shape)).astype(view.packed)
        for name, view in AMIRO.views.items()
    }
    Samples(AMIRO, packed, np.arange(96) % 8).save(tmp_path / "samples.npz")
    data, out = str(tmp_path / "samples.npz"), tmp_path / "trained"
    command = ["-m", "m2vae_ros.cli", "train", "amiro", "--data", data, "--out", str(out)]
    found = _torchrun(*command)
    fingerprint = load(out).fingerprint
    assert found.stdout.count(fingerprint) == 1
    assert not (out / ".training").exists()


def test_what_one_process_alone_can_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="without torchrun"):
        _torchrun(
            *("-m", "m2vae_ros.cli", "train", "amiro", "--minutes", "1"),
            *("--out", str(tmp_path / "trained")),
        )
