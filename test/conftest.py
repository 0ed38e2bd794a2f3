# SPDX-License-Identifier: Apache-2.0
"""What every test gets: a ROS domain of its own, and a check that nothing is left behind."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from m2vae_ros.domains import own_domain

# Children inherit it, so it tells whose process one is, however it was started.
SESSION_VARIABLE = "M2VAE_TEST_SESSION"
SHARED_MEMORY = Path("/dev/shm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The fast tests first, so that most mistakes show early."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture
def ros_domain_id(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS domain nobody else has, also set as ROS_DOMAIN_ID for this test and its children."""
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    with own_domain() as domain:
        yield domain


@pytest.fixture(autouse=True)
def _own_ros_domain(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("ros"):
        request.getfixturevalue("ros_domain_id")


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails the session when one of its processes or a DDS segment of them outlives it."""
    os.environ[SESSION_VARIABLE] = session = uuid.uuid4().hex
    before = _dds_segments()
    yield
    uses_ros = any(item.get_closest_marker("ros") for item in request.session.items)

    def left_behind() -> list[str]:
        left = [f"process {pid}: {command}" for pid, command in _processes_of(session).items()]
        if uses_ros:
            left += [f"segment {path}" for path in sorted(_abandoned(_dds_segments() - before))]
        return left

    deadline = time.monotonic() + 5  # processes that were told to stop may still be at it
    while (left := left_behind()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in _processes_of(session):
        os.kill(pid, signal.SIGKILL)
    assert not left, "the tests left behind: " + "; ".join(left)


def _processes_of(session: str) -> dict[int, str]:
    """Running processes started by this session, other than this one: pid and command line."""
    mark = f"{SESSION_VARIABLE}={session}".encode()
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                command = (process / "cmdline").read_bytes()
                found[int(process.name)] = (
                    command.replace(b"\0", b" ").decode(errors="replace").strip()
                )
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    found.pop(os.getpid(), None)
    return found


def _dds_segments() -> set[Path]:
    return {*SHARED_MEMORY.glob("fastrtps*"), *SHARED_MEMORY.glob("fast_datasharing*")}


def _abandoned(segments: set[Path]) -> set[Path]:
    """Those of the segments no living process has open: other programs' segments are not ours."""
    if not segments:
        return set()
    in_use = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            in_use.update(line.split()[-1] for line in (process / "maps").open() if "/shm/" in line)
            in_use.update(os.readlink(descriptor) for descriptor in (process / "fd").iterdir())
        except OSError:
            continue
    return {path for path in segments if str(path) not in in_use and path.exists()}
