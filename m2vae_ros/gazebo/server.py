# SPDX-License-Identifier: Apache-2.0
"""Gazebo's server without a window, as a context manager that leaves nothing behind."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.installation import installation
from m2vae_ros.gazebo.world import GazeboWorld
from m2vae_ros.host.children import die_with_parent, free_port, last_lines, stop
from m2vae_ros.host.resources import resource
from m2vae_ros.host.scratch import Scratch
from m2vae_ros.host.signals import postponed
from m2vae_ros.world.sdf import read_world

TRIES = 3
"""Now and then a client that connects while Gazebo starts never hears of it: it starts again."""


FASTEST = 10.0
"""Simulated seconds for each second in lockstep, at most. Without any limit Gazebo spins, also
while time stands still, and its own messages starve."""

FOLDER = "m2vae-gazebo-"
"""How the names of temporary folders begin; the process id of their owner follows."""


class GazeboServer:
    """A running gzserver that draws in software on a screen nobody sees.

    Args:
        world: the world file; "" is the package's own.
        lockstep: simulate as fast as the sensors can follow, instead of in real time; every image
            comes at its exact time. For collecting data.
        port: of the master; None takes a free one.
        patience: seconds for each of `TRIES` starts, of the screen and the world together.

    Raises:
        GazeboError: Gazebo is not there, or the world did not come up; with gzserver's last words.
        WorldError: the world file cannot be read.
    """

    def __init__(
        self,
        world: str | os.PathLike[str] = "",
        *,
        lockstep: bool = False,
        port: int | None = None,
        patience: float = 45.0,
    ) -> None:
        self._world = Path(world or resource("worlds/amiro.world"))
        self._models = {model.name for model in read_world(self._world).models}
        self._lockstep = lockstep
        self._port = port
        self._patience = patience
        self._installation = installation()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._log: IO[bytes] | None = None
        self._scratch: Scratch | None = None
        self.master_uri = ""

    def __enter__(self) -> GazeboServer:
        try:
            for attempt in range(1, TRIES + 1):
                try:
                    self._start()
                    return self
                except _Silent as error:
                    if attempt == TRIES:
                        raise GazeboError(f"{error}{self.last_words()}") from error
                    self.stop()
        except BaseException:
            self.stop()
            raise
        raise AssertionError("not reached")

    def __exit__(self, *error: object) -> None:
        self.stop()

    def check(self) -> None:
        """Make sure that it runs.

        Raises:
            GazeboError: it has ended; with its last words.
        """
        for process, name in zip(self._processes, ("Xvfb", "gzserver"), strict=False):
            if process.poll() is not None:
                status = process.returncode
                raise GazeboError(f"{name} ended with status {status}{self.last_words()}")

    def pids(self) -> tuple[int, ...]:
        """The process ids of Xvfb and gzserver."""
        return tuple(process.pid for process in self._processes)

    def last_words(self) -> str:
        """The end of its log, indented, on lines of its own; empty if it logged nothing."""
        if self._log is None:
            return ""
        self._log.seek(0)
        return last_lines(self._log.read())

    def stop(self) -> None:
        """End it. An impatient Ctrl-C waits until that is done."""
        with postponed():
            # The screen last: gzserver would complain of its loss.
            for process in reversed(self._processes):
                stop([process])
            self._processes.clear()
            if self._scratch is not None:
                self._scratch.remove()
            if self._log is not None:
                self._log.close()
            self._scratch = self._log = None

    def _start(self) -> None:
        deadline = time.monotonic() + self._patience
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the processes
        with postponed():  # what has been made is known, and will be removed
            self._scratch = Scratch(FOLDER, self._installation.temporary)
        world = self._copy(self._scratch.path)
        display = self._start_screen(deadline)
        try:
            port = free_port(self._port or 0, host="")
        except OSError as error:
            reason = f"port {self._port} for Gazebo's master: {error.strerror}"
            raise GazeboError(reason) from None
        self.master_uri = f"http://127.0.0.1:{port}"
        options = ["--lockstep"] if self._lockstep else []
        self._run(
            ["gzserver", "--verbose", *options, f"{self._inside}/{world.name}"],
            {
                "DISPLAY": f":{display}",
                "LIBGL_ALWAYS_SOFTWARE": "1",
                "GAZEBO_MASTER_URI": self.master_uri,
                "GAZEBO_MODEL_DATABASE_URI": "",
                "GAZEBO_IP": "127.0.0.1",
                "IGN_IP": "127.0.0.1",
                "IGN_PARTITION": f"m2vae-{port}",
            },
        )
        self._wait(deadline)

    @property
    def _inside(self) -> str:
        """The temporary folder as Gazebo sees it, for which the installation's root is "/"."""
        return f"/tmp/{self._scratch.path.name}" if self._scratch else "/tmp"

    def _copy(self, folder: Path) -> Path:
        """The world where Gazebo can read it.

        Without the plugins of gazebo_ros, which are not there or would publish the same topics as
        the bridge.
        """
        tree = ElementTree.parse(self._world)
        for parent in list(tree.iter()):
            for plugin in parent.findall("plugin"):
                if "gazebo_ros" in plugin.get("filename", ""):
                    parent.remove(plugin)
        if self._lockstep:
            for physics in tree.iter("physics"):
                _hurry(physics)
            for sensor in tree.iter("sensor"):
                _fall_due_early(sensor)
        tree.write(folder / self._world.name, encoding="unicode")
        return folder / self._world.name

    def _start_screen(self, deadline: float) -> int:
        """Xvfb, which chooses a free display itself and tells its number."""
        read, write = os.pipe()
        with os.fdopen(read) as pipe:
            try:
                arguments = ["-displayfd", str(write), "-screen", "0", "1280x1024x24"]
                self._run(["Xvfb", *arguments, "-nolisten", "tcp"], pass_fds=(write,))
            finally:
                os.close(write)
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise _Silent(f"Xvfb did not start in {self._patience:g} s")
            number = pipe.readline().strip()
        if not number.isdigit():
            raise GazeboError(f"Xvfb did not start{self.last_words()}")
        return int(number)

    def _run(
        self,
        command: list[str],
        environment: Mapping[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        with postponed():  # what has been started is known, and will be stopped
            self._processes.append(
                subprocess.Popen(
                    self._installation.command(*command),
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=subprocess.STDOUT,
                    # Not the user's: whatever a shell has sourced, it is the same Gazebo.
                    env={
                        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                        "LC_ALL": "C",
                        "HOME": self._inside,
                        "TMPDIR": self._inside,
                        **(environment or {}),
                    },
                    cwd="/",
                    pass_fds=pass_fds,
                    # Ctrl-C in the terminal reaches only this process, which then stops Gazebo.
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                )
            )

    def _wait(self, deadline: float) -> None:
        """Until the world runs with all its models."""
        with GazeboWorld(self.master_uri) as world:
            while not world.ready:
                self.check()
                if time.monotonic() > deadline:
                    raise _Silent(f"Gazebo did not start in {self._patience:g} s")
                time.sleep(0.02)
            lacking = self._models - world.models
            if lacking:
                raise GazeboError(
                    f"{self._world}: Gazebo did not make of it: {', '.join(sorted(lacking))}"
                    f"{self.last_words()}"
                )


class _Silent(GazeboError):
    """It runs, but does not answer."""


def _hurry(physics: ElementTree.Element) -> None:
    """Set the steps for each second to those of `FASTEST`."""
    step = float(physics.findtext("max_step_size", "0.001"))
    for rate in physics.findall("real_time_update_rate"):
        physics.remove(rate)
    ElementTree.SubElement(physics, "real_time_update_rate").text = f"{FASTEST / step:g}"


def _fall_due_early(sensor: ElementTree.Element) -> None:
    """Shorten a period by a nanosecond, so that a camera can be subscribed to at any step.

    In lockstep Gazebo 11 renders a camera half a step around the time it is due, or more than a
    step after it; and physics waits for every camera that is due. One that nobody listened to, and
    that is subscribed to exactly one step after it was due, is in neither: Gazebo stands still for
    ever (`CameraSensor::NeedsUpdate` and `SensorManager::WaitForSensors`). Due a little before a
    step, it is never exactly one step late. Images still come at whole steps.
    """
    rate = sensor.find("update_rate")
    if rate is None:
        return
    hertz = float(rate.text or 0.0)
    if hertz > 0.0:
        rate.text = repr(1e9 / (round(1e9 / hertz) - 1))
