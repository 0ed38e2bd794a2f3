# SPDX-License-Identifier: Apache-2.0
"""Writes a rosbag2 folder behind the back of who receives the messages.

A thread of its own writes, so that receiving never waits for a disk. What waits for it is bounded;
a message that finds no room is lost, and counted. The folder gets its name when it is whole:

    run_1.recording/     while it is written; metadata.yaml names the parts that are finished
        run_1_1/         the part that is written
    run_1/               afterwards
        metadata.yaml    what is in which file
        run_1_0.mcap     or .db3; one for each part
        run_1_1.mcap
        world.sdf        whatever else belongs to it

rosbags writes one file for each bag. A split recording is therefore written as one bag after the
other, whose files are then put into one folder, with their metadata added up.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from rosbags.interfaces import Connection, Qos
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Writer

from m2vae_ros.bags.types import MessageTypes
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.host.files import replacing

METADATA = "metadata.yaml"
INFORMATION = "rosbag2_bagfile_information"

RECORDING = ".recording"
"""What follows a bag's name while it is written."""

VERSION: Final = 8
"""Of the metadata: the last one that ROS 2 Humble reads, too."""

STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}

COMPRESSIONS: Mapping[tuple[str, str], CompressionMode] = {
    ("mcap", "none"): CompressionMode.NONE,
    ("sqlite3", "none"): CompressionMode.NONE,
    # by chunks within the file: every reader of mcap knows how
    ("mcap", "zstd"): CompressionMode.STORAGE,
    # the storage cannot: each message by itself, which readers of rosbag2 undo
    ("sqlite3", "zstd"): CompressionMode.MESSAGE,
}

_NOT_IN_URIS = re.compile(r"[#?]|%[0-9A-Fa-f]{2}")
"""What a path may not hold: rosbags has SQLite open the URI `file:PATH`, with nothing escaped."""

KEPT_AFTER = 1.0
"""Seconds from one time to the next when all that was written is put into the file: rosbags keeps a
megabyte of an mcap file, and all of an sqlite3 file, to itself."""

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Split:
    """When a recording goes on in a new file: before a part exceeds one of these.

    Attributes:
        size: bytes of messages, before compression.
        seconds: between the stamps of its first and last message.
    """

    size: float = float("inf")
    seconds: float = float("inf")


@dataclass(frozen=True)
class Summary:
    """What came of a recording.

    Attributes:
        folder: where it is.
        files: names of its storage files, in order.
        messages: topic -> how many were written.
        size: bytes of messages, before compression.
        lost: topic -> how many found no room.
    """

    folder: Path
    files: tuple[str, ...]
    messages: Mapping[str, int]
    size: int
    lost: Mapping[str, int]


class _Topic(NamedTuple):
    """A topic to be recorded from now on."""

    name: str
    type: str
    qos: tuple[Qos, ...]


class _Message(NamedTuple):
    topic: str
    stamp: int
    data: bytes


class _Silence:
    """Nothing comes for a while."""


@dataclass
class _Part:
    """The file being written."""

    writer: Writer
    connections: dict[str, Connection] = field(default_factory=dict)
    size: int = 0
    first: int | None = None

    def keep(self) -> None:
        """Have in the file what has been written so far."""
        storage = self.writer.storage
        if isinstance(storage, Sqlite3Writer):
            storage.conn.commit()
        elif isinstance(storage, McapWriter) and storage.chunk.msgs:
            storage.close_chunk()
            storage.bio.flush()


class BagWriter:
    """A rosbag2 folder in the making; use it from one thread, or with a lock."""

    def __init__(
        self,
        folder: Path,
        types: MessageTypes,
        *,
        storage: str = "mcap",
        compression: str = "none",
        split: Split | None = None,
        room: int = 256 * 2**20,
        enclosed: Mapping[str, Path] | None = None,
    ) -> None:
        """Start writing.

        Args:
            folder: of the bag; must not be there yet.
            types: of the messages.
            storage: "mcap" or "sqlite3".
            compression: "none" or "zstd", see `COMPRESSIONS`.
            split: when to go on in a new file; by default never.
            room: bytes of messages that may wait to be written.
            enclosed: name -> file to be copied into the folder.

        Raises:
            DataError: the folder is there already, storage or compression are none of the known,
                or sqlite3 would write to another file, because of what is in the folder's path.
            OSError: the folder cannot be made, or a file to be enclosed cannot be read.
        """
        if (storage, compression) not in COMPRESSIONS:
            known = ", ".join(f"{s} with {c}" for s, c in COMPRESSIONS)
            raise DataError(f"{storage} with {compression}: is none of {known}")
        self.folder = Path(folder).absolute()
        if storage == "sqlite3" and (found := _NOT_IN_URIS.search(str(self.folder))):
            raise DataError(
                f"{self.folder}: has {found.group()!r} in it, but sqlite3 can only be written to a "
                "path without '#', '?' and '%' before two hexadecimal digits; mcap can to any"
            )
        self._temporary = self.folder.with_name(self.folder.name + RECORDING)
        for path in (self.folder, self._temporary):
            if path.exists():
                raise DataError(f"{path}: exists already, and is not touched")
        contents = {name: Path(file).read_bytes() for name, file in (enclosed or {}).items()}
        self._temporary.mkdir(parents=True)
        for name, content in contents.items():
            (self._temporary / name).write_bytes(content)
        self._types = types
        self._storage, self._compression = storage, compression
        self._split = split or Split()
        self._room = room
        self._topics: dict[str, _Topic] = {}
        self._parts: list[dict[str, Any]] = []
        self._waiting: deque[_Topic | _Message] = deque()
        self._wake = threading.Condition()
        self._waiting_size = 0
        self._closing = False
        self._error: BaseException | None = None
        self.messages: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.size = 0
        # sqlite wants the thread that opened it, so all of rosbags happens in this one
        self._thread = threading.Thread(target=self._run, name="bag writer", daemon=True)
        self._thread.start()

    def add_topic(self, name: str, type_name: str, qos: Sequence[Qos] = ()) -> None:
        """Messages of this topic will follow.

        Args:
            name: of the topic.
            type_name: of its messages, such as "std_msgs/msg/String".
            qos: what its publishers offer.

        Raises:
            DataError: the type has no definition.
        """
        self._types.learn(type_name)
        with self._wake:
            self._waiting.append(_Topic(name, type_name, tuple(qos)))
            self._wake.notify()

    def write(self, topic: str, stamp: int, data: bytes) -> bool:
        """Have a serialised message (CDR) written, soon.

        Args:
            topic: one that was added.
            stamp: when it was received, nanoseconds.
            data: its bytes.

        Returns:
            Whether there was room for it; if not, it is lost, and counted.
        """
        with self._wake:
            if self._error or self._closing or self._waiting_size + len(data) > self._room:
                self.lost[topic] += 1
                return False
            self._waiting.append(_Message(topic, stamp, data))
            self._waiting_size += len(data)
            self._wake.notify()
        return True

    @property
    def error(self) -> BaseException | None:
        """Why nothing more is written, for instance because the disk is full."""
        return self._error

    @property
    def waiting(self) -> int:
        """Bytes of messages not yet written."""
        return self._waiting_size

    def close(self) -> Summary:
        """Write what waits, and give the folder its name.

        Raises:
            DataError: something could not be written; the message names what there is.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        if self._error is not None:
            raise DataError(
                f"{self._temporary}: could not be written, and is left as it is: {self._error}"
            ) from self._error
        if self.folder.exists():
            raise DataError(
                f"{self.folder}: appeared meanwhile, and is not touched; the recording is "
                f"{self._temporary}"
            )
        self._temporary.rename(self.folder)
        files = tuple(name for part in self._parts for name in part["relative_file_paths"])
        return Summary(self.folder, files, dict(self.messages), self.size, dict(self.lost))

    def _run(self) -> None:
        """The thread: write whatever comes until it is closed and nothing waits."""
        part = None
        kept_at = time.monotonic()
        try:
            part = self._open()
            while (item := self._next()) is not None:
                if isinstance(item, _Silence):
                    part.keep()
                    continue
                if isinstance(item, _Topic):
                    self._topics[item.name] = item
                    self._connect(part, item)
                    continue
                if self._full(part, item):
                    self._finish(part)
                    part = self._open()
                self._write(part, item)
                if time.monotonic() > kept_at + KEPT_AFTER:
                    part.keep()
                    kept_at = time.monotonic()
            self._finish(part)
        except BaseException as error:  # it reaches the caller with `close`
            with self._wake:
                self._error = error
                self._count_the_rest_as_lost()
            if part is not None:
                part.writer.abort()

    def _next(self) -> _Topic | _Message | _Silence | None:
        """What to write next, None at the end."""
        with self._wake:
            while not self._waiting:
                if self._closing:
                    return None
                if not self._wake.wait(KEPT_AFTER):
                    return _Silence()
            return self._waiting.popleft()

    def _count_the_rest_as_lost(self) -> None:
        for item in self._waiting:
            if isinstance(item, _Message):
                self.lost[item.topic] += 1
        self._waiting.clear()
        self._waiting_size = 0

    def _open(self) -> _Part:
        # rosbags names the file after the folder it makes for it
        folder = self._temporary / f"{self.folder.name}_{len(self._parts)}"
        writer = Writer(folder, version=VERSION, storage_plugin=STORAGES[self._storage])
        writer.set_compression(
            COMPRESSIONS[self._storage, self._compression], CompressionFormat.ZSTD
        )
        writer.open()
        part = _Part(writer)
        for topic in self._topics.values():
            self._connect(part, topic)
        return part

    def _connect(self, part: _Part, topic: _Topic) -> None:
        part.connections[topic.name] = part.writer.add_connection(
            topic.name,
            topic.type,
            typestore=self._types.store,
            offered_qos_profiles=topic.qos,
        )

    def _full(self, part: _Part, message: _Message) -> bool:
        if part.first is None:
            return False
        return (
            part.size + len(message.data) > self._split.size
            or message.stamp - part.first >= self._split.seconds * _NANOSECONDS
        )

    def _write(self, part: _Part, message: _Message) -> None:
        part.writer.write(part.connections[message.topic], message.stamp, message.data)
        part.first = message.stamp if part.first is None else part.first
        part.size += len(message.data)
        with self._wake:
            self.messages[message.topic] += 1
            self.size += len(message.data)
            self._waiting_size -= len(message.data)

    def _finish(self, part: _Part) -> None:
        """Close the part, and move its files and its metadata into the bag's folder.

        Killed at any point, the files have metadata in the one folder or the other.
        """
        part.writer.close()
        folder = part.writer.path
        information = yaml.safe_load((folder / METADATA).read_text())[INFORMATION]
        self._parts.append(information)
        document = {INFORMATION: merged(self._parts)}
        with replacing(self._temporary / METADATA) as temporary:
            temporary.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
        for name in information["relative_file_paths"]:
            (folder / name).rename(self._temporary / name)
        shutil.rmtree(folder)


def merged(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The metadata of one bag whose files are those of several.

    Args:
        parts: what stands under `INFORMATION` in each metadata.yaml, in order; at least one. All
            must be of the same storage and compression.
    """
    whole = dict(parts[0])
    topics: dict[str, dict[str, Any]] = {}
    for part in parts:
        for topic in part["topics_with_message_count"]:
            name = topic["topic_metadata"]["name"]
            known = topics.setdefault(name, {**topic, "message_count": 0})
            known["message_count"] += topic["message_count"]
    filled = [part for part in parts if part["message_count"]]
    starts = [_start(part) for part in filled]
    ends = [_start(part) + part["duration"]["nanoseconds"] for part in filled]
    start = min(starts, default=0)
    files = [{**file} for part in parts for file in part["files"]]
    for file in files:
        if not file["message_count"]:  # rosbags begins an empty file at the end of time
            file["starting_time"] = {"nanoseconds_since_epoch": start}
    whole |= {
        "relative_file_paths": [name for part in parts for name in part["relative_file_paths"]],
        "starting_time": {"nanoseconds_since_epoch": start},
        "duration": {"nanoseconds": max(ends, default=start) - start},
        "message_count": sum(part["message_count"] for part in parts),
        "topics_with_message_count": list(topics.values()),
        "files": files,
    }
    return whole


def _start(part: Mapping[str, Any]) -> int:
    start: int = part["starting_time"]["nanoseconds_since_epoch"]
    return start
