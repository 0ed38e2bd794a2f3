# SPDX-License-Identifier: Apache-2.0
"""What robots say of a thing that is none of the classes, over real topics."""

from __future__ import annotations

from copy import deepcopy

import pytest
from m2vae_ros.msg import ObjectClassification
from ros_team import Team, team

from m2vae_ros.apps.chaos.glimpses import glimpses
from m2vae_ros.host.resources import weights_folder

pytestmark = pytest.mark.ros

UNKNOWN = ObjectClassification.UNKNOWN


def verdicts(t: Team, held: set[str]) -> dict[str, int]:
    """What each robot last said of the object by these modalities."""
    return {c.sender: c.verdict for c in t.classifications if set(c.modalities) == held}


def test_a_blue_pillar_is_unknown_to_all_until_a_red_one_stands_there() -> None:
    looks = glimpses(seed=1)
    name = next(name for name, modality in looks if name.startswith("red") and modality == "camera")
    red, scan = (looks[name, modality].reading for modality in ("camera", "lidar"))
    blue = deepcopy(red)
    blue.encoding = "bgr8"
    with team() as t:
        for robot, modality in (("amiro1", "camera"), ("amiro2", "lidar")):
            t.active_robot(robot, weights_folder("amiro"), [modality])
        t.sense("amiro2", scan, "lidar")
        t.until(lambda: "amiro2" in verdicts(t, {"lidar"}))
        assert UNKNOWN not in verdicts(t, {"lidar"}).values()  # to a LiDAR any pillar is one
        both = {"camera", "lidar"}
        t.until(lambda: bool(t.counted("amiro1", "embeddings new")))
        t.sense("amiro1", blue, "camera")
        t.until(lambda: verdicts(t, both) == {"amiro1": UNKNOWN, "amiro2": UNKNOWN})
        t.sense("amiro1", red, "camera")
        known = ObjectClassification.PARTLY_KNOWN
        t.until(lambda: verdicts(t, both) == {"amiro1": known, "amiro2": known})
