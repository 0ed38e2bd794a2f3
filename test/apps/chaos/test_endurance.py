# SPDX-License-Identifier: Apache-2.0
"""Robots that sense for a while are watched: their memory, and how many of their looks count."""

from __future__ import annotations

import pytest

from m2vae_ros.apps.chaos.endurance import endure
from m2vae_ros.apps.chaos.scenario import Options


@pytest.mark.ros
@pytest.mark.slow
def test_what_robots_sense_and_take_is_measured() -> None:
    said: list[str] = []
    found = endure(Options(robots=2, minutes=0.3), said.append, robots=16, rate=10.0)
    assert found.numbers["robots"] == 2
    assert 0 < found.numbers["Hz, slowest"] <= found.numbers["Hz played"] + 1 <= 11.5
    assert 50 < found.numbers["MB, largest"] < 400
    assert not any("grew" in words for words in found.broken)
    assert any("all nodes together" in words for words in said)
