# SPDX-License-Identifier: Apache-2.0
"""What robots run is made anew from trained weights, which stay what they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from m2vae_ros.cli import main
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.host.resources import resource


def test_export_restores_lost_graphs_and_keeps_weights_and_fingerprint(tmp_path: Path) -> None:
    shipped = resource("models/motions")
    folder = tmp_path / "motions"
    shutil.copytree(shipped, folder)
    (folder / "graphs.zip").unlink()

    assert main(["export", str(folder)]) == 0

    before, after = (json.loads((f / "card.json").read_text()) for f in (shipped, folder))
    for card in (before, after):
        del card["files"]["graphs.zip"], card["digest"]
    assert after == before
    assert OnnxEngine.load(folder).fingerprint == before["fingerprint"]
