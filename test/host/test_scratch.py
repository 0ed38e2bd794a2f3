# SPDX-License-Identifier: Apache-2.0
"""Temporary folders: nobody's is removed while they live, nobody's stays when they are gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from m2vae_ros.host.scratch import Scratch

OWNER = """
import sys, time
from pathlib import Path
from m2vae_ros.host.scratch import Scratch
scratch = Scratch("of-tests-", Path(sys.argv[1]))
(scratch.path / "log").write_text("what it said")
print(scratch.path, flush=True)
time.sleep(600)
"""


def test_a_folder_goes_when_it_is_removed(tmp_path: Path) -> None:
    scratch = Scratch("of-tests-", tmp_path)
    (scratch.path / "file").touch()
    scratch.remove()
    assert list(tmp_path.iterdir()) == []


def test_the_next_one_removes_what_a_killed_owner_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "of-others").mkdir()
    mine = Scratch("of-tests-", tmp_path)
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        left = Path(owner.stdout.readline().strip())
        try:
            next_one = Scratch("of-tests-", tmp_path)
            assert (left / "log").is_file()  # it lives
        finally:
            owner.kill()
    last = Scratch("of-tests-", tmp_path)
    assert {*tmp_path.iterdir()} == {tmp_path / "of-others", mine.path, next_one.path, last.path}
    for scratch in (mine, next_one, last):
        scratch.remove()
