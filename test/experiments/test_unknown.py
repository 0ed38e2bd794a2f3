# SPDX-License-Identifier: Apache-2.0
"""Whether things of no class are told as unknown is measured on robots as they run."""

from __future__ import annotations

import pytest
from untrained import untrained_weights

from m2vae_ros.experiments.unknown import KNOWN, evaluate, tables
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.host.resources import weights_folder
from m2vae_ros.sim.strangers import KINDS


def test_strangers_are_told_at_once_in_place_and_after_a_hundred_further_looks() -> None:
    numbers = evaluate(OnnxEngine.load(weights_folder("amiro")), count=10, teams=2, seeds=[5])
    assert list(numbers["kinds"]) == [KNOWN, *KINDS]
    for kind in ("white", "nothing"):
        found = numbers["kinds"][kind]
        assert found["at_once"]["camera+lidar+reflectance"]["unknown"] == 10
        assert found["in_place_in_the_worst_order"]["unknown"] == 2
        assert found["after_further_looks"]["unknown"] == 2
    assert numbers["kinds"]["white"]["at_once"]["lidar"]["unknown"] <= 1
    (table,) = tables(numbers)
    assert {len(row) for row in table.rows} == {len(table.header)}


def test_weights_that_cannot_tell_the_unknown_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="cannot tell the unknown"):
        evaluate(OnnxEngine.load(untrained_weights(tmp_path)), count=1, teams=1, seeds=[5])
