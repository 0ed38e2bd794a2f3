# SPDX-License-Identifier: Apache-2.0
"""The screen that Gazebo draws on, where it does not come up; no Gazebo is needed for that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from m2vae_ros.gazebo import server
from m2vae_ros.gazebo.errors import GazeboError


class Installation:
    """Whose Xvfb is a line of shell."""

    def __init__(self, temporary: Path, line: str) -> None:
        self.temporary = temporary
        self._line = line

    def command(self, program: str, *arguments: str) -> list[str]:
        assert program == "Xvfb"
        return ["sh", "-c", self._line]


@pytest.fixture
def xvfb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes this line of shell the Xvfb; of which nothing may stay."""
    yield lambda line: monkeypatch.setattr(
        server, "installation", lambda: Installation(tmp_path, line)
    )
    assert not list(tmp_path.iterdir())


def test_a_screen_that_does_not_answer_is_not_waited_for_endlessly(xvfb) -> None:
    xvfb("exec sleep 300")
    expected = r"^Xvfb did not start in 0\.2 s"
    with pytest.raises(GazeboError, match=expected), server.GazeboServer(patience=0.2):
        pass


def test_a_screen_that_ends_is_quoted(xvfb) -> None:
    xvfb("echo no room for a framebuffer; exit 1")
    expected = "^Xvfb did not start\n    no room for a framebuffer$"
    with pytest.raises(GazeboError, match=expected), server.GazeboServer():
        pass
