# SPDX-License-Identifier: Apache-2.0
"""Bags become samples, and what is wrong with a bag is named."""

from __future__ import annotations

import copy
import math
import shutil
import time
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from bag_making import (
    STORE,
    Made,
    at,
    changed,
    definition,
    header,
    new,
    reasons,
    scan,
    serialised,
    text,
    tour,
    world_objects,
    write,
    write_independently,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer

from m2vae_ros.bags import report as report_module
from m2vae_ros.bags.reader import find_bags
from m2vae_ros.bags.report import NotEnough, TooMuch
from m2vae_ros.bags.types import MessageTypes
from m2vae_ros.bags.worlds import read_bags
from m2vae_ros.bags.writer import COMPRESSIONS, BagWriter, Split
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.datasets.samples import Samples
from m2vae_ros.sensors.messages import ODOMETRY
from m2vae_ros.world.sdf import WorldError
from m2vae_ros.world.suite import AMIRO

TOUR = tour()


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bags") / "tour", TOUR)


def numbers(samples: Samples) -> dict[str, np.ndarray]:
    """Modality -> the number of the object that each sample's reading was made of."""
    return {
        "camera": samples.packed["camera"][:, 0, 0, 0] // 10,
        "lidar": np.rint(
            (samples.packed["lidar"][:, -1] - samples.packed["lidar"][:, 0]) * 15
        ).astype(int),
        "reflectance": np.rint(samples.packed["reflectance"][:, 0] * 10).astype(int),
    }


def test_every_reading_is_taken_for_the_object_it_is_of(bag: Path) -> None:
    samples, report = read_bags([bag])
    labels = [AMIRO.classes.index(item.class_name) for item in world_objects()]
    for found in numbers(samples).values():
        np.testing.assert_array_equal([labels[number] for number in found], samples.labels)
    assert len(samples) == report.samples == 8 * 12
    assert {name: dict(c) for name, c in report.readings.items()} == {
        name: dict.fromkeys(AMIRO, 12) for name in AMIRO.classes
    }
    assert sum(report.used.values()) == 3 * 8 * 12
    assert not report.unused


def test_equal_seeds_pair_equally(bag: Path) -> None:
    one, two = (read_bags([bag], seed=1)[0] for _ in range(2))
    assert one.digest() == two.digest()


@pytest.mark.parametrize("split", [None, Split(seconds=3.0)])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compression_and_splitting_make_no_difference(
    compression: str, split: Split | None, bag: Path, tmp_path: Path
) -> None:
    other = write(tmp_path / "tour", TOUR, compression=compression, split=split)
    assert read_bags([other])[0].digest() == read_bags([bag])[0].digest()


def test_a_bag_by_another_writer_reads_the_same(bag: Path, tmp_path: Path) -> None:
    path = write_independently(tmp_path / "theirs" / "x.mcap", TOUR)
    ours = read_bags([bag])[0]
    assert read_bags([path])[0].digest() == ours.digest()
    assert read_bags([path.parent])[0].digest() == ours.digest()


@pytest.mark.parametrize(
    ("mode", "storage"),
    [
        (mode, storage)
        for mode, storage in product(CompressionMode, StoragePlugin)
        # SQLite does not compress
        if (mode, storage) != (CompressionMode.STORAGE, StoragePlugin.SQLITE3)
    ],
)
def test_every_mode_of_compression_that_rosbags_writes_is_read(
    mode: CompressionMode, storage: StoragePlugin, bag: Path, tmp_path: Path
) -> None:
    writer = Writer(tmp_path / "theirs", version=9, storage_plugin=storage)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connections = {
            topic: writer.add_connection(topic, kind, typestore=STORE)
            for topic, kind in {m.topic: m.type for m in TOUR}.items()
        }
        for made in TOUR:
            writer.write(connections[made.topic], made.stamp, serialised(made))
    assert read_bags([tmp_path / "theirs"])[0].digest() == read_bags([bag])[0].digest()


def test_a_topic_of_another_definition_is_named(tmp_path: Path) -> None:
    kind = "sensor_msgs/msg/LaserScan"
    other = {kind: "std_msgs/Header header\nfloat64[] intensities\n"}
    rings = [m for m in TOUR if m.topic == "/amiro3/reflectance"]
    write(tmp_path / "bag", [m._replace(message=serialised(m)) for m in rings], types=other)
    with pytest.raises(NotEnough) as error:
        read_bags([tmp_path / "bag"])
    told = reasons(error.value.report)
    assert f"/amiro3/reflectance: was recorded with another definition of {kind}" in told
    assert not any("undecodable" in reason for reason in told)


def test_the_same_bag_twice_is_one(bag: Path) -> None:
    assert len(read_bags([bag, bag.parent, next(bag.glob("*.mcap"))])[0]) == 8 * 12


def test_a_folder_of_bags_is_all_of_them_and_objects_do_not_mix(bag: Path, tmp_path: Path) -> None:
    shutil.copytree(bag, tmp_path / "runs" / "a")
    shutil.copytree(bag, tmp_path / "runs" / "deeper" / "b")
    samples, report = read_bags([tmp_path / "runs"])
    assert len(samples) == 2 * 8 * 12
    assert {Path(where).name for where, _ in report.used} == {"a", "b"}


def test_the_world_in_the_bag_counts_unless_another_is_given(bag: Path, tmp_path: Path) -> None:
    shutil.copytree(bag, tmp_path / "bag")
    (tmp_path / "bag/world.sdf").write_text("<sdf version='1.7'/>")
    with pytest.raises(NotEnough) as error:
        read_bags([tmp_path / "bag"])
    assert any("its world is not known" in reason for reason in reasons(error.value.report))
    assert len(read_bags([tmp_path / "bag"], Path("worlds/amiro.world"))[0]) == 8 * 12
    with pytest.raises(WorldError, match="nowhere"):
        read_bags([bag], tmp_path / "nowhere.sdf")


def test_readings_of_a_robot_on_its_way_are_not_used(tmp_path: Path) -> None:
    def driven(made: Made) -> Made:
        if made.topic == "/amiro1/odom":
            seconds = (made.stamp - 10**18) / 1e9
            made.message.pose.pose.position.x += 0.5 * seconds % 1.0
        return made

    write(tmp_path / "bag", changed(tour(readings=3), driven))
    with pytest.raises(NotEnough) as error:
        read_bags([tmp_path / "bag"], enough=1)
    assert "red cylinder mat: 0 by camera" in str(error.value)
    assert reasons(error.value.report)["/amiro1/front_camera/image_raw: moving"] > 20
    lacking = [r for r in reasons(error.value.report) if "not sensed by camera" in r]
    assert len(lacking) == 8


def test_clocks_that_are_hours_apart_are_named(tmp_path: Path) -> None:
    def late(made: Made) -> Made:
        if made.topic == "/amiro2/laser_scan":
            made.message.header.stamp.sec += 2 * 3600
        return made

    write(tmp_path / "bag", changed(tour(readings=3), late))
    with pytest.raises(NotEnough) as error:
        read_bags([tmp_path / "bag"])
    (reason,) = (r for r in reasons(error.value.report) if "laser_scan" in r)
    assert "no odometry after it; the nearest is 120 min away" in reason


def test_odometry_of_two_runs_in_one_bag_is_not_mixed_up(tmp_path: Path) -> None:
    twice = tour(readings=3)
    again = [m._replace(stamp=m.stamp + 10**12) for m in twice]
    write(tmp_path / "bag", [*twice, *again])
    with pytest.raises(NotEnough) as error:
        read_bags([tmp_path / "bag"])
    assert any("go back in time" in reason for reason in reasons(error.value.report))


def in_own_frames(made: list[Made]) -> list[Made]:
    """The odometry of each robot in a frame of its own, a quarter turn off and elsewhere."""
    moved = copy.deepcopy(made)
    for each in moved:
        each.message.header.frame_id = "sensor"
        if each.type == ODOMETRY.type:
            each.message.header.frame_id = each.topic
            pose, q = each.message.pose.pose.position, each.message.pose.pose.orientation
            pose.x, pose.y = pose.y - 2.0, 1.0 - pose.x
            z, w = (q.z - q.w) / math.sqrt(2.0), (q.w + q.z) / math.sqrt(2.0)
            q.z, q.w = z, w
    return moved


def way_to(frame: str, seconds: float) -> Made:
    turn = new("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=math.sqrt(0.5), w=math.sqrt(0.5))
    place = new(
        "geometry_msgs/msg/Transform",
        translation=new("geometry_msgs/msg/Vector3", x=1.0, y=2.0, z=0.0),
        rotation=turn,
    )
    kind = "geometry_msgs/msg/TransformStamped"
    transform = new(kind, header=header(0.0), child_frame_id=frame, transform=place)
    message = new("tf2_msgs/msg/TFMessage", transforms=[transform])
    return at("/tf_static", "tf2_msgs/msg/TFMessage", seconds, message)


def test_transforms_in_a_bag_lead_from_the_odometry_to_the_world(bag: Path, tmp_path: Path) -> None:
    moved = in_own_frames(TOUR)
    ways = [way_to(f"amiro{i}/odom", 1.0) for i in (1, 2, 3)]
    samples, _ = read_bags([write(tmp_path / "moved", [*ways, *moved])])
    expected, _ = read_bags([bag])
    for modality in AMIRO:
        np.testing.assert_array_equal(samples.packed[modality], expected.packed[modality])
    np.testing.assert_array_equal(samples.labels, expected.labels)


def test_odometry_of_another_frame_that_nothing_leads_from_is_not_used(tmp_path: Path) -> None:
    write(tmp_path / "bag", in_own_frames(TOUR))
    with pytest.raises(NotEnough) as error:
        read_bags([tmp_path / "bag"])
    lost = "/amiro1/front_camera/image_raw: no transform from 'amiro1/odom' to 'map'"
    assert any(reason.startswith(lost) for reason in reasons(error.value.report))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda m: m._replace(message=b"\0\1\0\0"), "undecodable"),
        (lambda m: m._replace(message=b""), "undecodable"),
        (lambda m: m._replace(type="sensor_msgs/msg/CompressedImage"), "expected sensor_msgs"),
        (lambda m: None, "no robot has this topic"),
        (lambda m: (setattr(m.message, "encoding", "mono8"), m)[1], "mono8 has no colour"),
        (lambda m: (setattr(m.message, "height", 47), m)[1], "9216 bytes, but"),
    ],
)
def test_a_topic_that_is_not_what_it_should_be_is_named(spoil, reason: str, tmp_path: Path) -> None:
    def change(made: Made) -> Made | None:
        made = spoil(made) if made.topic == "/amiro1/front_camera/image_raw" else made
        if made is not None and made.type.endswith("CompressedImage"):
            data = np.zeros(3, np.uint8)
            compressed = new(made.type, header=header(0.0), format="jpeg", data=data)
            made = made._replace(message=compressed)
        return made

    write(tmp_path / "bag", changed(tour(readings=2), change))
    with pytest.raises(NotEnough, match="by camera") as error:
        read_bags([tmp_path / "bag"], enough=2)
    told = [r for r in reasons(error.value.report) if "front_camera/image_raw" in r]
    assert any(reason in each for each in told), told


def test_some_bad_messages_do_not_hinder_the_good_ones(tmp_path: Path) -> None:
    bad = [
        at("/amiro3/reflectance", "sensor_msgs/msg/LaserScan", 1.02, b"\0\1\0\0garbage"),
        at("/amiro3/reflectance", "sensor_msgs/msg/LaserScan", 1.03, scan(1.03)),
        at("/amiro1/odom", "nav_msgs/msg/Odometry", 1.04, b"nonsense"),
    ]
    write(tmp_path / "bag", sorted([*TOUR, *bad], key=lambda m: m.stamp))
    samples, report = read_bags([tmp_path / "bag"])
    assert len(samples) == 8 * 12
    assert sum(count for count, _ in report.unused.values()) == 3


def test_a_robot_left_standing_does_not_outweigh_the_others(tmp_path: Path) -> None:
    first = world_objects()[0]
    stayed = tour(readings=100, objects=[first], begin=100.0)
    write(tmp_path / "bag", [*TOUR, *stayed])
    assert len(read_bags([tmp_path / "bag"])[0]) == 7 * 12 + 112
    samples, report = read_bags([tmp_path / "bag"], most=20)
    assert len(samples) == 7 * 12 + 20
    assert report.readings[first.class_name]["camera"] == 20


def labelled(topic: str) -> list[Made]:
    """The tour without odometry; somebody says what is sensed."""
    blind = [m for m in TOUR if not m.topic.endswith("odom")]
    seconds = 12 * 0.1 + 0.05  # that a robot stands before each object
    labels = [
        text(1.0 + index * seconds, topic, item.name.replace("_", " " if index % 2 else "_"))
        for index, item in enumerate(world_objects())
    ]
    return sorted([*blind, *labels], key=lambda m: m.stamp)


def test_labels_by_a_topic_need_neither_world_nor_odometry(tmp_path: Path) -> None:
    write(tmp_path / "bag", labelled("/label"))
    samples, _ = read_bags([tmp_path / "bag"], label_topic="/label")
    assert len(samples) == 8 * 12
    labels = [AMIRO.classes.index(item.class_name) for item in world_objects()]
    np.testing.assert_array_equal(
        [labels[number] for number in numbers(samples)["camera"]], samples.labels
    )


def test_labels_below_a_robots_name_are_for_that_robot(tmp_path: Path) -> None:
    write(tmp_path / "bag", labelled("/amiro1/label"))
    with pytest.raises(NotEnough) as error:
        read_bags([tmp_path / "bag"], label_topic="label")
    assert reasons(error.value.report)["/amiro2/laser_scan: no label"] == 8 * 12


def test_nothing_or_nonsense_on_the_label_topic_is_no_label(tmp_path: Path) -> None:
    made = [*TOUR, text(3.0, "/label", ""), text(4.0, "/label", "blue teapot")]
    write(tmp_path / "bag", sorted(made, key=lambda m: m.stamp))
    with pytest.raises(NotEnough) as error:
        read_bags([tmp_path / "bag"], label_topic="/label")
    told = reasons(error.value.report)
    assert told["/amiro1/front_camera/image_raw: no label"] == 8 * 12
    assert any("'blue teapot': is neither a class" in reason for reason in told)


@pytest.mark.parametrize("name", ["red box mat", "red_box_mat", "red_box_mat_2", "red box mat 12"])
def test_names_that_say_a_class(name: str) -> None:
    assert AMIRO.class_named(name) == "red box mat"


@pytest.mark.parametrize("name", ["", "3", "wall", "red_box", "box red mat", "red_box_mat_x"])
def test_names_that_say_none(name: str) -> None:
    assert AMIRO.class_named(name) is None


def test_folders_and_files_that_are_no_bags(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    with pytest.raises(DataError, match=r"nowhere: no such"):
        read_bags([tmp_path / "nowhere"])
    for name in ("empty", "old.bag"):
        with pytest.raises(DataError, match=rf"{name}: no rosbag2 in it"):
            read_bags([tmp_path / name])
    for name in ("x.mcap", "x.db3"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(NotEnough) as error:
            read_bags([tmp_path / name])
        assert any(name in where for where, *_ in error.value.report.unused)


def test_a_bag_without_messages_is_not_enough(tmp_path: Path) -> None:
    write(tmp_path / "bag", [])
    with pytest.raises(NotEnough, match="nothing was sensed by every sensor") as error:
        read_bags([tmp_path / "bag"], enough=0)
    empty = {": is empty: it has no topics and no messages": 0}
    assert reasons(error.value.report) == empty


def test_a_topic_that_is_missing_is_no_message(tmp_path: Path) -> None:
    write(tmp_path / "bag", [m for m in tour(readings=2) if "laser" not in m.topic])
    with pytest.raises(NotEnough, match=r"at least 3 readings .* \(the option enough\)") as error:
        read_bags([tmp_path / "bag"], enough=3)
    assert reasons(error.value.report)["laser_scan: no robot has this topic"] == 0


def test_one_lost_or_damaged_file_of_a_split_bag_is_named_and_the_rest_used(
    tmp_path: Path,
) -> None:
    bag = write(tmp_path / "bag", tour(readings=40), split=Split(seconds=6.0))
    parts = sorted(bag.glob("*.mcap"))
    assert len(parts) > 4
    parts[1].unlink()
    parts[2].write_bytes(parts[2].read_bytes()[:5000])
    samples, report = read_bags([bag], enough=0)
    assert len(samples) > 100
    told = {Path(where).name for where, topic, _ in report.unused if not topic}
    assert told == {parts[1].name, parts[2].name}


def test_damage_among_the_images_alone_is_told_too(tmp_path: Path) -> None:
    bag = write(tmp_path / "bag", TOUR, storage="sqlite3")
    (path,) = bag.glob("*.db3")
    content = bytearray(path.read_bytes())
    with Reader(bag) as reader:
        images = [c for c in reader.connections if "image" in c.topic]
        *_, (_, _, last) = reader.messages(images)
    # the header of the page that begins the leaf with the last image
    page = content.rindex(bytes(last[200:1000])) // 4096 * 4096
    content[page : page + 8] = b"\xff" * 8
    path.write_bytes(content)
    try:
        _, report = read_bags([path], enough=0)
    except NotEnough as error:
        report = error.report
    assert report.samples == 8 * 12 or any(path.name in where for where, *_ in report.unused)


def test_files_without_metadata_are_read_in_the_order_of_their_numbers(
    bag: Path, tmp_path: Path
) -> None:
    many = write(tmp_path / "bag", TOUR, split=Split(seconds=0.7))
    assert len(list(many.glob("*.mcap"))) > 11
    (many / "metadata.yaml").unlink()
    assert read_bags([many])[0].digest() == read_bags([bag])[0].digest()


def test_files_without_metadata_are_read_as_they_are(bag: Path, tmp_path: Path) -> None:
    shutil.copytree(bag, tmp_path / "bag")
    for spoilt in ("", "rosbag2_bagfile_information: 3", "\0{"):
        (tmp_path / "bag/metadata.yaml").write_text(spoilt)
        samples, report = read_bags([tmp_path / "bag"])
        assert len(samples) == 8 * 12
        assert any("metadata.yaml" in where for where, *_ in report.unused)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_what_a_killed_recorder_leaves_is_read_as_far_as_it_goes(
    compression: str, tmp_path: Path
) -> None:
    writer = BagWriter(
        tmp_path / "bag",
        MessageTypes(definition),
        compression=compression,
        split=Split(seconds=3.0),
    )
    for topic, kind in {m.topic: m.type for m in TOUR}.items():
        writer.add_topic(topic, kind)
    for made in TOUR:
        assert writer.write(made.topic, made.stamp, serialised(made))
    while writer.waiting:
        time.sleep(0.01)
    shutil.copytree(tmp_path / "bag.recording", tmp_path / "left" / "bag.recording")
    writer.close()
    samples, report = read_bags([tmp_path / "left"], enough=0)
    assert 12 < len(samples) < 8 * 12
    told = {Path(where).name for where, *_ in report.unused}
    assert "metadata.yaml" in told
    assert "bag_3.mcap" in told


def test_the_unfinished_part_of_a_killed_recording_belongs_to_the_recorded_world(
    bag: Path, tmp_path: Path
) -> None:
    unfinished = tmp_path / "bag.recording"
    shutil.copytree(bag, unfinished / "bag_0")
    (unfinished / "world.sdf").write_text("no world")
    for path in (tmp_path, unfinished, unfinished / "bag_0", *unfinished.rglob("*.mcap")):
        assert {file.bag for file in find_bags([path])} == {unfinished}
        with pytest.raises(NotEnough) as error:
            read_bags([path])
        assert any("its world is not known" in told for told in reasons(error.value.report))


@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}, {"storage": "sqlite3"}])
def test_one_file_of_a_bag_is_read_as_its_metadata_says(
    options: dict[str, str], bag: Path, tmp_path: Path
) -> None:
    other = write(tmp_path / "z", TOUR, **options)
    (path,) = (path for path in other.iterdir() if path.suffix in (".mcap", ".db3"))
    assert read_bags([path])[0].digest() == read_bags([bag])[0].digest()


SMALL = tour(readings=2)


class Files(dict[str, bytes]):
    """Name -> content, which is not shown when a test fails."""

    def __repr__(self) -> str:
        return f"files {', '.join(self)}"


@pytest.fixture(scope="module")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A file of each kind."""
    folder = tmp_path_factory.mktemp("small")
    files = Files()
    for name, options in {
        "none.mcap": {},
        "zstd.mcap": {"compression": "zstd"},
        "none.db3": {"storage": "sqlite3"},
    }.items():
        (path,) = write(folder / name, SMALL, **options).glob(f"*{Path(name).suffix}")
        files[name] = path.read_bytes()
    theirs = write_independently(folder / "theirs.mcap", SMALL)
    files["theirs.mcap"] = theirs.read_bytes()
    return files


spoiling = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@spoiling
@given(share=st.floats(0, 1, exclude_max=True), which=st.integers(0, 3))
def test_a_file_cut_off_anywhere_is_an_error_or_less_data(
    share: float, which: int, small_files: Files, tmp_path: Path
) -> None:
    name, data = sorted(small_files.items())[which]
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * share)])
    try:
        samples, report = read_bags([path], enough=0)
    except DataError as error:
        assert name in str(error)
    else:
        # a byte that nobody needs may be missing, but nothing is missing without a word
        assert len(samples) == 8 * 2 or report.unused


@spoiling
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1),
    which=st.integers(0, 3),
)
def test_a_file_with_wrong_bytes_never_does_more_than_fail(
    flips: list[tuple[float, int]], which: int, small_files: Files, tmp_path: Path
) -> None:
    name, data = sorted(small_files.items())[which]
    spoilt = bytearray(data)
    for share, flip in flips:
        spoilt[int(len(spoilt) * share)] ^= flip
    path = tmp_path / name
    path.write_bytes(spoilt)
    try:
        samples, _ = read_bags([path], enough=0)
    except DataError:
        return
    assert set(samples.labels) <= set(range(8))


def test_readings_that_would_not_fit_on_disk_end_the_reading_before_they_do(
    bag: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module, "free_space", lambda: 10_000)
    with pytest.raises(TooMuch, match="no room left to pair them; let TMPDIR name"):
        read_bags([bag])
