# SPDX-License-Identifier: Apache-2.0
"""A team that finds together through Fast DDS's discovery server (docs/fleets.md)."""

from __future__ import annotations

import os
import subprocess
import sys

import discovery_team
import pytest

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def test_a_team_shares_its_objects_once_its_discovery_server_is_there(tmp_path) -> None:
    command = [sys.executable, discovery_team.__file__, str(tmp_path)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
