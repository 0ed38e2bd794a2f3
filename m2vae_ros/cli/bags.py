# SPDX-License-Identifier: Apache-2.0
"""``m2vae record`` and ``m2vae play``: from a running team to rosbag2 folders, and back."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from m2vae_ros.cli.arguments import (
    SUITE_HELP,
    add_json,
    non_negative_number,
    positive_number,
    split,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from m2vae_ros.bags.writer import Summary
    from m2vae_ros.ros.recorder import Recorder

_LOOK = 1.0
"""Seconds between two looks at what is recorded; rates are means over them."""

_SPEAK = 10.0
"""Seconds between two lines where there is no terminal."""

_PATIENCE = 3.0
"""Seconds until it is told which topics nobody publishes on."""

_MOST_NAMED = 8
"""Topics that are named at the end as not recorded; of others it is said how many there are."""

_TOPICS = "names, or patterns with * and ? in quotes; default: "


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this group's commands."""
    _add_record(commands)
    _add_play(commands)


def _add_record(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    record = commands.add_parser(
        "record",
        help="record a team's topics to a rosbag2 folder",
        description="Record topics to a rosbag2 folder, as the bytes they are sent in, with the "
        "definitions of their types and the quality of service of their publishers. Topics that "
        "appear later are recorded, too. Ctrl-C ends the recording: only then, and whole, the "
        "folder gets its name; until then it is FOLDER.recording. If nothing came, no folder is "
        "left, and the exit status is 1.",
        epilog="Examples: m2vae record run_1; m2vae record run_1 --compression zstd --split 1GB; "
        "m2vae record --topics '/amiro1/*' /clock --duration 60. Afterwards: m2vae train amiro "
        "--bags run_1 --out models/mine; m2vae play run_1; ros2 bag info run_1.",
    )
    record.add_argument(
        "folder",
        type=Path,
        nargs="?",
        help="of the bag; must not be there yet; default: bag-DATE-TIME",
    )
    record.add_argument(
        "--suite",
        default="amiro",
        help=f"{SUITE_HELP}, whose topics are recorded; default: %(default)s",
    )
    record.add_argument(
        "--topics",
        nargs="+",
        metavar="TOPIC",
        help=f"{_TOPICS}sensors, odometry, commands and classifications of every robot, "
        "/embeddings, /diagnostics, /clock and /tf",
    )
    record.add_argument(
        "--compression",
        choices=["none", "zstd"],
        default="none",
        help="zstd: chunks within the file, which every reader of mcap undoes; default: "
        "%(default)s",
    )
    record.add_argument(
        "--split",
        type=split,
        metavar="SIZE|TIME",
        help="go on in a new file of the same bag before this is exceeded, e.g. 500MB or 5min; "
        "sizes are those of the messages before compression; default: one file",
    )
    record.add_argument(
        "--duration", type=positive_number, metavar="S", help="seconds; default: until Ctrl-C"
    )
    record.add_argument(
        "--use-sim-time",
        action="store_true",
        help="stamp messages with the time of /clock, and record nothing before there is one; "
        "default: the time of this machine",
    )
    record.add_argument(
        "--world",
        type=Path,
        metavar="FILE",
        help="the world file of the run, copied into the bag: it says which objects stood where",
    )
    add_json(record)
    record.set_defaults(run=_record)


def _add_play(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    play = commands.add_parser(
        "play",
        help="publish what is in a rosbag2",
        description="Publish the messages of a bag, byte for byte, at the recorded intervals and "
        "with the recorded quality of service; the stamps within the messages stay as they are. "
        "Nodes that use simulated time follow the /clock of the bag. Topics whose types are not "
        "installed are named, and the others played.",
        epilog="Examples: m2vae play run_1; m2vae play run_1 --rate 4 --loop; m2vae play run_1 "
        "--topics '/amiro1/*' --clock 40",
    )
    play.add_argument("bag", type=Path, help="its folder, or one of its files")
    play.add_argument(
        "--rate",
        type=positive_number,
        default=1.0,
        help="seconds of the bag for each second; default: %(default)s",
    )
    play.add_argument("--loop", action="store_true", help="begin again at the end, until Ctrl-C")
    play.add_argument("--topics", nargs="+", default=["*"], metavar="TOPIC", help=f"{_TOPICS}all")
    play.add_argument(
        "--clock",
        type=positive_number,
        metavar="HZ",
        help="publish the time of recording on /clock, so many times a second; default: the bag's "
        "own /clock, if it has one",
    )
    play.add_argument(
        "--start-offset",
        type=non_negative_number,
        default=0.0,
        metavar="S",
        help="leave out so many seconds of the bag; default: %(default)s",
    )
    play.add_argument(
        "--delay",
        type=non_negative_number,
        default=1.0,
        metavar="S",
        help="wait so long for readers to find the topics; default: %(default)s",
    )
    play.set_defaults(run=_play)


def _record(options: argparse.Namespace) -> int:
    from rich.console import Console

    from m2vae_ros.bags.writer import Split
    from m2vae_ros.bringup.processes import environment
    from m2vae_ros.host.files import write_json
    from m2vae_ros.ros.process import run
    from m2vae_ros.ros.recorder import RecorderNode, topics_of
    from m2vae_ros.sensors import read_suite

    os.environ.update(environment())
    topics = options.topics or topics_of(read_suite(options.suite))
    console = Console(markup=False)  # names may have brackets in them
    folder = options.folder or Path(time.strftime("bag-%Y%m%d-%H%M%S"))
    nodes: list[RecorderNode] = []

    def make() -> RecorderNode:
        nodes.append(
            RecorderNode(
                folder,
                options.use_sim_time,
                topics=topics,
                compression=options.compression,
                split=Split(**dict([options.split])) if options.split else None,
                enclosed={"world.sdf": options.world} if options.world else None,
            )
        )
        return nodes[0]

    with _View(console) as view:

        def going_on() -> bool:
            recorder = nodes[0].recorder
            assert recorder is not None
            view.look(recorder)
            over = options.duration is not None and recorder.seconds >= options.duration
            return not over and recorder.error is None

        status = run(make, [], going_on)
    if status:
        return status
    summary, recorder = nodes[0].summary, nodes[0].recorder
    assert summary is not None
    assert recorder is not None
    outcome = _outcome(summary, recorder.lost)
    if outcome.row_count:
        console.print(outcome)
    for topic, reason in recorder.refused.items():
        console.print(f"not recorded, or not all of it: {topic}: {reason}", soft_wrap=True)
    if recorder.left_out:
        console.print(_left_out(options, recorder), soft_wrap=True)
    if not summary.messages:
        shutil.rmtree(summary.folder)
        why = _unseen(recorder) or f"nothing was sent on {', '.join(recorder.messages)}"
        console.print(f"nothing was recorded, no bag is left: {why}", soft_wrap=True)
        return 1
    console.print(
        f"{folder}: {sum(summary.messages.values())} messages, "
        f"{summary.size / 1e6:.1f} MB, files: {', '.join(summary.files)}",
        soft_wrap=True,
    )
    if options.json:
        said = {**asdict(summary), "folder": str(folder), "refused": recorder.refused}
        write_json(options.json, said)
    return 0


def _play(options: argparse.Namespace) -> int:
    from rich.console import Console

    from m2vae_ros.bags.reader import find_bags
    from m2vae_ros.bringup.processes import environment
    from m2vae_ros.datasets.errors import DataError
    from m2vae_ros.ros.player import Player, play

    os.environ.update(environment())
    console = Console(stderr=True, markup=False)

    def problem(path: Path, reason: str) -> None:
        console.print(f"{path}: {reason}", soft_wrap=True)

    files = find_bags([options.bag], problem)
    bags = sorted({str(file.bag) for file in files})
    if len(bags) > 1:
        raise DataError(f"{options.bag}: holds {len(bags)} bags, say which: {bags[0]}, …")
    spoke = time.monotonic()

    def note(player: Player, at: float) -> None:
        nonlocal spoke
        if time.monotonic() - spoke >= (_LOOK if console.is_terminal else _SPEAK):
            spoke = time.monotonic()
            end = "\r" if console.is_terminal else "\n"
            console.print(f"{at:.1f} s of the bag, {player.played.total()} messages", end=end)

    player = play(
        files,
        topics=options.topics,
        rate=options.rate,
        offset=options.start_offset,
        clock=options.clock,
        loop=options.loop,
        delay=options.delay,
        note=note,
    )
    for name, reason in player.refused.items():
        console.print(f"not played, or not all of it: {name}: {reason}", soft_wrap=True)
    print(f"{options.bag}: {player.played.total()} messages of {len(player.played)} topics played")
    return 0


class _View:
    """What is recorded, as it goes on: a table in a terminal, else a line now and then."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._console = console
        self._live = (
            Live(console=console, auto_refresh=False, transient=True)
            if console.is_terminal
            else None
        )
        self._looked = self._spoke = time.monotonic()
        self._before: Mapping[str, int] = {}
        self._patient = True

    def __enter__(self) -> _View:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def look(self, recorder: Recorder) -> None:
        """Show where the recording stands, if it is time to."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        messages, lost = recorder.messages, recorder.lost
        if self._patient and recorder.seconds > _PATIENCE:
            self._patient = False
            if unseen := _unseen(recorder):
                later = "what appears later is recorded, too"
                self._console.print(f"{unseen}; {later}", soft_wrap=True)
        if self._live:
            seconds = now - self._looked
            rates = {t: (n - self._before.get(t, 0)) / seconds for t, n in messages.items()}
            self._live.update(_table(recorder, messages, rates, lost), refresh=True)
        elif now - self._spoke >= _SPEAK:
            self._spoke = now
            self._console.print(_headline(recorder, messages, lost))
        self._looked, self._before = now, messages


def _unseen(recorder: Recorder) -> str:
    """Which topics were asked for in vain so far; nothing if none was."""
    if recorder.timeless:
        return f"in ROS domain {recorder.domain} nobody tells the time on /clock"
    if not recorder.unseen:
        return ""
    return f"in ROS domain {recorder.domain} nobody publishes on {', '.join(recorder.unseen)}"


def _left_out(options: argparse.Namespace, recorder: Recorder) -> str:
    """Which topics there were that nobody asked for, and how to."""
    topics = sorted(recorder.left_out)
    named = ", ".join(topics[:_MOST_NAMED])
    more = f" and {len(topics) - _MOST_NAMED} more" if len(topics) > _MOST_NAMED else ""
    asked = "--topics" if options.topics else f"the suite {options.suite}"
    first = topics[0]
    pattern = f"{first[: first.index('/', 1)]}/*" if first.count("/") > 1 else first
    return (
        f"not recorded, for {asked} does not name them: {named}{more}; --suite FILE records the "
        f"topics of a suite of your own, --topics such as '{pattern}' any"
    )


def _headline(recorder: Recorder, messages: Mapping[str, int], lost: Mapping[str, int]) -> str:
    losses = ", ".join(f"{topic} {count}" for topic, count in lost.items())
    return (
        f"{recorder.seconds:.0f} s: {sum(messages.values())} messages of {len(messages)} topics, "
        f"{recorder.size / 1e6:.1f} MB, lost: {losses or 'none'}"
    )


def _table(
    recorder: Recorder,
    messages: Mapping[str, int],
    rates: Mapping[str, float],
    lost: Mapping[str, int],
) -> Table:
    from rich.table import Table

    table = Table(title=f"{_headline(recorder, messages, lost)}; Ctrl-C ends it")
    table.add_column("topic")
    for column in ("messages", "per second", "lost"):
        table.add_column(column, justify="right")
    for topic in sorted(messages):
        cells = f"{messages[topic]}", f"{rates[topic]:.1f}", f"{lost.get(topic, 0)}"
        table.add_row(topic, *cells)
    return table


def _outcome(summary: Summary, lost: Mapping[str, int]) -> Table:
    from rich.table import Table

    table = Table("topic")
    for column in ("messages", "lost"):
        table.add_column(column, justify="right")
    for topic in sorted({*summary.messages, *lost}):
        table.add_row(topic, f"{summary.messages.get(topic, 0)}", f"{lost.get(topic, 0)}")
    return table
