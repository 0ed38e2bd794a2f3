# SPDX-License-Identifier: Apache-2.0
"""Where Gazebo classic 11 is: installed on this machine, or in the folder `make gazebo` makes.

That folder is a small Debian of its own with the same layout, in which programs run by `chroot`.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from m2vae_ros.gazebo.errors import GazeboError

PROTOS = "usr/include/gazebo-11/gazebo/msgs/proto"


@dataclass(frozen=True)
class Installation:
    """A Gazebo with all that is needed here.

    Attributes:
        root: the folder that is "/" for its programs.
    """

    root: Path

    @property
    def protos(self) -> Path:
        """The folder of Gazebo's message definitions."""
        return self.root / PROTOS

    @property
    def has_protos(self) -> bool:
        """Whether they are there; in what `make gazebo` makes they come last."""
        return (self.protos / "world_stats.proto").is_file()

    @property
    def temporary(self) -> Path:
        """A folder for short-lived files that its programs see as /tmp."""
        return self.root / "tmp"

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line that runs one of its programs; nothing stays between it and us."""
        if self.root == Path("/"):
            return [program, *arguments]
        enter = ["chroot", str(self.root)]
        if os.getuid() != 0:
            # A new user namespace forgets that the parent's death is to be signalled.
            inside = ["unshare", "--user", "--map-root-user", "setpriv", "--pdeathsig", "TERM"]
            enter = [*inside, *enter]
        return [*enter, program, *arguments]


def cache() -> Path:
    """The folder for what can be made again: M2VAE_CACHE, or the usual one of the user."""
    if chosen := os.environ.get("M2VAE_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "m2vae_ros"


def definitions() -> Path:
    """The folder of Gazebo's message definitions, which are of use without a server, too.

    Raises:
        GazeboError: there are none.
    """
    system, made = _places()
    for place in (system, made):
        if place.has_protos:
            return place.protos
    raise GazeboError(
        f"Gazebo's message definitions are not installed (libgazebo-dev: {system.protos}), and "
        f"{made.root} is not made yet; `make gazebo` makes it"
    )


def installation() -> Installation:
    """The Gazebo to run: the machine's own before that of `make gazebo`.

    Raises:
        GazeboError: there is none, or it lacks something.
    """
    system, made = _places()
    if shutil.which("gzserver") and system.has_protos:
        if not shutil.which("Xvfb"):
            raise GazeboError("gzserver is installed, but no Xvfb to draw on: apt-get install xvfb")
        return system
    if made.has_protos:
        return made
    lacking = "gzserver is not installed"
    if shutil.which("gzserver"):
        lacking = f"gzserver is installed, but not its messages (libgazebo-dev: {system.protos})"
    raise GazeboError(f"{lacking}, and {made.root} is not made yet; `make gazebo` makes it")


def _places() -> tuple[Installation, Installation]:
    """The machine's own, and that of `make gazebo`, whether they are there or not."""
    return Installation(Path("/")), Installation(cache() / "gazebo-11")
