# SPDX-License-Identifier: Apache-2.0
"""The whole system on one machine: a simulated world, three robots with one sensor each, ROS 2."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.live import Live
from rich.table import Table

from m2vae_ros.apps.scoreboard import Record, Scoreboard, Verdict
from m2vae_ros.bringup.activation import activate
from m2vae_ros.bringup.processes import BringupError, Processes, environment
from m2vae_ros.bringup.specs import TEAM, NodeSpec, gazebo_team, simulated_team, world_objects
from m2vae_ros.fusion.attributes import described
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.host.children import die_with_parent, stop
from m2vae_ros.host.domains import own_domain
from m2vae_ros.host.files import write_json
from m2vae_ros.world.suite import AMIRO

if TYPE_CHECKING:
    from m2vae_ros.apps.observer import Observer
    from m2vae_ros.gazebo.server import GazeboServer

SECONDS_BETWEEN_WORDS = 15.0
"""In a long stay."""


class DemoError(RuntimeError):
    """The demo did not show what it is there to show; the message says why."""


def run(options: argparse.Namespace) -> int:
    """Run the demo.

    Args:
        options: of `m2vae demo`.

    Returns:
        The exit status: 0 if every node came up, every object was sensed by all three robots and
        everything went down clean; 1 if not, 130 after Ctrl-C or SIGTERM.
    """
    console = Console(highlight=False)
    console.width = min(100, console.width) if console.is_terminal else 100
    with ExitStack() as at_last:
        try:
            _run(options, console, at_last)
        except KeyboardInterrupt:
            console.print("interrupted; all nodes are stopped")
            return 130
        except (BringupError, DemoError, GazeboError) as error:
            console.print(f"the demo failed: {error}", style="red", markup=False)
            return 1
    return 0


def _run(options: argparse.Namespace, console: Console, at_last: ExitStack) -> None:
    try:
        import m2vae_ros.apps.observer  # noqa: F401
    except ImportError as error:
        raise DemoError(
            f"{error}; it needs ROS 2 and this package built: run ./run m2vae demo in the "
            "checkout, or source the workspace"
        ) from error

    with own_domain() as domain, _viewer(options):
        _show(options, console, domain, at_last)


def _show(options: argparse.Namespace, console: Console, domain: int, at_last: ExitStack) -> None:
    from rclpy.node import Node

    from m2vae_ros.apps.observer import Observer
    from m2vae_ros.ros.beside import node_beside
    from m2vae_ros.ros.process import install_shutdown_handlers

    begin = time.monotonic()
    time_out = options.time_out or _time_out(options)
    deadline = begin + time_out
    scoreboard = Scoreboard(world_objects(), TEAM)
    with _world(options) as (nodes, gazebo):
        stop = install_shutdown_handlers()  # not before: while Gazebo starts, nobody would look
        os.environ.update(environment())
        # DDS may never let go of it, so all else is done and said before.
        made = node_beside(lambda context: Node("demo", context=context))
        node, executor = at_last.enter_context(made)
        node.create_timer(0.1, lambda: _interrupt(stop))
        display = (_LiveTable if console.is_terminal else _Lines)(console, scoreboard, begin)
        observer = Observer(node, scoreboard, display.changed)
        processes = Processes(nodes)
        with display, processes:
            display.says(f"{len(nodes)} nodes start in ROS domain {domain}")
            activate(processes, node, executor, deadline, lambda n: display.says(f"{n} active"))
            started = time.monotonic() - begin
            display.says(f"all {len(nodes)} nodes are up after {started:.1f} s")
            heartbeat = _Heartbeat(display.says, scoreboard, observer)
            while not (scoreboard.complete and scoreboard.stayed(options.stay)):
                executor.spin_once(timeout_sec=0.1)
                processes.check()
                if gazebo is not None:
                    gazebo.check()
                display.refresh()
                if options.stay:
                    heartbeat()
                if time.monotonic() > deadline:
                    raise DemoError(_shortfall(scoreboard, options.stay, time_out))
            display.says("every robot knows every object by all three sensors")
    seconds = time.monotonic() - begin
    _summary(console, scoreboard, observer, options.stay, seconds)
    if options.json:
        write_json(options.json, _numbers(scoreboard, observer, seconds))
    if processes.unclean:
        raise DemoError("not all went down clean: " + "; ".join(processes.unclean))
    if options.stay and scoreboard.right_throughout < len(scoreboard.records):
        wrong = [f"{r.item.class_name} ({r.wrong})" for r in scoreboard.records if r.wrong]
        raise DemoError(f"taken for another class now and then: {', '.join(wrong)}")


@contextmanager
def _viewer(options: argparse.Namespace) -> Iterator[None]:
    """The live view, if it was asked for, until Ctrl-C or until it is closed.

    It is a process of its own: whatever draws takes no time from the demo's.
    """
    if not options.view:
        yield
        return
    command = [sys.executable, "-m", "m2vae_ros.cli", "view", "--weights", options.weights]
    process = subprocess.Popen(command, preexec_fn=die_with_parent, start_new_session=True)
    try:
        yield
        # The demo has left signals to its own loop, which has ended.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        print("the view stays until Ctrl-C", flush=True)
        with suppress(KeyboardInterrupt):
            process.wait()
    finally:
        stop([process])


def _time_out(options: argparse.Namespace) -> float:
    """Long enough if a simulated second takes no longer than a real one."""
    staying: float = len(world_objects()) * options.stay
    return (240.0 if options.gazebo else 120.0) + 1.5 * staying


@contextmanager
def _world(
    options: argparse.Namespace,
) -> Iterator[tuple[tuple[NodeSpec, ...], GazeboServer | None]]:
    """The nodes, and the Gazebo that they need, if it is to be Gazebo."""
    if not options.gazebo:
        yield (
            simulated_team(
                weights=options.weights,
                real_time_factor=options.speed or (8.0 if options.stay else 2.0),
                seed=options.seed,
                own_odometry=options.own_odometry,
                stay=options.stay,
            ),
            None,
        )
        return
    from m2vae_ros.gazebo.server import GazeboServer

    with GazeboServer() as gazebo:
        yield (
            gazebo_team(
                weights=options.weights,
                master=gazebo.master_uri,
                seed=options.seed,
                own_odometry=options.own_odometry,
                stay=options.stay,
            ),
            gazebo,
        )


def _shortfall(scoreboard: Scoreboard, stay: float, seconds: float) -> str:
    if scoreboard.complete:
        short = [
            f"{robot} at {record.item.class_name} ({record.stay_of(robot):.1f} s)"
            for record in scoreboard.records
            for robot in scoreboard.team
            if record.stay_of(robot) < stay
        ]
        return f"after {seconds:g} s not stayed {stay:g} s: {', '.join(short)}"
    lacking = [
        f"{record.item.class_name} ({', '.join(sorted(missing))})"
        for record in scoreboard.records
        if (missing := scoreboard.modalities - (record.best.held if record.best else set()))
    ]
    if not lacking:
        return f"after {seconds:g} s not every robot had heard of all sensings of all objects"
    return f"after {seconds:g} s not sensed by all three: {'; '.join(lacking)}"


def _summary(
    console: Console, scoreboard: Scoreboard, observer: Observer, stay: float, seconds: float
) -> None:
    console.print("\n[bold]Attributes known[/bold] of colour, shape and material")
    for count, words in ((1, "one sensing "), (2, "two sensings"), (3, "three       ")):
        known, right, of = scoreboard.known_after(count)
        console.print(f"  after {words}  {known} of {of}, {right} of these right")
    console.print("[bold]Objects classified right[/bold]")
    right, of = scoreboard.right_after(len(scoreboard.modalities))
    share = f"{right / of:4.0%}" if of else "   –"
    console.print(f"  after all three     {right} of {of}  {share}")
    if scoreboard.unknown:
        console.print(f"[bold]Told as unknown[/bold] at last  {scoreboard.unknown} of these")
    raw = _raw_bytes(scoreboard)
    console.print(
        f"Exchanged: {observer.embeddings} embeddings, {decimal(observer.embedding_bytes)}; "
        f"the readings they stand\nfor are {decimal(raw)}, "
        f"{raw / max(1, observer.embedding_bytes):,.0f} times as much."
    )
    if stay:
        _staying(console, scoreboard, observer, stay)
    console.print(f"{seconds:.0f} s, start-up and shutdown included.")


def _raw_bytes(scoreboard: Scoreboard) -> int:
    """One reading by each sensor of each object."""
    return len(scoreboard.records) * sum(AMIRO[m].reading_bytes for m in scoreboard.modalities)


def _numbers(scoreboard: Scoreboard, observer: Observer, seconds: float) -> dict[str, Any]:
    """What `_summary` says, for programs."""
    after: dict[int, dict[str, int]] = {}
    for count in range(1, len(scoreboard.modalities) + 1):
        known, right, of = scoreboard.known_after(count)
        objects, sensed = scoreboard.right_after(count)
        after[count] = {
            "attributes": of,
            "attributes known": known,
            "attributes right": right,
            "objects": sensed,
            "objects right": objects,
        }
    return {
        "after sensings": after,
        "looks": scoreboard.looks,
        "wrong verdicts on all sensings": sum(record.wrong for record in scoreboard.records),
        "right throughout": scoreboard.right_throughout,
        "embeddings": observer.embeddings,
        "embedding bytes": observer.embedding_bytes,
        "reading bytes": _raw_bytes(scoreboard),
        "seconds": round(seconds, 1),
    }


def _staying(console: Console, scoreboard: Scoreboard, observer: Observer, stay: float) -> None:
    """What came of going on to look."""
    verdicts = sum(record.complete for record in scoreboard.records)
    wrong = sum(record.wrong for record in scoreboard.records)
    each = observer.embedding_bytes / max(1, observer.embeddings)
    console.print(
        f"Stayed {stay:g} s at each object: {scoreboard.looks:,} looks, {observer.embeddings:,} "
        f"embeddings sent. One for\neach look would be {scoreboard.looks * each / 1e3:.1f} kB "
        f"instead of {observer.embedding_bytes / 1e3:.1f} kB."
    )
    console.print(
        f"Right throughout: {scoreboard.right_throughout} of {len(scoreboard.records)} objects; "
        f"{wrong} of {verdicts:,} verdicts\non all three sensings were wrong."
    )


class _Heartbeat:
    """Says now and then how a long stay goes."""

    def __init__(
        self, says: Callable[[str], None], scoreboard: Scoreboard, observer: Observer
    ) -> None:
        self._says = says
        self._scoreboard = scoreboard
        self._observer = observer
        self._next = time.monotonic() + SECONDS_BETWEEN_WORDS

    def __call__(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next += SECONDS_BETWEEN_WORDS
        wrong = sum(record.wrong for record in self._scoreboard.records)
        self._says(
            f"{self._scoreboard.looks:,} looks, {self._observer.embeddings:,} embeddings sent, "
            f"{wrong} wrong verdicts on all sensings"
        )


class _LiveTable:
    """The table, redrawn in place."""

    def __init__(self, console: Console, scoreboard: Scoreboard, begin: float) -> None:
        self._scoreboard = scoreboard
        self._begin = begin
        self._status = ""
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=5)

    def __enter__(self) -> None:
        self._live.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def says(self, what: str) -> None:
        self._status = what

    def changed(self, robot: str, record: Record) -> None:
        self._status = f"{robot} on {record.item.class_name}"

    def refresh(self) -> None:
        """rich redraws by itself."""

    def _table(self) -> Table:
        elapsed = time.monotonic() - self._begin
        table = Table(
            title="Three robots with one sensor each",
            caption=f"{elapsed:5.1f} s  {self._status}",
            caption_justify="left",
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        table.add_column("object", min_width=20)
        for modality in AMIRO:
            table.add_column(_short(modality), justify="center")
        table.add_column("known of it", min_width=36)
        table.add_column("", min_width=1)
        for record in self._scoreboard.records:
            best = record.best
            held = best.held if best else frozenset()
            table.add_row(
                _coloured(record.item.class_name),
                *("●" if modality in held else "[dim]·[/dim]" for modality in AMIRO),
                _known(best) if best else "",
                _MARKS[_mark(record, best)] if best else "",
            )
        return table


class _Lines:
    """One line for each piece of news, where there is no terminal to draw on."""

    def __init__(self, console: Console, scoreboard: Scoreboard, begin: float) -> None:
        self._console = console
        self._scoreboard = scoreboard
        self._begin = begin
        self._said: dict[str, str] = {}

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass

    def says(self, what: str) -> None:
        self._console.print(f"{time.monotonic() - self._begin:5.1f} s {what}", markup=False)

    def changed(self, robot: str, record: Record) -> None:
        best = record.best
        assert best is not None  # a verdict is what has changed
        held = "+".join(modality for modality in AMIRO if modality in best.held)
        complete = best.held >= self._scoreboard.modalities
        name = best.class_name if complete else described(best.attributes)
        said = f"{held} {'unknown' if best.unknown else name}"
        if self._said.get(record.item.name) == said:
            return
        self._said[record.item.name] = said
        by = "+".join(_short(modality) for modality in AMIRO if modality in best.held)
        known = f"{_known(best):<36}"  # in all 80 columns, at most
        self.says(f"{record.item.class_name:<20} {by:<11} {known} {_mark(record, best)}")

    def refresh(self) -> None:
        """Every piece of news is printed as it comes."""


_MARKS = {"✓": "[green]✓[/green]", "…": "[dim]…[/dim]", "✗": "[red]✗[/red]"}


def _mark(record: Record, verdict: Verdict) -> str:
    """Right; wrong in something that is taken for known; or right as far as anything is known."""
    if verdict.unknown:  # nothing is
        return "…"
    if not all(record.known(verdict)):
        return "✗"
    return "✓" if verdict.complete else "…"


def _known(verdict: Verdict) -> str:
    """Each attribute with the probability of its likeliest value below .995: "red · ? .52 · ? .55".

    Or "unknown".
    """
    if verdict.unknown:
        return "unknown"
    return " · ".join((m.known() or "?") + m.doubt for m in verdict.attributes)


def _short(modality: str) -> str:
    return (AMIRO[modality].title or modality)[:3]


def _coloured(class_name: str) -> str:
    colour = class_name.split()[0]
    return f"[{colour}]{class_name}[/{colour}]"


def _interrupt(stop: threading.Event) -> None:
    if stop.is_set():
        raise KeyboardInterrupt
