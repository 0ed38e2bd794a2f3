# SPDX-License-Identifier: Apache-2.0
"""Runs a described system as one process for each node, and leaves none of them behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

import yaml

from m2vae_ros.bringup.specs import NodeSpec
from m2vae_ros.host.children import die_with_parent, last_lines, stop
from m2vae_ros.host.resources import PACKAGE, resource
from m2vae_ros.host.scratch import Scratch
from m2vae_ros.host.shared_memory import remove_abandoned_memory
from m2vae_ros.host.signals import postponed

WITH_FAST_DDS_2 = ("humble", "iron", "jazzy")
"""Distributions; later ones have Fast DDS 3."""

PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Variables of the environment that name the profiles of Fast DDS 3, and of 2."""


class BringupError(RuntimeError):
    """A node did not come up, or went down; the message names it and has its last words."""


class Processes:
    """The nodes of a system, each in a process of its own; a context manager.

    Each gets its parameters as any node does, by --ros-args and a parameter file, and writes its
    log to a file. On the way out all are stopped, whatever happened.

    Attributes:
        unclean: after the end, one sentence for each node that did not end by itself with
            status 0 when it was asked to.
    """

    def __init__(self, nodes: Iterable[NodeSpec]) -> None:
        self.nodes = tuple(nodes)
        self.unclean: list[str] = []
        self._scratch: Scratch | None = None
        self._running: list[tuple[NodeSpec, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Processes:
        try:
            self._scratch = Scratch("m2vae-nodes-")
            for node in self.nodes:
                self.start(node)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def check(self) -> None:
        """Make sure that all are alive.

        Raises:
            BringupError: one is not; with the last lines of its log.
        """
        for node, process in self._running:
            if process.poll() is not None:
                raise BringupError(self._end_of(node, process))

    def last_words(self, node: NodeSpec) -> str:
        """The end of a node's log, indented, on lines of its own; empty if it logged nothing."""
        if self._scratch is None:  # the logs go with the nodes
            return ""
        log = self._file(node, "log")
        return last_lines(log.read_bytes()) if log.exists() else ""

    def pids(self) -> dict[str, int]:
        """Full name -> process id of each node."""
        return {node.full_name: process.pid for node, process in self._running}

    def kill(self, node: NodeSpec) -> None:
        """End a node by SIGKILL, as a crash does; nothing of it stays but its log."""
        with postponed():
            for known, process in self._running:
                if known == node:
                    process.kill()
                    process.wait()
            self._running = [(n, p) for n, p in self._running if n != node]
            remove_abandoned_memory()

    def stop(self) -> None:
        """Stop all, at first politely; those that had ended before are left as they are.

        An impatient second Ctrl-C waits until that is done.
        """
        with postponed():
            self._stop()

    def _stop(self) -> None:
        stop([process for _, process in self._running])
        if self._running:  # also those who end by themselves leave ports that others wrote to
            remove_abandoned_memory()
        self.unclean += [self._end_of(n, p) for n, p in self._running if p.returncode != 0]
        self._running.clear()
        if self._scratch is not None:
            self._scratch.remove()
            self._scratch = None

    def _end_of(self, node: NodeSpec, process: subprocess.Popen[bytes]) -> str:
        return f"{node.full_name} ended with {_ending(process.returncode)}{self.last_words(node)}"

    def start(self, node: NodeSpec) -> None:
        """Start a node: one of another system, or one that was killed."""
        # Whatever has been started is known, and will be stopped.
        with self._file(node, "log").open("wb") as log, postponed():
            process = subprocess.Popen(
                [executable(node), *self._ros_arguments(node)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(),
                # Ctrl-C in the terminal reaches only this process, which then stops the nodes.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
            self._running.append((node, process))

    def _ros_arguments(self, node: NodeSpec) -> list[str]:
        parameters = self._file(node, "yaml")
        document = {node.full_name: {"ros__parameters": dict(node.parameters)}}
        parameters.write_text(yaml.safe_dump(document))
        arguments = ["--ros-args", "-r", f"__ns:={node.namespace}", "-r", f"__node:={node.name}"]
        for source, target in node.remappings:
            arguments += ["-r", f"{source}:={target}"]
        for file in (resource(node.config), parameters):
            arguments += ["--params-file", str(file)]
        return arguments

    def _file(self, node: NodeSpec, suffix: str) -> Path:
        assert self._scratch is not None  # it is there as long as the nodes are
        name = node.full_name.strip("/").replace("/", "-")
        return self._scratch.path / f"{name}.{suffix}"


def executable(node: NodeSpec) -> str:
    """The path of a node's executable, found as `ros2 run` finds it.

    Raises:
        BringupError: the package is not built, or has no such executable.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        path = Path(get_package_prefix(PACKAGE)) / "lib" / PACKAGE / node.executable
    except PackageNotFoundError as error:
        raise BringupError(f"{PACKAGE} is not built, or its setup file is not sourced") from error
    if not path.is_file():
        raise BringupError(f"{path}: no such executable")
    return str(path)


def environment() -> Mapping[str, str]:
    """The environment of the nodes: Fast DDS set up for one machine, unless the user did.

    Fast DDS 2 asks for the profile by its older name, Fast DDS 3 warns where that is set.
    """
    if any(name in os.environ for name in PROFILES):
        return dict(os.environ)
    name = PROFILES[os.environ.get("ROS_DISTRO") in WITH_FAST_DDS_2]
    return {**os.environ, name: str(resource("config/fastdds.xml"))}


def _ending(status: int) -> str:
    if status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"status {status}"
