# SPDX-License-Identifier: Apache-2.0
"""Bags that are written here are read by others: PyPI's mcap and rosbags."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from m2vae_ros.bags import writer as bag_writer
from m2vae_ros.bags.types import MessageTypes
from m2vae_ros.bags.writer import COMPRESSIONS, BagWriter, Split
from m2vae_ros.datasets.errors import DataError

STORE = get_typestore(Stores.LATEST)
DEFINITIONS = {
    "std_msgs/msg/String": "string data\n",
    "test_msgs/msg/Reading": "# ours\nbuiltin_interfaces/Time stamp\nuint8[] data\n",
    "builtin_interfaces/msg/Time": "int32 sec\nuint32 nanosec\n",
}


def definition(name: str) -> str:
    return DEFINITIONS[name]


def text(number: int) -> bytes:
    return bytes(STORE.serialize_cdr(STORE.types["std_msgs/msg/String"](data=f"n{number}"), STRING))


STRING = "std_msgs/msg/String"
READING = "test_msgs/msg/Reading"


def reading(number: int, size: int = 5000) -> bytes:
    """Little-endian CDR of a test_msgs/Reading."""
    body = number.to_bytes(4, "little") + bytes(4) + size.to_bytes(4, "little")
    return b"\0\1\0\0" + body + bytes([number % 251]) * size


def write(folder: Path, count: int = 60, **options) -> list[tuple[str, int, bytes]]:
    """A bag of two topics; returns what is in it."""
    writer = BagWriter(folder, MessageTypes(definition), **options)
    writer.add_topic("/text", STRING)
    sent = []
    for number in range(count):
        if number == 3:
            writer.add_topic("/reading", READING)  # appears later
        topic, data = ("/text", text(number))
        if number > 3 and number % 2:
            topic, data = ("/reading", reading(number))
        assert writer.write(topic, 10**18 + number * 10**8, data)
        sent.append((topic, 10**18 + number * 10**8, data))
    summary = writer.close()
    assert sum(summary.messages.values()) == count
    assert not summary.lost
    return sent


def files_of(folder: Path) -> list[Path]:
    information = yaml.safe_load((folder / "metadata.yaml").read_text())
    names = information["rosbag2_bagfile_information"]["relative_file_paths"]
    return [folder / name for name in names]


@pytest.mark.parametrize("split", [None, Split(size=60_000), Split(seconds=2.0)])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_rosbags_reads_one_bag_with_all_that_was_written(
    compression: str, split: Split | None, tmp_path: Path
) -> None:
    sent = write(tmp_path / "bag", compression=compression, split=split)
    assert len(files_of(tmp_path / "bag")) == (1 if split is None else 3)
    assert {p.name for p in (tmp_path / "bag").iterdir()} == {
        "metadata.yaml",
        *(p.name for p in files_of(tmp_path / "bag")),
    }
    with Reader(tmp_path / "bag") as bag:
        assert bag.message_count == len(sent)
        assert (bag.start_time, bag.end_time) == (sent[0][1], sent[-1][1] + 1)
        counts = {c.topic: c.msgcount for c in bag.connections}
        assert counts == {t: sum(s[0] == t for s in sent) for t in ("/text", "/reading")}
        assert [(c.topic, t, bytes(d)) for c, t, d in bag.messages()] == sent
        assert bag.topics["/reading"].msgtype == READING


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_an_independent_reader_of_mcap_decodes_our_own_types(
    compression: str, tmp_path: Path
) -> None:
    sent = write(tmp_path / "bag", compression=compression, split=Split(seconds=2.0))
    found = []
    for path in files_of(tmp_path / "bag"):
        with path.open("rb") as file:
            reader = make_reader(file, decoder_factories=[DecoderFactory()])
            for schema, channel, message, decoded in reader.iter_decoded_messages():
                found.append((channel.topic, message.log_time, message.data))
                if schema.name == READING:
                    assert bytes(decoded.data) == message.data[16:]
                else:
                    assert decoded.data.startswith("n")
    assert found == sent


def test_until_it_is_whole_the_bag_has_another_name(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "bag", MessageTypes(definition))
    assert not (tmp_path / "bag").exists()
    assert (tmp_path / "bag.recording").exists()
    with pytest.raises(DataError, match=r"bag\.recording: exists already"):
        BagWriter(tmp_path / "bag", MessageTypes(definition))
    writer.close()
    assert [p.name for p in tmp_path.iterdir()] == ["bag"]


def test_a_folder_that_is_there_is_refused_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    with pytest.raises(DataError, match="bag: exists already"):
        BagWriter(tmp_path / "bag", MessageTypes(definition))
    assert list(tmp_path.rglob("*")) == [tmp_path / "bag"]


def test_a_folder_that_appears_meanwhile_is_not_changed_either(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "bag", MessageTypes(definition))
    (tmp_path / "bag").mkdir()
    with pytest.raises(DataError, match=r"bag\.recording"):
        writer.close()
    assert not list((tmp_path / "bag").iterdir())


@pytest.mark.parametrize("name", ["run#3? %41", "50% täg & more;x=1"])
def test_names_of_bags_may_be_anything(name: str, tmp_path: Path) -> None:
    sent = write(tmp_path / name)
    assert list(tmp_path.iterdir()) == [tmp_path / name]
    with Reader(tmp_path / name) as bag:
        assert [(c.topic, t, bytes(d)) for c, t, d in bag.messages()] == sent


def test_an_empty_recording_is_a_bag_without_messages(tmp_path: Path) -> None:
    BagWriter(tmp_path / "bag", MessageTypes(definition)).close()
    with Reader(tmp_path / "bag") as bag:
        assert bag.message_count == 0
        assert list(bag.messages()) == []


def test_what_belongs_to_the_bag_lies_in_it(tmp_path: Path) -> None:
    (tmp_path / "my.world").write_text("<sdf/>")
    enclosed = {"world.sdf": tmp_path / "my.world"}
    BagWriter(tmp_path / "bag", MessageTypes(definition), enclosed=enclosed).close()
    assert (tmp_path / "bag/world.sdf").read_text() == "<sdf/>"


def test_a_compression_that_mcap_does_not_know_is_named() -> None:
    with pytest.raises(DataError, match="bzip2"):
        BagWriter(Path("nowhere"), MessageTypes(definition), compression="bzip2")


def test_a_type_without_definition_is_named() -> None:
    with pytest.raises(DataError, match="no definition of other_msgs/msg/Thing"):
        MessageTypes({"a_msgs/msg/A": "other_msgs/Thing[] things\n"}.__getitem__).learn(
            "a_msgs/msg/A"
        )


def test_who_receives_never_waits_and_what_found_no_room_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = threading.Event()
    write_it = bag_writer.Writer.add_message

    def slow(self, *message, **fields):
        disk.wait(20)
        write_it(self, *message, **fields)

    monkeypatch.setattr(bag_writer.Writer, "add_message", slow)
    writer = BagWriter(tmp_path / "bag", MessageTypes(definition), room=10 * len(reading(0)))
    writer.add_topic("/reading", READING)
    begin = time.monotonic()
    kept = [writer.write("/reading", i, reading(i)) for i in range(100)]
    assert time.monotonic() - begin < 10  # the disk would have taken longer
    assert writer.lost == {"/reading": 90}
    assert kept == [True] * 10 + [False] * 90
    disk.set()
    summary = writer.close()
    assert summary.messages == {"/reading": 10}
    assert summary.lost == {"/reading": 90}


def test_a_full_disk_is_told_and_leaves_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bag_writer.Writer, "add_message", full)
    writer = BagWriter(tmp_path / "bag", MessageTypes(definition))
    writer.add_topic("/text", STRING)
    writer.write("/text", 1, text(1))
    while writer.error is None:
        time.sleep(0.01)
    assert not writer.write("/text", 2, text(2))
    assert writer.lost == {"/text": 1}
    with pytest.raises(DataError, match=r"bag\.recording.*No space left"):
        writer.close()
    assert not (tmp_path / "bag").exists()


@given(stamps=st.lists(st.integers(0, 10**12), max_size=30), seconds=st.floats(1.0, 1e3))
@settings(max_examples=20, deadline=None)
def test_metadata_adds_up(
    stamps: list[int], seconds: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bags") / "bag"
    writer = BagWriter(folder, MessageTypes(definition), split=Split(seconds=seconds))
    writer.add_topic("/text", STRING)
    for stamp in stamps:
        writer.write("/text", stamp, text(0))
    writer.close()
    whole = yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert whole["message_count"] == len(stamps)
    assert sum(file["message_count"] for file in whole["files"]) == len(stamps)
    assert [t["message_count"] for t in whole["topics_with_message_count"]] == [len(stamps)]
    assert whole["relative_file_paths"] == [file["path"] for file in whole["files"]]
    start = whole["starting_time"]["nanoseconds_since_epoch"]
    end = start + whole["duration"]["nanoseconds"]
    if stamps:
        assert (start, end) == (min(stamps), max(stamps))
    for file in whole["files"]:
        begin = file["starting_time"]["nanoseconds_since_epoch"]
        assert start <= begin <= begin + file["duration"]["nanoseconds"] <= end
