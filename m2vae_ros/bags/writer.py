# SPDX-License-Identifier: Apache-2.0
"""Writes a rosbag2 folder behind the back of who receives the messages.

A thread of its own writes, so that receiving never waits for a disk. What waits for it is bounded;
a message that finds no room is lost, and counted. The folder gets its name when it is whole:

    run_1.recording/     while it is written; metadata.yaml names the parts that are finished
        run_1_1/         the part that is written
    run_1/               afterwards
        metadata.yaml    what is in which file
        run_1_0.mcap     one for each part
        run_1_1.mcap
        world.sdf        whatever else belongs to it

Files are mcap, which PyPI's `mcap` writes: it needs nothing but Python to be read.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import yaml
from mcap.writer import CompressionType, Writer
from rosbags.interfaces import Qos
from rosbags.rosbag2.metadata import dump_qos_v8

from m2vae_ros.bags.types import MessageTypes
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.host.files import replacing

METADATA = "metadata.yaml"
INFORMATION = "rosbag2_bagfile_information"

RECORDING = ".recording"
"""What follows a bag's name while it is written."""

VERSION: Final = 8
"""Of the metadata: the last one that ROS 2 Humble reads, too."""

COMPRESSIONS: Mapping[str, CompressionType] = {
    "none": CompressionType.NONE,
    "zstd": CompressionType.ZSTD,  # by chunks within the file: every reader of mcap knows how
}

KEPT_AFTER = 1.0
"""Seconds from one time to the next when all that was written is put into the file; otherwise up to
a megabyte, a chunk, waits."""

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


class _Part:
    """The file being written."""

    def __init__(self, path: Path, compression: CompressionType) -> None:
        self.path = path
        self.messages: Counter[str] = Counter()
        self.size = 0
        self.first: int | None = None
        self.last = 0
        self._channels: dict[str, int] = {}
        path.parent.mkdir()
        with ExitStack() as on_error:
            self._file: BinaryIO = on_error.enter_context(path.open("xb"))
            self._writer: Any = Writer(self._file, compression=compression)  # typed by half
            self._writer.start(profile="ros2", library="m2vae_ros")
            on_error.pop_all()

    def connect(self, topic: _Topic, types: MessageTypes) -> None:
        """Messages of this topic will follow."""
        definition, _ = types.store.generate_msgdef(topic.type, ros_version=2)
        schema = self._writer.register_schema(topic.type, "ros2msg", definition.encode())
        self._channels[topic.name] = self._writer.register_channel(
            topic.name, "cdr", schema, {"offered_qos_profiles": dump_qos_v8(list(topic.qos))}
        )

    def write(self, message: _Message) -> None:
        """Append a message."""
        self._writer.add_message(
            self._channels[message.topic],
            log_time=message.stamp,
            publish_time=message.stamp,
            data=message.data,
        )
        self.messages[message.topic] += 1
        self.size += len(message.data)
        self.first = message.stamp if self.first is None else min(self.first, message.stamp)
        self.last = max(self.last, message.stamp)

    def keep(self) -> None:
        """Have in the file what has been written so far."""
        self._writer.flush()

    def finish(self) -> None:
        """Write the end of the file, and close it."""
        self._writer.finish()
        self._file.close()

    def abort(self) -> None:
        """Close the file as it is."""
        self._file.close()


class BagWriter:
    """A rosbag2 folder in the making; use it from one thread, or with a lock."""

    def __init__(
        self,
        folder: Path,
        types: MessageTypes,
        *,
        compression: str = "none",
        split: Split | None = None,
        room: int = 256 * 2**20,
        enclosed: Mapping[str, Path] | None = None,
    ) -> None:
        """Start writing.

        Args:
            folder: of the bag; must not be there yet.
            types: of the messages.
            compression: "none" or "zstd", see `COMPRESSIONS`.
            split: when to go on in a new file; by default never.
            room: bytes of messages that may wait to be written.
            enclosed: name -> file to be copied into the folder.

        Raises:
            DataError: the folder is there already, or the compression is none of the known.
            OSError: the folder cannot be made, or a file to be enclosed cannot be read.
        """
        if compression not in COMPRESSIONS:
            raise DataError(f"compression {compression}: is none of {', '.join(COMPRESSIONS)}")
        self.folder = Path(folder).absolute()
        self._temporary = self.folder.with_name(self.folder.name + RECORDING)
        for path in (self.folder, self._temporary):
            if path.exists():
                raise DataError(f"{path}: exists already, and is not touched")
        contents = {name: Path(file).read_bytes() for name, file in (enclosed or {}).items()}
        self._temporary.mkdir(parents=True)
        for name, content in contents.items():
            (self._temporary / name).write_bytes(content)
        self._types = types
        self._compression = COMPRESSIONS[compression]
        self._split = split or Split()
        self._room = room
        self._topics: dict[str, _Topic] = {}
        self._parts: list[_Part] = []
        self._waiting: deque[_Topic | _Message] = deque()
        self._wake = threading.Condition()
        self._waiting_size = 0
        self._closing = False
        self._error: BaseException | None = None
        self.messages: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.size = 0
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
        files = tuple(part.path.name for part in self._parts)
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
                    part.connect(item, self._types)
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
                part.abort()

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
        name = f"{self.folder.name}_{len(self._parts)}"
        part = _Part(self._temporary / name / f"{name}.mcap", self._compression)
        for topic in self._topics.values():
            part.connect(topic, self._types)
        return part

    def _full(self, part: _Part, message: _Message) -> bool:
        if part.first is None:
            return False
        return (
            part.size + len(message.data) > self._split.size
            or message.stamp - part.first >= self._split.seconds * _NANOSECONDS
        )

    def _write(self, part: _Part, message: _Message) -> None:
        part.write(message)
        with self._wake:
            self.messages[message.topic] += 1
            self.size += len(message.data)
            self._waiting_size -= len(message.data)

    def _finish(self, part: _Part) -> None:
        """Close the part, name it in the metadata, and move it into the bag's folder.

        Killed at any point, the file can be read in the one folder or the other.
        """
        part.finish()
        self._parts.append(part)
        with replacing(self._temporary / METADATA) as temporary:
            document = {INFORMATION: self._information()}
            temporary.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
        part.path.rename(self._temporary / part.path.name)
        part.path.parent.rmdir()

    def _information(self) -> dict[str, Any]:
        """What metadata.yaml says of the finished parts."""
        start = min((part.first for part in self._parts if part.first is not None), default=0)
        end = max((part.last for part in self._parts if part.first is not None), default=start)
        counts: Counter[str] = Counter()
        for part in self._parts:
            counts += part.messages
        return {
            "version": VERSION,
            "storage_identifier": "mcap",
            "relative_file_paths": [part.path.name for part in self._parts],
            "duration": {"nanoseconds": end - start},
            "starting_time": {"nanoseconds_since_epoch": start},
            "message_count": counts.total(),
            "topics_with_message_count": [
                {
                    "topic_metadata": {
                        "name": topic.name,
                        "type": topic.type,
                        "serialization_format": "cdr",
                        "offered_qos_profiles": dump_qos_v8(list(topic.qos)),
                        "type_description_hash": self._types.store.hash_rihs01(topic.type),
                    },
                    "message_count": counts[topic.name],
                }
                for topic in self._topics.values()
            ],
            "compression_format": "",
            "compression_mode": "",
            "files": [
                {
                    "path": part.path.name,
                    "starting_time": {
                        "nanoseconds_since_epoch": start if part.first is None else part.first
                    },
                    "duration": {
                        "nanoseconds": 0 if part.first is None else part.last - part.first
                    },
                    "message_count": part.messages.total(),
                }
                for part in self._parts
            ],
            "custom_data": None,
            "ros_distro": "m2vae_ros",
        }
