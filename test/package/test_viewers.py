# SPDX-License-Identifier: Apache-2.0
"""The layouts for RViz and Foxglove show topics that the demo's robots publish."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from m2vae_ros.bringup.specs import TEAM
from m2vae_ros.host.resources import resource
from m2vae_ros.sensors.view import PictureView
from m2vae_ros.world.suite import AMIRO

PUBLISHED = {
    "/diagnostics",
    *(f"/{robot}/{name}" for robot in TEAM for name in ("markers", "classification")),
    *(f"/{robot}/{AMIRO[sensor].topic}" for robot in TEAM for sensor in TEAM[robot]),
    *(
        f"/{robot}/decoded/{name}"
        for robot in TEAM
        for name, view in AMIRO.views.items()
        if isinstance(view, PictureView)
    ),
}


def test_rviz_shows_topics_of_the_demo() -> None:
    layout = yaml.safe_load(resource("config/m2vae.rviz").read_text())
    displays = layout["Visualization Manager"]["Displays"]
    shown = {display["Topic"]["Value"] for display in displays if "Topic" in display}
    assert {f"/{robot}/markers" for robot in TEAM} < shown <= PUBLISHED


def test_foxglove_shows_topics_of_the_demo_in_panels_that_are_configured() -> None:
    text = resource("config/foxglove.json").read_text()
    shown = set(re.findall(r'"(/[^"]+)"', text))
    assert {f"/{robot}/markers" for robot in TEAM} < shown <= PUBLISHED
    layout = json.loads(text)
    placed = set(re.findall(r'"([\w]+![\w]+)"', json.dumps(layout["layout"])))
    assert placed == layout["configById"].keys()


def test_rviz_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    launching = pytest.importorskip("m2vae_ros.bringup.launching", reason="launch is not installed")
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert launching.rviz(False) == []
    with pytest.raises(ValueError, match="rviz2 is not installed"):
        launching.rviz(True)
