# SPDX-License-Identifier: Apache-2.0
"""Whatever has a node beside its work ends, also if DDS never lets go of that node."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bag_making import tour, write

from m2vae_ros.bags.reader import find_bags
from m2vae_ros.host.shared_memory import remove_abandoned_memory

HELD = """
import ctypes, os, sys
from contextlib import suppress
from pathlib import Path
from rclpy.node import Node
from m2vae_ros.ros import beside
from m2vae_ros.host.domains import own_domain

def hold(*_):
    print("let go", flush=True)
    ctypes.PyDLL(None).usleep(30_000_000)  # in C, as DDS does: no handler of Python's is called

Node.destroy_node = hold
beside.AMID_WORK = 1.0  # which other modules take from there
folder = Path(sys.argv[1])
"""

VIEW = """
from m2vae_ros.apps.view.command import view
from m2vae_ros.apps.view.outlets import Outlet
with own_domain():
    view("amiro", Outlet(save=folder / "team.rrd"), seconds=0.5)
"""

PLAY = """
from m2vae_ros.bags.reader import find_bags
from m2vae_ros.ros.player import play
with own_domain():
    play(find_bags([folder], print), topics=["/amiro1/odom"], rate=1000.0, delay=0.0)
"""

STOP = """
import time
from m2vae_ros.apps.chaos.stopping import _at_work
from m2vae_ros.bringup.processes import Processes
with own_domain(), Processes([]) as processes:
    _at_work(processes, time.monotonic())
"""

STAND_IN = """
from m2vae_ros.apps.chaos.relay import StandIn
with own_domain():
    StandIn("amiro1", ["amiro2"]).leave()
"""

SURVEY = """
from m2vae_ros.apps.survey import _recording
from m2vae_ros.host.resources import resource
with own_domain(), _recording(folder / "new", ["/clock"], resource("worlds/amiro.world")):
    pass
"""

INTERRUPTED = SURVEY.replace("    pass", "    raise KeyboardInterrupt")


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "leaves"),
    [
        pytest.param(VIEW, {"team.rrd"}, id="view"),
        pytest.param(PLAY, set(), id="play"),
        pytest.param(STOP, set(), id="stop"),
        pytest.param(STAND_IN, set(), id="stand-in"),
        pytest.param(SURVEY, {"new"}, id="survey"),
        pytest.param(INTERRUPTED, {"new.recording"}, id="interrupted survey"),
    ],
)
def test_it_ends_and_what_it_made_is_whole(command: str, leaves: set[str], tmp_path: Path) -> None:
    write(tmp_path / "bag", tour(readings=1))
    ended = subprocess.run(
        [sys.executable, "-c", HELD + command, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    remove_abandoned_memory()  # as whoever starts a system next does
    assert ended.stdout.endswith("let go\n"), ended.stderr
    assert "Timeout (" in ended.stderr
    assert ended.returncode == 1
    assert {path.name for path in tmp_path.iterdir()} == {"bag", *leaves}
    for name in leaves - {"new.recording"}:  # which whoever reads bags passes over
        assert _is_whole(tmp_path / name)


def _is_whole(path: Path) -> bool:
    if path.suffix == ".rrd":
        command = [sys.executable, "-m", "rerun", "rrd", "verify", str(path)]
        return subprocess.run(command, capture_output=True).returncode == 0
    return bool(find_bags([path], lambda *_: None))
