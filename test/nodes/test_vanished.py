# SPDX-License-Identifier: Apache-2.0
"""A robot before the place of an object that is gone has the whole team know, over real topics."""

from __future__ import annotations

import pytest
from ros_team import scan, team
from untrained import untrained_weights

pytestmark = pytest.mark.ros

NO_MAP = {"objects.names": [], "objects.x": [], "objects.y": []}


def test_what_scans_show_no_more_is_retired_by_all(tmp_path) -> None:
    weights = untrained_weights(tmp_path)
    with team() as t:
        near = t.active_robot("amiro1", weights, ["lidar"], **NO_MAP)
        far = t.active_robot("amiro2", weights, ["camera"], **NO_MAP)
        pillar = scan(value=float("inf"))
        for beam in range(325, 358):  # 17 cm wide at 0.5 m
            pillar.ranges[beam] = 0.5
        t.sense("amiro1", pillar, "lidar")
        t.until(lambda: all(len(node._memory.objects()) == 1 for node in (near, far)))
        for looks in range(1, 4):
            t.sense("amiro1", scan(value=float("inf")), "lidar")
            t.until(
                lambda looks=looks: (
                    t.counted("amiro1", "unused: nothing stands there any more")
                    + t.counted("amiro1", "unused: nothing to look at")
                    == looks
                )
            )
        t.until(lambda: not any(node._memory.objects() for node in (near, far)))
        assert near._memory.retired() == far._memory.retired() == {"vanished": 1}
        t.until(lambda: t.counted("amiro2", "embeddings retired") == 1)
        assert t.counted("amiro1", "retired lidar") == 1
