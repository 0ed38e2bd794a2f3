# SPDX-License-Identifier: Apache-2.0
"""A whole system that is stopped at any moment is down at once, and leaves nothing."""

from __future__ import annotations

import pytest

from m2vae_ros.apps.chaos.scenario import Options
from m2vae_ros.apps.chaos.stopping import stop_often


@pytest.mark.ros
@pytest.mark.slow
def test_a_system_is_down_within_two_seconds_whenever_it_is_stopped() -> None:
    said: list[str] = []
    found = stop_often(Options(times=4), said.append)
    assert found.broken == []
    assert len(said) == found.numbers["stops"] == 4
