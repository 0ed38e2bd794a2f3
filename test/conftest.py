# SPDX-License-Identifier: Apache-2.0
"""What every test gets: a ROS domain of its own, and a check that nothing is left behind."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

from m2vae_ros.host.domains import own_domain

# Children inherit it, so it tells whose process one is, however it was started.
SESSION_VARIABLE = "M2VAE_TEST_SESSION"
# Fast DDS 3 and, before it, 2 (fastrtps); segments of ports (fastdds_port7000) are common to all.
SEGMENT_LOCK = re.compile(r"/dev/shm/(fastdds|fastrtps)_[0-9a-f]{16}_el$")
WATCH_PERIOD_S = 0.3

# On a busy machine, threads that wait for each other spin: a test took more than 300 s instead
# of 30.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell starts what runs in the background with SIGINT ignored, and children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no defect of what is tested.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


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
    ours: set[Path] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(WATCH_PERIOD_S):
            for pid in (os.getpid(), *_processes_of(session)):
                ours.update(dds_segments(pid))

    if any(item.get_closest_marker("ros") for item in request.session.items):
        threading.Thread(target=watch, daemon=True).start()
    yield
    ended.set()

    def left_behind() -> list[str]:
        left = [f"process {pid}: {command}" for pid, command in _processes_of(session).items()]
        return left + [f"segment {path}" for path in sorted(_abandoned(ours))]

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
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(process.name)] = command.decode(errors="replace").strip()
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    found.pop(os.getpid(), None)
    return found


def dds_segments(pid: int) -> set[Path]:
    """The shared memory that a process made for DDS: it keeps the lock beside it open.

    What merely appeared in /dev/shm during a session may be another program's, and what a process
    has mapped may be what it reads from another.
    """
    opened = []
    with suppress(OSError):  # the process ended, or is somebody else's
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile, as that of this very listing
                opened.append(os.readlink(descriptor))
    return {Path(name.removesuffix("_el")) for name in opened if SEGMENT_LOCK.match(name)}


def _abandoned(segments: set[Path]) -> set[Path]:
    """Those of the segments that are still there, though no living process uses them."""
    left = {path for path in segments if path.exists()}
    if left:
        for process in Path("/proc").glob("[0-9]*"):
            left -= dds_segments(int(process.name))
    return left
