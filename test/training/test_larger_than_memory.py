# SPDX-License-Identifier: Apache-2.0
"""Training from bags takes as much memory as it takes, however many readings there are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bag_making import Made, at, header, new, text, write
from random_samples import random_samples
from suites import modality, plain

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.training import suite as training
from m2vae_ros.training.suite import SuiteRecipe, train

SIDE = 128
"""Pixels."""

ROOM = 64
"""MB beyond what a training of a few samples takes: less than a quarter of the readings."""

SUITE = plain(
    modalities={
        "camera": modality(
            "image",
            view={"kind": "image", "height": SIDE, "width": SIDE, "colour": False},
            beta_vae={"latent_dim": 2, "hidden": [4], "epochs": 1, "batch_size": 64},
        ),
        "distance": modality("range", beta_vae={"latent_dim": 1, "hidden": [4], "epochs": 1}),
    },
    fusion={"latent_dim": 3, "hidden": [8, 4], "joint": 4, "epochs": 1},
    sampling={
        "labels": "state",
        "pairing": "time",
        "tolerance": 0.01,
        "split": "episode",
        "validation": 0.2,
    },
)

COMMAND = """
import json, resource, sys
from dataclasses import replace
from pathlib import Path
import torch
from m2vae_ros.cli import main, training as command
from m2vae_ros.host import spill
from m2vae_ros.training import loop, suite

# what is taken at a time, for the few and small samples of a test
command._MOST_MEASURED, suite.BATCH, loop.HELD_OUT_BATCH = 256, 64, 64
suite.MOST_TO_CLASSIFY, suite.ENOUGH_TO_STOP_EARLY, spill.PART = 1000, 500, 2**20
torch.set_num_threads(1)
few, many, file, out = sys.argv[1:]
assert main(["train", file, "--bags", few, "--out", f"{out}/few"]) == 0
used = next(line for line in open("/proc/self/status") if line.startswith("VmData"))
limit = int(used.split()[1]) * 1024 + ROOM * 10**6
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
sys.exit(main(["train", file, "--bags", many, "--out", f"{out}/many"]))
"""


def recording(messages: int) -> Iterator[Made]:
    """Noise before a camera, brighter and farther while the robot moves."""
    rng = np.random.default_rng(messages)
    for number in range(messages):
        episode, moving = number // 100, number // 100 % 2
        seconds = 1.0 + 0.05 * number + 2.0 * episode
        if not number % 100:
            yield text(seconds - 0.01, "/a/state", ("still", "moving")[moving])
        pixels = np.tile(rng.integers(100 * moving, 150 + 100 * moving, SIDE, np.uint8), SIDE)
        yield at(
            *("/a/image", "sensor_msgs/msg/Image", seconds),
            new(
                "sensor_msgs/msg/Image",
                header=header(seconds),
                height=SIDE,
                width=SIDE,
                encoding="mono8",
                is_bigendian=0,
                step=SIDE,
                data=pixels,
            ),
        )
        yield at(
            *("/a/range", "sensor_msgs/msg/Range", seconds),
            new(
                "sensor_msgs/msg/Range",
                header=header(seconds),
                radiation_type=0,
                field_of_view=0.1,
                min_range=0.0,
                max_range=4.0,
                range=1.0 + moving + 0.1 * rng.random(),
                variance=0.0,
            ),
        )


@pytest.mark.slow
def test_bags_larger_than_memory_are_trained_from_and_nothing_stays(tmp_path: Path) -> None:
    count = 16_000
    assert count * SIDE**2 > 4 * ROOM * 10**6
    few = write(tmp_path / "few", recording(2000))
    many = write(tmp_path / "many", recording(count))
    (tmp_path / "suite.yaml").write_text(json.dumps(SUITE))
    (tmp_path / "spilled").mkdir()
    code = COMMAND.replace("ROOM", str(ROOM))
    found = subprocess.run(
        [sys.executable, "-c", code, few, many, tmp_path / "suite.yaml", tmp_path],
        env={
            **os.environ,
            "TMPDIR": str(tmp_path / "spilled"),
            "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "torch"),  # whose optimisers make it
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    card = json.loads((tmp_path / "many/card.json").read_text())
    assert card["data"]["count"] == count
    assert card["metrics"]["n"] == 256
    assert list((tmp_path / "spilled").iterdir()) == []
    assert not (tmp_path / "many/.training").exists()


def test_from_disk_come_the_weights_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = SensorSuite.from_plain(SUITE)
    made = random_samples(np.random.default_rng(0), np.arange(64) % 2, suite)
    held = replace(made, groups=np.arange(64).astype(np.str_))
    held.save(tmp_path / "samples.npz")
    recipe = SuiteRecipe.of(suite).rescheduled(lambda s: replace(s, epochs=1))
    with monkeypatch.context() as patch:
        patch.setattr(training, "spilled", np.zeros)
        train(held, tmp_path / "memory", recipe, {})
    train(Samples.load(tmp_path / "samples.npz"), tmp_path / "disk", recipe, {})
    for name in ("beta_vae", "m2vae", "classifiers"):
        file = f"{name}.safetensors"
        assert (tmp_path / "disk" / file).read_bytes() == (tmp_path / "memory" / file).read_bytes()
