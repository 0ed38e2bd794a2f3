# SPDX-License-Identifier: Apache-2.0
"""Real nodes behind a relay know what is true, and what befalls them is seen."""

from __future__ import annotations

import pytest

from m2vae_ros.apps.chaos import live_team
from m2vae_ros.apps.chaos.channel import Rates
from m2vae_ros.apps.chaos.live_team import ChaosError, LiveTeam, Plan

ROBOTS = {"amiro1": ("camera",), "amiro2": ("lidar",), "amiro3": ("reflectance",)}


@pytest.mark.ros
@pytest.mark.slow
def test_a_team_behind_a_clean_relay_agrees_on_the_truth_and_tells_it_to_who_joins() -> None:
    with LiveTeam(Plan({**ROBOTS, "late": ()})) as team:
        assert team.running == list(ROBOTS)
        assert len(team.shortfalls()) == 24
        team.explore()
        assert team.until(lambda: not team.shortfalls() and not team.disagreements(), 15.0)
        assert len(team.heard) == 8
        assert team.look_again() == []
        team.start("late")
        assert team.until(lambda: not team.shortfalls(), 15.0)
        team.kill("amiro1")
        assert team.running == ["amiro2", "amiro3", "late"]
        assert team.shortfalls() == []
        pids = team.processes.pids()
    assert team.processes.unclean == []
    assert set(pids) == {"/amiro2/fusion", "/amiro3/fusion", "/late/fusion"}


@pytest.mark.ros
@pytest.mark.slow
def test_a_team_that_hears_nothing_of_each_other_is_found_to_disagree() -> None:
    with LiveTeam(Plan(ROBOTS, Rates(loss=1.0))) as team:
        team.explore()
        team.settle(1.0)
        assert team.disagreements()
        assert team.shortfalls()


def test_without_the_messages_to_observe_it_by_no_team_starts(monkeypatch) -> None:
    monkeypatch.setattr(live_team, "Detection3DArray", None)
    with pytest.raises(ChaosError, match="vision_msgs"):
        LiveTeam(Plan(ROBOTS))
