# SPDX-License-Identifier: Apache-2.0
"""Bags are found wherever they lie, and read whatever state their files are in."""

from __future__ import annotations

import re
import shutil
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
import yaml
from backports import zstd
from bag_making import definition, serialised, text, tour, world_objects, write
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.interfaces import Qos, QosDurability

from m2vae_ros.bags.reader import BagFile, find_bags, in_order, messages_of, topics_of
from m2vae_ros.bags.samples import NotEnough
from m2vae_ros.bags.types import MessageTypes
from m2vae_ros.bags.worlds import read_bags
from m2vae_ros.bags.writer import BagWriter, Split
from m2vae_ros.datasets.errors import DataError

TOUR = tour()
WORDS = [text(0.01 * number, "/words", f"word {number}") for number in range(200)]


def read(*files: BagFile) -> list[tuple[str, int, bytes]]:
    return [(m.topic.name, m.stamp, bytes(m.data)) for file in files for m in messages_of(file)]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bag of twenty files."""
    folder = tmp_path_factory.mktemp("bags") / "words"
    write(folder, WORDS, split=Split(seconds=0.1))
    assert len(list(folder.glob("*.mcap"))) == 20
    return folder


@pytest.mark.parametrize("label_topic", [None, "/label"])
def test_parts_are_read_in_the_order_of_recording_however_they_are_named(
    label_topic: str | None, tmp_path: Path
) -> None:
    seconds = 12 * 0.1 + 0.05  # that a robot stands before each object
    labels = [
        text(1.0 + number * seconds, "/label", item.name)
        for number, item in enumerate(world_objects())
    ]
    made = sorted([*TOUR, *labels], key=lambda m: m.stamp)
    whole = write(tmp_path / "whole", made)
    parts = write(tmp_path / "parts", made, split=Split(seconds=0.7)).glob("*.mcap")
    as_a_shell_does = sorted(parts, key=str)
    assert len(as_a_shell_does) > 11
    samples, _ = read_bags(as_a_shell_does, label_topic=label_topic)
    assert samples.digest() == read_bags([whole], label_topic=label_topic)[0].digest()


def test_a_compressed_bag_is_in_order_as_rosbag2_describes_it(words: Path, tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    shutil.copytree(words, bag)
    for path in bag.glob("*.mcap"):
        path.with_name(f"{path.name}.zstd").write_bytes(zstd.compress(path.read_bytes()))
        path.unlink()
    document = yaml.safe_load((bag / "metadata.yaml").read_text())
    information = document["rosbag2_bagfile_information"]
    information |= {"compression_mode": "FILE", "compression_format": "zstd"}
    names = information["relative_file_paths"]
    information["relative_file_paths"] = [f"{name}.zstd" for name in sorted(names)]
    (bag / "metadata.yaml").write_text(yaml.safe_dump(document))
    assert read(*in_order(find_bags([bag]))) == read(*find_bags([words]))


def test_bags_that_are_linked_are_found(words: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/monday").symlink_to(words)
    (tmp_path / "runs/round").symlink_to(tmp_path / "runs")
    assert read(*find_bags([tmp_path / "runs"])) == read(*find_bags([words]))


def test_files_that_are_passed_over_are_named(words: Path, tmp_path: Path) -> None:
    shutil.copytree(words, tmp_path / "bag")
    shutil.copy(words / "words_3.mcap", tmp_path / "bag/another.mcap")
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose/part.mcap.zstd").touch()
    told: dict[str, str] = {}
    found = find_bags([tmp_path], lambda path, reason: told.update({path.name: reason}))
    assert len(found) == 20
    assert "does not name it" in told["another.mcap"]
    assert "is compressed as a whole" in told["part.mcap.zstd"]


def test_what_publishers_offered_can_be_edited(words: Path, tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    shutil.copytree(words, bag)
    path = bag / "metadata.yaml"
    document = yaml.safe_load(path.read_text())
    (topic,) = document["rosbag2_bagfile_information"]["topics_with_message_count"]
    profile = {
        "history": "keep_last",
        "depth": 1,
        "reliability": "reliable",
        "durability": "transient_local",
        **dict.fromkeys(
            ("deadline", "lifespan", "liveliness_lease_duration"), {"sec": 0, "nsec": 0}
        ),
        "liveliness": "automatic",
        "avoid_ros_namespace_conventions": False,
    }
    topic["topic_metadata"]["offered_qos_profiles"] = [profile]
    path.write_text(yaml.safe_dump(document))
    files = find_bags([bag])
    assert read(*files) == read(*find_bags([words]))
    ((offered,),) = {t.qos for file in files for t in topics_of(file)}
    assert isinstance(offered, Qos)
    assert offered.durability == QosDurability.TRANSIENT_LOCAL


@pytest.mark.parametrize("name", ["run#3", "run?", "50%25 done"])
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_may_have_any_name(storage: str, name: str, tmp_path: Path) -> None:
    bag = write(tmp_path / "bag", WORDS, storage=storage).rename(tmp_path / name)
    (file,) = find_bags([bag])
    assert len(read(file)) == len(WORDS)
    (bag / "metadata.yaml").unlink()
    (file,) = find_bags([bag])
    assert len(read(file)) == len(WORDS)


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_of_a_recording_that_was_killed_all_but_the_last_seconds_are_read(
    compression: str, tmp_path: Path
) -> None:
    writer = BagWriter(tmp_path / "bag", MessageTypes(definition), compression=compression)
    writer.add_topic("/words", WORDS[0].type)
    sent = []
    left: list[tuple[str, int, bytes]] = []
    told: dict[str, str] = {}
    deadline = time.monotonic() + 20.0
    try:
        while len(left) < len(WORDS) and time.monotonic() < deadline:
            word = text(0.01 * len(sent), "/words", f"word {len(sent)}")
            sent.append((word.topic, word.stamp, serialised(word)))
            assert writer.write(*sent[-1])
            if len(sent) % 100 == 0:
                shutil.rmtree(tmp_path / "left", ignore_errors=True)
                told.clear()
                # at first there is nothing; a journal may go while it is copied
                with suppress(DataError, shutil.Error):
                    shutil.copytree(tmp_path / "bag.recording", tmp_path / "left/bag.recording")
                    files = find_bags([tmp_path / "left"], lambda p, r: told.update({p.name: r}))
                    left = read(*files)
            time.sleep(0.001)
    finally:
        writer.close()
    assert len(left) >= len(WORDS)
    assert left == sent[: len(left)]
    assert told[files[0].path.name] == "was not finished; what is whole of it is read"


def test_what_came_before_a_silence_is_in_the_file(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "bag", MessageTypes(definition))
    try:
        writer.add_topic("/words", WORDS[0].type)
        for word in WORDS:
            assert writer.write(word.topic, word.stamp, serialised(word))
        left: list[tuple[str, int, bytes]] = []
        deadline = time.monotonic() + 20.0
        while len(left) < len(WORDS) and time.monotonic() < deadline:
            time.sleep(0.1)
            with suppress(DataError, shutil.Error):
                shutil.rmtree(tmp_path / "left", ignore_errors=True)
                shutil.copytree(tmp_path / "bag.recording", tmp_path / "left/bag.recording")
                left = read(*find_bags([tmp_path / "left"]))
    finally:
        writer.close()
    assert len(left) == len(WORDS)


def test_what_is_no_file_or_cannot_be_opened_does_not_hinder_the_rest(
    words: Path, tmp_path: Path
) -> None:
    shutil.copy(words / "words_0.mcap", tmp_path / "a.mcap")
    (tmp_path / "b.mcap").mkdir()
    (tmp_path / "c.mcap").symlink_to(tmp_path / "gone")
    told: list[str] = []
    (file,) = find_bags([tmp_path], lambda path, reason: told.append(path.name))
    assert len(read(file)) == 10
    (tmp_path / "only").mkdir()
    (tmp_path / "only/gone.mcap").symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match="no rosbag2 in it"):
        find_bags([tmp_path / "only"])


def test_an_unfinished_file_is_recovered_once_and_again_when_it_has_grown(
    tmp_path: Path, monkeypatch
) -> None:
    (file,) = find_bags([write(tmp_path / "bag", TOUR)])
    content = file.path.read_bytes()
    cut = tmp_path / "cut.mcap"
    copied = []
    copy = shutil.copyfile
    monkeypatch.setattr(shutil, "copyfile", lambda *paths: (copied.append(paths[0]), copy(*paths)))
    for length in (len(content) * 3 // 4, len(content) - 9):
        cut.write_bytes(content[:length])
        read_bags([cut], enough=0)
    assert copied == [cut, cut]


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0.0, 1.0))
def test_of_an_mcap_file_that_was_cut_off_anywhere_the_beginning_is_read(
    share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    (file,) = find_bags([write(folder / "bag", WORDS)])
    content = file.path.read_bytes()
    cut = folder / "cut.mcap"
    cut.write_bytes(content[: int(share * len(content))])
    try:
        begins = read(*find_bags([cut]))
    except DataError as error:
        assert re.fullmatch(
            rf"{cut}: (nothing in it is whole|.* empty\.|.* magic is invalid\.)", str(error)
        )
        begins = []
    assert begins == read(file)[: len(begins)]


def test_what_is_in_the_journal_of_an_sqlite3_file_is_read(tmp_path: Path) -> None:
    (file,) = find_bags([write(tmp_path / "bag", WORDS, storage="sqlite3")])
    whole = read(file)
    with closing(sqlite3.connect(file.path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("DELETE FROM messages WHERE timestamp > ?", (WORDS[99].stamp,))
        database.commit()  # into the journal
        shutil.copytree(file.path.parent, tmp_path / "left")
    (left,) = find_bags([tmp_path / "left"])
    before = {path.name: path.read_bytes() for path in (tmp_path / "left").iterdir()}
    assert read(left) == whole[:100]
    assert {path.name: path.read_bytes() for path in (tmp_path / "left").iterdir()} == before


def test_a_topic_without_messages_is_not_said_to_be_missing(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "bag", MessageTypes(definition))
    for topic, kind in {m.topic: m.type for m in TOUR}.items():
        writer.add_topic(topic, kind)
    for made in TOUR:
        if not made.topic.endswith(("odom", "reflectance")):
            writer.write(made.topic, made.stamp, serialised(made))
    writer.close()
    with pytest.raises(NotEnough) as error:
        read_bags([tmp_path / "bag"])
    told = {(topic, reason) for (_, topic, _), (_, reason) in error.value.report.unused.items()}
    for topic in ("/amiro1/odom", "/amiro2/odom", "/amiro3/odom", "/amiro3/reflectance"):
        assert (topic, "has no messages") in told
    assert not any("no robot has this topic" in reason for _, reason in told)
