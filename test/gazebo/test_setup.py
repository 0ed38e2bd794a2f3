# SPDX-License-Identifier: Apache-2.0
"""tools/gazebo.sh: what it says when it cannot go on, and that it leaves nothing half-made."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from gazebo_master import until

SCRIPT = Path(__file__).resolve().parents[2] / "tools/gazebo.sh"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TOOLS = [
    "awk",
    "bash",
    "chown",
    "df",
    "dirname",
    "flock",
    "grep",
    "id",
    "mkdir",
    "mv",
    "rm",
    "sleep",
    "tail",
    "touch",
    "uname",
    "unshare",
]
PARTS = ("usr/bin/gzserver", "usr/include/gazebo-11/gazebo/msgs/proto/world_stats.proto")

builds = pytest.mark.skipif(
    os.geteuid() != 0 or os.uname().machine != "x86_64" or not KEYRING.exists(),
    reason="making Gazebo takes root, an x86-64 machine and Debian's keys",
)


class Machine:
    """A machine without Gazebo and apt, with an empty cache."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.commands = folder / "bin"
        self.commands.mkdir()
        for tool in TOOLS:
            (self.commands / tool).symlink_to(shutil.which(tool))

    def command(self, name: str, text: str) -> None:
        """Have a command that does this."""
        path = self.commands / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def start(self, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            [self.commands / "bash", SCRIPT],
            env={"PATH": str(self.commands), "M2VAE_CACHE": str(self.cache), **environment},
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, **environment: str) -> tuple[int, str]:
        """Its exit status, and what it said."""
        process = self.start(**environment)
        _, said = process.communicate(timeout=60)
        return process.returncode, said


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_is_there_is_not_made_again(machine: Machine) -> None:
    for part in PARTS:
        path = machine.cache / "gazebo-11" / part
        path.parent.mkdir(parents=True)
        path.touch(0o755)
    assert machine.run() == (0, "")


def test_without_root_it_names_the_command(machine: Machine) -> None:
    machine.command("id", "echo 1000")
    status, said = machine.run()
    assert status == 1
    assert f"sudo M2VAE_CACHE={machine.cache} tools/gazebo.sh" in said
    assert not machine.cache.exists()


def test_another_kind_of_processor_is_named(machine: Machine) -> None:
    machine.command("id", "echo 0")
    machine.command("uname", "echo aarch64")
    status, said = machine.run()
    assert status == 1
    assert "x86-64 only, this is aarch64" in said


@builds
def test_without_space_it_does_not_begin(machine: Machine) -> None:
    machine.command("debootstrap", "echo begun >&2")
    machine.command("df", "echo a header; echo disk 9 9 102400 9 /")
    status, said = machine.run()
    assert status == 1
    assert f"needs 2000 MB of free disk space in {machine.cache}, there are 100 MB" in said
    assert "begun" not in said


@builds
def test_why_it_could_not_be_made_is_said_and_nothing_half_made_stays(machine: Machine) -> None:
    machine.command("debootstrap", 'mkdir -p "$4/usr"; echo "E: no such mirror"; exit 1')
    status, said = machine.run()
    assert status == 1
    assert "could not make it: E: no such mirror (log: " in said
    assert not list(machine.cache.glob("gazebo-11*/"))


@builds
@pytest.mark.parametrize(("end", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_when_it_is_interrupted_nothing_stays(machine: Machine, end, status) -> None:
    begun = machine.cache / "gazebo-11.unfinished/usr"
    machine.command("debootstrap", 'mkdir -p "$4/usr"; exec sleep 300')
    process = machine.start()
    try:
        until(begun.exists)
        process.send_signal(end)
        _, said = process.communicate(timeout=30)  # until nobody can say anything any more
    finally:
        process.kill()
    assert process.returncode == status, said
    assert not list(machine.cache.glob("gazebo-11*/"))


@builds
def test_the_cache_it_makes_belongs_to_who_called_sudo(machine: Machine) -> None:
    above = machine.cache.parent
    machine.cache = above / "home/.cache/m2vae_ros"
    machine.command("debootstrap", "exit 1")
    machine.run(SUDO_UID="1234", SUDO_GID="2345")
    made = [machine.cache, *machine.cache.parents[:2]]
    assert {(folder.stat().st_uid, folder.stat().st_gid) for folder in made} == {(1234, 2345)}
    assert above.stat().st_uid == os.getuid()


@builds
def test_a_cache_that_is_there_keeps_its_owner(machine: Machine) -> None:
    machine.cache.mkdir()
    machine.command("debootstrap", "exit 1")
    machine.run(SUDO_UID="1234", SUDO_GID="2345")
    assert machine.cache.stat().st_uid == os.getuid()
