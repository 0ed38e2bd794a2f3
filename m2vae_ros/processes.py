# SPDX-License-Identifier: Apache-2.0
"""Runs a described system as one process for each node, and leaves none of them behind."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import yaml

from m2vae_ros.bringup import PACKAGE, NodeSpec
from m2vae_ros.resources import resource
from m2vae_ros.scratch import Scratch
from m2vae_ros.signals import postponed

if TYPE_CHECKING:  # this module is read without ROS, too
    from rclpy.executors import Executor
    from rclpy.node import Node

PR_SET_PDEATHSIG = 1
STEPS_OF_STOPPING = ((signal.SIGINT, 8.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))
"""What a node is told, and how many seconds it has to obey."""

SHARED_MEMORY = Path("/dev/shm")
_PORT = re.compile(r"fast(dds|rtps)_port\d+")
"""Of Fast DDS 3 and, before it, 2."""


class BringupError(RuntimeError):
    """A node did not come up, or went down; the message names it and has its last words."""


class Processes:
    """The nodes of a system, each in a process of its own; a context manager.

    Each gets its parameters as any node does, by --ros-args and a parameter file, and writes its
    log to a file. On the way out all are stopped, whatever happened.

    Attributes:
        unclean: after the end, one sentence for each node that did not end by itself with
            status 0 when it was told to.
    """

    def __init__(self, nodes: Iterable[NodeSpec]) -> None:
        self.nodes = tuple(nodes)
        self.unclean: list[str] = []
        self._scratch: Scratch | None = None
        self._running: list[tuple[NodeSpec, subprocess.Popen]] = []

    def __enter__(self) -> Processes:
        try:
            self._scratch = Scratch("m2vae-nodes-")
            for node in self.nodes:
                self._start(node)
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

    def last_words(self, node: NodeSpec, lines: int = 12) -> str:
        """The end of a node's log, indented, on lines of its own; empty if it logged nothing."""
        if self._scratch is None:  # the logs go with the nodes
            return ""
        log = self._file(node, "log")
        text = log.read_text(errors="replace") if log.exists() else ""
        return "".join(f"\n    {line}" for line in text.splitlines()[-lines:])

    def pids(self) -> dict[str, int]:
        """Full name -> process id of each node."""
        return {node.full_name: process.pid for node, process in self._running}

    def stop(self) -> None:
        """Stop all, at first politely; those that had ended before are left as they are.

        An impatient second Ctrl-C waits until that is done.
        """
        with postponed():
            self._stop()

    def _stop(self) -> None:
        running = [process for _, process in self._running if process.poll() is None]
        for step, patience in STEPS_OF_STOPPING:
            for process in running:
                process.send_signal(step)
            _wait(running, patience)
            running = [process for process in running if process.poll() is None]
        if any(process.returncode == -signal.SIGKILL for _, process in self._running):
            remove_abandoned_memory()
        self.unclean += [self._end_of(n, p) for n, p in self._running if p.returncode != 0]
        self._running.clear()
        if self._scratch is not None:
            self._scratch.remove()
            self._scratch = None

    def _end_of(self, node: NodeSpec, process: subprocess.Popen) -> str:
        return f"{node.full_name} ended with {_told(process.returncode)}{self.last_words(node)}"

    def _start(self, node: NodeSpec) -> None:
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
                preexec_fn=_die_with_parent,
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

    ROS 2 Humble knows the older name only.
    """
    profile = str(resource("config/fastdds.xml"))
    names = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
    if any(name in os.environ for name in names):
        return dict(os.environ)
    return {**os.environ, **dict.fromkeys(names, profile)}


def remove_abandoned_memory() -> None:
    """Remove the shared memory of Fast DDS whose owner was killed and could not do so itself.

    The owner of a segment or port holds a lock on a file beside it as long as it lives. A port of
    which there is none is left by somebody who wrote to it: it is removed if nobody else has it
    open. The tool `fastdds shm clean` does the same, but is not everywhere where Fast DDS is.
    """
    for lock in SHARED_MEMORY.glob("fast*_el"):
        with suppress(OSError), lock.open("rb") as file:  # in use, or somebody else's
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_memory(lock.name.removesuffix("_el"))
    ports = [path for path in SHARED_MEMORY.iterdir() if _PORT.fullmatch(path.name)]
    if ports := [path for path in ports if not any(path.parent.glob(f"{path.name}_?l"))]:
        in_use = _mapped_by_others()
        for port in ports:
            if str(port) not in in_use:
                with suppress(OSError):
                    _remove_memory(port.name)


def _remove_memory(name: str) -> None:
    for leftover in (name, f"sem.{name}_mutex", f"{name}_el"):
        (SHARED_MEMORY / leftover).unlink(missing_ok=True)


def _mapped_by_others() -> set[str]:
    """The files that processes other than this one have in their memory, as far as can be seen."""
    mapped: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        if process.name != str(os.getpid()):
            with suppress(OSError):  # it ended meanwhile, or is somebody else's
                lines = (process / "maps").read_text(errors="replace").splitlines()
                mapped.update(line[line.index("/") :] for line in lines if "/" in line)
    return mapped


def activate(
    processes: Processes,
    node: Node,
    executor: Executor,
    deadline: float,
    note: Callable[[str], Any] = lambda name: None,
) -> None:
    """Configure and activate every lifecycle node, all at the same time.

    Args:
        processes: the running nodes.
        node: who asks them to.
        executor: of that node, and of whatever else goes on meanwhile.
        deadline: of `time.monotonic`, for all.
        note: is told the full name of each node that became active.

    Raises:
        BringupError: a node refused, died, or was not there in time.
    """
    from m2vae_ros.nodes.lifecycle_client import Activation

    waiting = [Activation(node, spec) for spec in processes.nodes if spec.lifecycle]
    while waiting:
        executor.spin_once(timeout_sec=0.05)
        processes.check()
        for activation in list(waiting):
            spec = activation.spec
            if activation.step():
                waiting.remove(activation)
                note(spec.full_name)
            elif activation.refused:
                words = processes.last_words(spec)
                raise BringupError(f"{spec.full_name} could not {activation.refused}{words}")
        if waiting and time.monotonic() > deadline:
            spec = waiting[0].spec
            words = processes.last_words(spec)
            raise BringupError(f"{spec.full_name} did not become active in time{words}")


def _wait(processes: Iterable[subprocess.Popen], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return


def _die_with_parent() -> None:
    """In the child: SIGTERM when the parent dies, however it does."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _told(status: int) -> str:
    if status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"status {status}"
