# SPDX-License-Identifier: Apache-2.0
"""Gazebo's messages from its definitions: compiled once, if that can be remembered."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from grpc_tools import protoc

from m2vae_ros.gazebo import installation, messages
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.messages import message

DEFINITION = """syntax = "proto2";
package gazebo.msgs;
message WorldStatistics { optional bool paused = 1; }
"""


@pytest.fixture(autouse=True)
def forget() -> Iterator[Callable[[], None]]:
    """Has the next message made as in another process."""
    messages._pool.cache_clear()
    yield messages._pool.cache_clear
    messages._pool.cache_clear()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's, with a Gazebo that has one message."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("M2VAE_CACHE", str(folder))
    monkeypatch.setattr(installation, "PROTOS", "protos")  # the machine's own is not there
    definition(folder).parent.mkdir(parents=True)
    definition(folder).write_text(DEFINITION)
    return folder


def definition(cache: Path) -> Path:
    return cache / "gazebo-11/protos/world_stats.proto"


def test_a_message_is_read_as_it_was_written(cache: Path) -> None:
    kind = message("WorldStatistics")
    assert kind.FromString(kind(paused=True).SerializeToString()).paused


def test_a_message_that_gazebo_does_not_have_is_named(cache: Path) -> None:
    with pytest.raises(GazeboError, match=r"^Gazebo has no message gazebo\.msgs\.Sonar$"):
        message("Sonar")


def test_what_has_been_compiled_is_remembered_until_it_changes(
    cache: Path, forget, monkeypatch
) -> None:
    compiled = []
    compile_it = protoc.main
    monkeypatch.setattr(protoc, "main", lambda what: compiled.append(what) or compile_it(what))
    for _ in range(2):
        message("WorldStatistics")
        forget()
    assert len(compiled) == 1
    definition(cache).write_text(DEFINITION.replace("paused", "stopped"))
    assert message("WorldStatistics")(stopped=True)
    assert len(compiled) == 2


def test_a_cache_that_cannot_be_written_is_done_without(cache: Path, monkeypatch) -> None:
    (cache / "file").touch()
    monkeypatch.setattr(messages, "cache", lambda: cache / "file")  # not even root can write there
    assert message("WorldStatistics")(paused=True)


def test_definitions_that_do_not_compile_are_named(cache: Path, capfd) -> None:
    definition(cache).write_text("message")
    with pytest.raises(GazeboError, match="gazebo-11/protos: these message .* do not compile"):
        message("WorldStatistics")
    assert "world_stats.proto" in capfd.readouterr().err  # the compiler says where
    assert not list(cache.glob("gazebo-messages-*"))


@pytest.mark.parametrize(
    ("programs", "lacking"),
    [
        ({}, "gzserver is not installed"),
        ({"gzserver": "/usr/bin/gzserver"}, "gzserver is installed, but no Xvfb"),
    ],
)
def test_definitions_are_enough_where_gazebo_cannot_run(
    programs: dict[str, str], lacking: str, cache: Path, monkeypatch
) -> None:
    installed = definition(cache).parent.rename(cache / "installed")
    monkeypatch.setattr(installation, "PROTOS", str(installed.relative_to("/")))
    monkeypatch.setattr(shutil, "which", programs.get)
    with pytest.raises(GazeboError, match=f"^{lacking}"):
        installation.installation()
    assert message("WorldStatistics")


def test_without_definitions_it_is_said_how_to_get_them(cache: Path) -> None:
    definition(cache).unlink()
    with pytest.raises(GazeboError, match=r"libgazebo-dev: /protos.*`make gazebo` makes it"):
        message("WorldStatistics")


def test_definitions_that_go_away_are_not_missed(cache: Path) -> None:
    message("WorldStatistics")
    shutil.rmtree(cache)
    assert message("WorldStatistics")
