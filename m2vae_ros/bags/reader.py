# SPDX-License-Identifier: Apache-2.0
"""Finds rosbag2 bags and reads their messages, whatever state their files are in.

Each storage file of a bag is read by itself, so that one that is damaged does not take the others
along, and a compressed one is unpacked alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import yaml
from rosbags.interfaces import Connection, ConnectionExtRosbag2, Qos
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from m2vae_ros.bags.recovery import is_unfinished, recovered
from m2vae_ros.bags.unpacking import LARGEST, unpack_file, unpacked_message
from m2vae_ros.bags.writer import INFORMATION, METADATA, RECORDING
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.host.files import read_bounded
from m2vae_ros.host.scratch import Scratch

STORAGE_SUFFIXES = (".mcap", ".db3")

LARGEST_METADATA = 2**20
"""Bytes: of thousands of files."""

_COMPRESSED = ".zstd"
_LONGEST_REASON = 300


@dataclass(frozen=True)
class BagFile:
    """One storage file.

    Attributes:
        bag: the folder of the bag it belongs to, also of a part that was not finished; of a file
            that belongs to none, where it lies.
        path: of the file.
        information: what the bag's metadata.yaml says, cut down to this file; None without one.
    """

    bag: Path
    path: Path
    information: dict[str, Any] | None = None

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size

    @property
    def packed(self) -> str:
        """What was packed with zstd: the "file" as a whole, each "message", or nothing, ""."""
        information = self.information or {}
        mode = str(information.get("compression_mode")).lower()
        known = mode in ("file", "message") and information.get("compression_format") == "zstd"
        return mode if known else ""

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        """The file as a bag of its own.

        Raises:
            DataError: it is damaged, or not what it should be; also for what goes wrong inside.
        """
        with ExitStack() as stack:
            try:
                reader = stack.enter_context(Reader(self._presented(stack)))
            except Exception as error:  # each layer of rosbags has its own
                raise DataError(f"{self.path}: {reason(error)}") from error
            _believe_metadata(reader)
            _bound_messages(reader)
            yield reader

    def _presented(self, stack: ExitStack) -> Path:
        """What rosbags has to open: the file, or a folder that says how it is compressed."""
        folder = stack.enter_context(Scratch("m2vae-bags-"))
        path = recovered(self.path) if is_unfinished(self.path) else self.path.absolute()
        # Not by its own name: rosbags takes that of an sqlite3 file for a URI.
        name = f"bag{''.join(s for s in path.suffixes if s in STORAGE_SUFFIXES)}"
        if self.packed == "file":
            unpack_file(path, folder / name)
        else:
            (folder / name).symlink_to(path)
        if self.information is None:
            return folder / name
        # rosbags would unpack whatever it becomes
        plain = {"compression_mode": "", "compression_format": ""} if self.packed else {}
        own = {**self.information, **plain, "relative_file_paths": [name]}
        (folder / METADATA).write_text(yaml.safe_dump({INFORMATION: own}))
        return folder


class BagTopic(NamedTuple):
    """A topic of a bag.

    Attributes:
        name: of the topic.
        type: of its messages.
        qos: what its publishers offered.
        digest: a hash of the type's definition (RIHS01); empty where the bag does not say.
    """

    name: str
    type: str
    qos: tuple[Qos, ...] = ()
    digest: str = ""


class BagMessage(NamedTuple):
    """A message of a bag: its topic, when it was recorded (nanoseconds), its bytes (CDR)."""

    topic: BagTopic
    stamp: int
    data: bytes


def find_bags(
    paths: Iterable[Path], problem: Callable[[Path, str], None] = lambda path, reason: None
) -> list[BagFile]:
    """The storage files of bags, in order, each once.

    Args:
        paths: folders of bags, folders that hold such folders, or storage files.
        problem: called with the path of everything that looks like a bag and is none, and why.

    Raises:
        DataError: a path is not there, or there is no bag in it.
    """
    found: dict[Path, BagFile] = {}

    def find(file: BagFile) -> None:
        if file.path.resolve() in found:
            return
        found[file.path.resolve()] = file
        with suppress(OSError):  # reported to whoever opens it
            if is_unfinished(file.path):
                problem(file.path, "was not finished; what is whole of it is read")

    for path in map(Path, paths):
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
        if _is_storage(path) and path.is_file():
            files = [_file(path)]
        elif folders := _folders(path):
            files = [file for folder in folders for file in _files(folder, problem)]
        else:
            raise DataError(f"{path}: no rosbag2 in it ({METADATA}, *.mcap or *.db3)")
        for file in files:
            find(file)
    return list(found.values())


def _folders(path: Path) -> list[Path]:
    """The folder itself and those below it that hold storage files or metadata."""
    found = set()
    entered = set()
    for name, below, files in os.walk(path, followlinks=True):
        folder = Path(name)
        if folder.resolve() in entered:  # links may lead round and round
            below.clear()
            continue
        entered.add(folder.resolve())
        if any(
            (file == METADATA or _is_storage(Path(file))) and (folder / file).is_file()
            for file in files
        ):
            found.add(folder)
    return sorted(found)


def _is_storage(file: Path) -> bool:
    return Path(file.name.removesuffix(_COMPRESSED)).suffix in STORAGE_SUFFIXES


def _file(path: Path) -> BagFile:
    """One storage file, of which the metadata beside it tells how it is compressed."""
    of_its_folder = _files(path.parent, lambda path, reason: None)
    known = (file for file in of_its_folder if file.path.name == path.name)
    return next(known, BagFile(_bag(path.parent), path))


def _bag(folder: Path) -> Path:
    """The bag whose storage files lie in a folder: a recorder has one for each unfinished part."""
    recording = folder.absolute().parent.name
    name = recording.removesuffix(RECORDING)
    is_part = name != recording and re.fullmatch(rf"{re.escape(name)}_\d+", folder.name)
    return folder.parent if is_part else folder


def _files(folder: Path, problem: Callable[[Path, str], None]) -> Iterator[BagFile]:
    bag, metadata = _bag(folder), folder / METADATA
    try:
        information = yaml.safe_load(read_bounded(metadata, LARGEST_METADATA))[INFORMATION]
        names = [Path(name).name for name in information["relative_file_paths"]]
        parts = {Path(file["path"]).name: file for file in information.get("files") or ()}
        # rosbag2 calls a file that it compressed by its new name in the first place only
        whole = [
            _cut(information, name, parts.get(name) or parts.get(name.removesuffix(_COMPRESSED)))
            for name in names
        ]
    except Exception as error:  # anything can stand in a file that is no metadata
        missing = not metadata.exists()
        what = "missing" if missing else reason(error)
        problem(metadata, f"{what}; the files are read as they are")
        for path in sorted(filter(Path.is_file, folder.iterdir()), key=_numbered):
            if path.suffix in STORAGE_SUFFIXES:
                yield BagFile(bag, path)
            elif _is_storage(path):
                problem(path, f"is compressed as a whole, and without {METADATA} is not read")
        return
    for name, part in zip(names, whole, strict=True):
        if (folder / name).is_file():
            yield BagFile(bag, folder / name, part)
        else:
            problem(folder / name, f"{METADATA} names it, but it is missing")
    for path in sorted(folder.iterdir()):
        if _is_storage(path) and path.is_file() and path.name not in map(str, names):
            problem(path, f"{METADATA} does not name it, so it is not read")


def _numbered(path: Path) -> list[str | int]:
    """Sorts file 10 behind file 9: digits alternate with what is between them."""
    return [int(word) if word.isdigit() else word for word in re.split(r"(\d+)", path.name)]


def _cut(information: dict[str, Any], name: str, part: dict[str, Any] | None) -> dict[str, Any]:
    """The metadata of a bag as if one of its files were all of it."""
    own = {key: part[key] for key in ("starting_time", "duration", "message_count")} if part else {}
    return {**information, **own, "relative_file_paths": [name]}


def topic_of(connection: Connection) -> BagTopic:
    """The topic that rosbags calls a connection."""
    assert isinstance(connection.ext, ConnectionExtRosbag2)
    qos = tuple(connection.ext.offered_qos_profiles)
    return BagTopic(connection.topic, connection.msgtype, qos, connection.digest)


def topics_of(file: BagFile) -> list[BagTopic]:
    """The topics of one file; one that carries several types is there once for each.

    Raises:
        DataError: the file is damaged.
    """
    with file.opened() as reader:
        return [topic_of(connection) for connection in reader.connections]


def start_of(file: BagFile) -> int | None:
    """When the first message of a file was recorded, nanoseconds; None if it has none.

    Raises:
        DataError: the file is damaged.
    """
    with file.opened() as reader:
        return reader.start_time if reader.message_count else None


def in_order(files: Iterable[BagFile]) -> list[BagFile]:
    """Files of one bag, those that begin earlier first; others stay in the order given.

    What cannot be opened comes first, and what is empty.
    """

    def begins(file: BagFile) -> int:
        try:
            return start_of(file) or 0
        except DataError:  # reported to whoever reads it
            return 0

    return sorted(files, key=begins)


def messages_of(
    file: BagFile,
    wanted: Callable[[BagTopic], bool] = lambda topic: True,
    progress: Callable[[float], None] = lambda share: None,
    since: int | None = None,
) -> Iterator[BagMessage]:
    """The messages of one file, one at a time, in the order of their stamps.

    Args:
        file: to be read.
        wanted: whether a topic's messages are.
        progress: called with the share of the file, 0 to 1, that lies behind.
        since: stamp (nanoseconds) before which messages are left out.

    Raises:
        DataError: the file is damaged; what came before that is whole.
    """
    with file.opened() as reader:
        topics = {c.id: topic_of(c) for c in reader.connections}
        connections = [c for c in reader.connections if wanted(topics[c.id])]
        if not connections:
            progress(1.0)
            return
        start, span = reader.start_time, max(1, reader.end_time - reader.start_time)
        for connection, stamp, data in _whole(file, reader, connections, since):
            yield BagMessage(topics[connection.id], stamp, data)
            progress(min(1.0, max(0.0, (stamp - start) / span)))
        progress(1.0)


def _whole(
    file: BagFile, reader: Reader, connections: Collection[Connection], since: int | None
) -> Iterator[tuple[Connection, int, bytes]]:
    """What rosbags reads, up to where it cannot go on."""
    messages = reader.messages(connections, start=since)
    while True:
        try:
            message = next(messages, None)
            if message is not None and file.packed == "message":
                connection, stamp, data = message
                message = connection, stamp, unpacked_message(data)
        except Exception as error:  # struct, zstd, sqlite, ... each has its own
            raise DataError(f"{file.path}: damaged: {reason(error)}") from error
        if message is None:
            return
        yield message


def _believe_metadata(reader: Reader) -> None:
    """Let a bag's metadata say what its publishers offered, as it does for ROS.

    rosbags takes topics by the names, types and offers of its metadata, and finds none of their
    messages where somebody has edited the offers.
    """
    known = {(c.topic, c.msgtype): c.ext for c in reader.connections}
    for storage in getattr(reader.storage, "storages", ()):
        offers = [c.ext for c in reader.connections]
        storage.connections = [
            c if c.ext in offers else c._replace(ext=known.get((c.topic, c.msgtype), c.ext))
            for c in storage.connections
        ]


def _bound_messages(reader: Reader) -> None:
    """Let no database make a message of nothing that is larger than messages may be."""
    for storage in (reader.storage, *getattr(reader.storage, "storages", ())):
        if database := getattr(storage, "dbconn", None):
            database.limit(apsw.SQLITE_LIMIT_LENGTH, LARGEST)


def reason(error: BaseException) -> str:
    """What an error says, in one line; its kind, if that is not enough."""
    text = " ".join(str(error).split())
    if not isinstance(error, ValueError | OSError) or not text:
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    return text if len(text) < _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


class Decoder:
    """Decodes messages of types that every ROS 2 has, by what those types are."""

    def __init__(self) -> None:
        self._store = get_typestore(Stores.LATEST)

    def differs(self, topic: BagTopic) -> bool:
        """Whether the bag's type of that name is another than that of this ROS."""
        return bool(topic.digest) and topic.digest != self._store.hash_rihs01(topic.type)

    def __call__(self, message: BagMessage) -> Any:
        """An object with the message's fields; arrays of numbers are numpy's.

        Raises:
            DataError: the bytes are no such message.
        """
        try:
            return self._store.deserialize_cdr(message.data, message.topic.type)
        except Exception as error:  # whatever the bytes made it stumble over
            raise DataError(f"undecodable: {reason(error)}") from error
