# SPDX-License-Identifier: Apache-2.0
"""What killed processes left in shared memory is found, and only that is removed."""

from __future__ import annotations

import fcntl
import os

from m2vae_ros.host import shared_memory


def test_only_what_has_no_owner_is_abandoned_and_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_memory, "SHARED_MEMORY", tmp_path)
    for name in ("fastdds_dead", "fastdds_alive"):
        (tmp_path / name).touch()
        (tmp_path / f"{name}_el").touch()
    (tmp_path / "fastdds_port7411").touch()  # only written to, by somebody who is gone
    (tmp_path / "sem.fastdds_port7411_mutex").touch()
    (tmp_path / "somebody_elses").touch()
    with (tmp_path / "fastdds_alive_el").open() as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        assert sorted(shared_memory.abandoned_memory()) == ["fastdds_dead", "fastdds_port7411"]
        shared_memory.remove_abandoned_memory()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["fastdds_alive", "fastdds_alive_el", "somebody_elses"]


def test_what_a_process_shares_is_what_it_holds_the_lock_of(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_memory, "SHARED_MEMORY", tmp_path)
    for name in ("fastdds_mine_el", "fastdds_others_el", "fastdds_read"):
        (tmp_path / name).touch()
    with (tmp_path / "fastdds_mine_el").open(), (tmp_path / "fastdds_read").open():
        assert shared_memory.memory_of([os.getpid(), 2**30]) == {"fastdds_mine"}
    assert shared_memory.memory_of([os.getpid()]) == set()
