# SPDX-License-Identifier: Apache-2.0
"""However little a bag is packed to, no more is unpacked of it than was to be expected."""

from __future__ import annotations

import random
import struct
import zlib
from contextlib import closing
from pathlib import Path

import apsw
import lz4.frame
import pytest
import yaml
from at_once import at_once
from backports import zstd
from bag_making import text, write

from m2vae_ros.bags.reader import find_bags, messages_of
from m2vae_ros.bags.unpacking import LARGEST, MOST_TIMES, unpack_file, unpacked_message
from m2vae_ros.datasets.errors import DataError

WORDS = [text(0.01 * number, "/words", f"word {number}") for number in range(20)]
GIGABYTES = 2**32
PACK = {"zstd": zstd.compress, "lz4": lz4.frame.compress}


def zeros(count: int) -> bytes:
    """So many zeros as zstd packs them when it is not told how many will come."""
    compressor = zstd.ZstdCompressor()
    piece = bytes(2**24)
    pieces = [compressor.compress(piece) for _ in range(count // len(piece))]
    return b"".join((*pieces, compressor.flush()))


@pytest.fixture(scope="module")
def bomb() -> bytes:
    packed = zeros(GIGABYTES)
    assert len(packed) < 2**18
    return packed


def packed_bag(folder: Path, mode: str) -> tuple[Path, Path]:
    """A bag whose metadata say how it is packed, and its one file."""
    write(folder, WORDS)
    metadata = folder / "metadata.yaml"
    document = yaml.safe_load(metadata.read_text())
    information = document["rosbag2_bagfile_information"]
    information |= {"compression_mode": mode, "compression_format": "zstd"}
    (file,) = folder.glob("*.mcap")
    if mode == "FILE":
        information["relative_file_paths"] = [f"{file.name}.zstd"]
        file = file.rename(f"{file}.zstd")
    metadata.write_text(yaml.safe_dump(document))
    return folder, file


def all_of(bag: Path) -> list[bytes]:
    return [bytes(message.data) for file in find_bags([bag]) for message in messages_of(file)]


def test_a_file_that_unpacks_to_gigabytes_is_refused_by_name(bomb: bytes, tmp_path: Path) -> None:
    bag, file = packed_bag(tmp_path / "bag", "FILE")
    file.write_bytes(bomb)
    with at_once(), pytest.raises(DataError, match=rf"{file.name}: unpacks to more than") as error:
        all_of(bag)
    assert "zstd -d" in str(error.value)


def test_a_file_may_become_a_hundred_times_as_large(tmp_path: Path) -> None:
    noise = random.Random(0).randbytes(2**20)
    content = noise * 140 + random.Random(1).randbytes(2**20)
    packed = tmp_path / "packed.zstd"
    packed.write_bytes(zstd.compress(content))
    assert LARGEST < len(content) < MOST_TIMES * packed.stat().st_size
    unpack_file(packed, tmp_path / "unpacked")
    assert (tmp_path / "unpacked").read_bytes() == content


def test_a_message_that_unpacks_to_gigabytes_is_refused(bomb: bytes) -> None:
    with at_once(), pytest.raises(DataError, match="a message unpacks to more"):
        unpacked_message(bomb)


def test_messages_in_several_pieces_come_whole() -> None:
    assert unpacked_message(zstd.compress(b"some") + zstd.compress(b"thing")) == b"something"


def chunk(content: bytes, kind: str, size: int) -> bytes:
    """A chunk of an mcap file that promises `size` bytes: https://mcap.dev/spec."""
    data = PACK[kind](content) if len(content) < 2**20 else content
    name = kind.encode()
    head = struct.pack("<QQQII", 0, 0, size, zlib.crc32(content), len(name)) + name
    record = head + struct.pack("<Q", len(data)) + data
    return struct.pack("<BQ", 0x06, len(record)) + record


def mcap(path: Path, *records: bytes) -> Path:
    """A file without a summary."""
    profile = struct.pack("<I", 4) + b"ros2" + struct.pack("<I", 0)
    magic = b"\x89MCAP0\r\n"
    head = struct.pack("<BQ", 0x01, len(profile)) + profile
    end = struct.pack("<BQI", 0x0F, 4, 0) + struct.pack("<BQQQI", 0x02, 20, 0, 0, 0)
    path.write_bytes(magic + head + b"".join(records) + end + magic)
    return path


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize(
    ("size", "reason"), [(LARGEST + 1, "a chunk of"), (2**62, "a chunk of"), (100, "mismatch")]
)
def test_a_chunk_that_unpacks_to_more_than_may_be_is_refused_by_the_file(
    kind: str, size: int, reason: str, bomb: bytes, tmp_path: Path
) -> None:
    content = bomb if kind == "zstd" else lz4.frame.compress(bytes(2**28))
    path = mcap(tmp_path / "x.mcap", chunk(content, kind, size))
    with at_once(), pytest.raises(DataError, match=rf"x\.mcap: .*{reason}"):
        all_of(path)


@pytest.mark.parametrize("kind", PACK)
def test_a_chunk_that_is_as_large_as_it_says_is_read(kind: str, tmp_path: Path) -> None:
    header = struct.pack("<HIQQ", 1, 0, 5, 5) + b"some"
    message = struct.pack("<BQ", 0x05, len(header)) + header
    channel = struct.pack("<HH", 1, 0) + b"".join(
        struct.pack("<I", len(word)) + word for word in (b"/words", b"cdr", b"")
    )
    told = struct.pack("<BQ", 0x04, len(channel)) + channel
    path = mcap(tmp_path / "x.mcap", told, chunk(message, kind, len(message)))
    assert all_of(path) == [b"some"]


def test_a_database_that_makes_messages_of_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db3"
    with closing(apsw.Connection(str(path))) as database:
        database.execute(
            "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT,"
            " serialization_format TEXT, offered_qos_profiles TEXT);"
            "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER,"
            f" data BLOB GENERATED ALWAYS AS (zeroblob({LARGEST + 1})) VIRTUAL);"
            "INSERT INTO topics VALUES(1, '/words', 'std_msgs/msg/String', 'cdr', '');"
            "INSERT INTO messages(topic_id, timestamp) VALUES(1, 5);"
        )
    with at_once(), pytest.raises(DataError, match=r"x\.db3: damaged: .*too big"):
        all_of(path)


def test_metadata_without_end_are_not_read(tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    write(bag, WORDS)
    told: dict[str, str] = {}
    (bag / "metadata.yaml").unlink()
    (bag / "metadata.yaml").symlink_to("/dev/zero")
    with at_once():
        files = find_bags([bag], lambda path, reason: told.update({path.name: reason}))
    assert "larger than" in told["metadata.yaml"]
    assert sum(len(list(messages_of(file))) for file in files) == len(WORDS)
