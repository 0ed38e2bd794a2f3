# SPDX-License-Identifier: Apache-2.0
"""One node as the whole of a process."""

from __future__ import annotations

import argparse
import faulthandler
import gc
import inspect
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rclpy
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from m2vae_ros.host.allocator import keep_freed_buffers
from m2vae_ros.host.resources import PACKAGE, resource
from m2vae_ros.ros.parameters import ParameterError

_LOOK_FOR_SIGNALS = 0.1
"""Seconds."""

_SLOW_END = 3.0
"""Seconds from a signal to when stderr tells where each thread is: ten times what an end takes."""

LONGEST_END = 1.5
"""Seconds in which DDS has to let go of a node. It never does if another one comes or goes at the
very moment (eProsima/Fast-DDS#6513), built as it is for PyPI: it then holds what it waits for."""


def run(
    make_node: Callable[[], Node],
    args: list[str] | None = None,
    going_on: Callable[[], bool] = lambda: True,
) -> int:
    """Run a node until SIGINT, SIGTERM or its context ends it; after that both are ignored.

    Args:
        make_node: makes it, once ROS is there.
        args: of the command line; those of the process by default.
        going_on: asked between callbacks, several times a second; False ends the node, too.

    Returns:
        The exit status: 0, or 2 if the node could not be made, or finds that its parameters cannot
        be, which stderr explains.

    Raises:
        SystemExit: --help was asked for, or something that is no argument.
    """
    try:
        others = remove_ros_args(sys.argv[1:] if args is None else args)
    except RuntimeError as error:  # what rclpy raises has no public name
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    _parser(make_node).parse_args(others)
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    gc.freeze()  # what was imported stays: no collection has to look through it
    keep_freed_buffers()
    stop = install_shutdown_handlers(_watch_the_end)
    try:
        status = _spin(make_node, stop, going_on)
    finally:
        rclpy.try_shutdown()
        gc.collect()  # the node, and with it what DDS shares with other processes
        faulthandler.cancel_dump_traceback_later()
    # As Python ends it no longer calls handlers: an impatient second signal would kill it then.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    return status


def _spin(
    make_node: Callable[[], Node], stop: threading.Event, going_on: Callable[[], bool]
) -> int:
    """Make the node and run it to its end; returns the exit status."""
    try:
        node = make_node()
    except (ParameterException, NameValidationException, OSError, ValueError) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok() and not stop.is_set() and going_on():
            executor.spin_once(timeout_sec=_LOOK_FOR_SIGNALS)
    except ExternalShutdownException:
        pass  # whoever shut the context down meant to end the node
    except ParameterError as error:  # of a topic that the node joined only now, say
        print(f"cannot go on: {error}", file=sys.stderr)
        return 2
    finally:
        executor.shutdown()
        with node.handle:  # DDS keeps it until the node has finished its own work
            node.destroy_node()
            _watch_the_end(LONGEST_END, exit=True)  # with status 1
    return 0


def _parser(make_node: Callable[[], Node]) -> argparse.ArgumentParser:
    """Of what is no argument of ROS: only --help."""
    described = inspect.getdoc(inspect.getmodule(make_node)) or ""
    return argparse.ArgumentParser(
        description=described,
        epilog=f"""\
everything else is given as to any node of ROS 2, for instance:
  ros2 run {PACKAGE} %(prog)s --ros-args -r __ns:=/amiro1 -p use_sim_time:=true
  ros2 run {PACKAGE} %(prog)s --ros-args --params-file FILE.yaml
parameters, each with its default and meaning: {resource("config")}""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _watch_the_end(seconds: float = _SLOW_END, exit: bool = False) -> None:
    faulthandler.dump_traceback_later(seconds, exit=exit, file=sys.__stderr__ or sys.stderr)


@contextmanager
def letting_go(seconds: float = LONGEST_END) -> Iterator[None]:
    """Inside, DDS lets go of nodes; all that must not be lost is done before.

    Args:
        seconds: if it does not in these, the process ends with status 1, and stderr says where it
            was. No signal could: what DDS holds for ever, Python waits for.
    """
    _watch_the_end(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def install_shutdown_handlers(also: Callable[[], None] = lambda: None) -> threading.Event:
    """From now on SIGINT and SIGTERM only leave word: the first sets this, others do nothing.

    A KeyboardInterrupt can strike anywhere, also where rclpy converts a message, and comes out as
    another error there.
    """
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def request_stop(*_: object) -> None:
        # A second one in the middle of `set` would wait for ever for the lock that the first holds.
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        also()
        stop.set()

    for number in numbers:
        signal.signal(number, request_stop)
    return stop
