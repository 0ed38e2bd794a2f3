# SPDX-License-Identifier: Apache-2.0
"""The command ``m2vae``: the demo, and from samples to trained and evaluated weights.

One module per group of commands; each adds its parsers and runs them. Every command imports what it
needs when it runs, so that ``m2vae --help`` answers at once and a machine without ROS can train.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from m2vae_ros import __version__
from m2vae_ros.cli import (
    bags,
    chaos,
    completion,
    demo,
    doctor,
    evaluation,
    export,
    fusion,
    gazebo,
    gz_world,
    imagination,
    reproduction,
    samples,
    suites,
    survey,
    training,
    tuning,
    view,
)

GROUPS = (
    demo,
    view,
    chaos,
    doctor,
    gazebo,
    gz_world,
    suites,
    bags,
    survey,
    samples,
    tuning,
    training,
    evaluation,
    imagination,
    fusion,
    export,
    reproduction,
    completion,
)
"""In the order of the help."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0, 1 after an error it explained in one line, 130 after Ctrl-C or SIGTERM.
    """
    options = parser().parse_args(arguments)
    # before torch comes: threads that spin while they wait for each other take the cores from
    # whatever else runs, and wait all the longer
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        with _ended_as_by_ctrl_c():
            status: int = options.run(options)
            return status
    except KeyboardInterrupt:
        print("m2vae: interrupted", file=sys.stderr)
        return 130
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        if os.environ.get("M2VAE_TRACEBACK"):
            raise
        print(f"m2vae: {error}{_advice(error)}\n(M2VAE_TRACEBACK=1 shows where)", file=sys.stderr)
        return 1


def _advice(error: Exception) -> str:
    """What to do where something is missing that only training or the view needs."""
    from m2vae_ros.apps.doctor.software import TRAINING

    if isinstance(error, ModuleNotFoundError) and error.name in TRAINING:
        return "; robots do without, to train: pip install '.[train]', or ./run m2vae …"
    if isinstance(error, ModuleNotFoundError) and error.name == "rerun":
        return (
            "; to see the view, with Python 3.11 or newer: pip install '.[view]', or ./run m2vae …"
        )
    return ""


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """SIGTERM is a KeyboardInterrupt, too, so that commands clean up after either."""
    if threading.current_thread() is not threading.main_thread():  # signals are not for others
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def parser() -> argparse.ArgumentParser:
    """The parser of every command; it imports nothing that a command needs."""
    whole = argparse.ArgumentParser(
        prog="m2vae",
        description="Multi-modal sensor fusion by a variational autoencoder, in place, between "
        "robots.",
        epilog="A first walk: m2vae demo; m2vae evaluate amiro; m2vae collect --count 2000 "
        "samples.npz",
    )
    whole.add_argument("--version", action="version", version=f"m2vae_ros {__version__}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for group in GROUPS:
        group.add_to(commands)
    return whole
