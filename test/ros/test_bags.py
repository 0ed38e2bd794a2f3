# SPDX-License-Identifier: Apache-2.0
"""Recorded is what was published, and played what was recorded, byte for byte."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import on_a_robot
import pytest
import rclpy
import yaml
from bag_making import at, new, text, write
from m2vae_ros.msg import LatentEmbedding
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2 import Reader
from std_msgs.msg import String
from suites import modality, plain

from m2vae_ros.bags.writer import Split
from m2vae_ros.bringup.processes import Processes
from m2vae_ros.bringup.specs import simulator
from m2vae_ros.ros import bag_qos, qos
from m2vae_ros.ros.message_types import message_class
from m2vae_ros.ros.recorder import Recorder, topics_of
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.messages import ODOMETRY
from m2vae_ros.world.suite import AMIRO

pytestmark = pytest.mark.ros

PATIENCE = 120.0
ROOT = Path(__file__).parents[2]


class Stage:
    """A tester, and whoever else is spun with it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.executor = SingleThreadedExecutor(context=context)
        self.nodes: list[Any] = []
        self.tester = self.node("tester")
        self.heard: dict[str, list[bytes]] = defaultdict(list)

    def node(self, name: str) -> Any:
        node = rclpy.create_node(name, context=self.context)
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def listen(self, kind: type, topic: str, profile: Any) -> None:
        self.tester.create_subscription(kind, topic, self.heard[topic].append, profile, raw=True)

    def until(self, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            self.executor.spin_once(timeout_sec=0.02)


@contextmanager
def stage() -> Iterator[Stage]:
    context = Context()
    rclpy.init(context=context)
    made = Stage(context)
    try:
        yield made
    finally:
        made.executor.shutdown()
        for node in made.nodes:
            node.destroy_node()
        context.try_shutdown()


@contextmanager
def process(*command: Any) -> Iterator[subprocess.Popen]:
    """A process that does not outlive its test, as on a robot."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env=on_a_robot.environment()
    ) as running:
        try:
            yield running
        except AssertionError:
            running.send_signal(signal.SIGINT)
            print(*running.communicate(timeout=PATIENCE), sep="\n")  # shown of a test that fails
            raise
        finally:
            running.send_signal(signal.SIGINT)  # which a process that has ended does not mind
            try:
                running.wait(PATIENCE)
            finally:
                running.kill()


def m2vae(*arguments: Any) -> Any:
    return process(sys.executable, "-m", "m2vae_ros.cli", *arguments)


def play(bag: Path, *options: str) -> Any:
    # readers are found late on a busy machine
    return m2vae("play", bag, "--delay", "4", *options)


def content(bag: Path) -> dict[str, list[bytes]]:
    """Topic -> messages in order, read without rosbags."""
    information = yaml.safe_load((bag / "metadata.yaml").read_text())
    information = information["rosbag2_bagfile_information"]
    found: dict[str, list[bytes]] = defaultdict(list)
    for name in information["relative_file_paths"]:
        with (bag / name).open("rb") as file:
            for _, channel, message in make_reader(file).iter_messages():
                found[channel.topic].append(message.data)
    return found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zstd", "split": Split(size=8e6)},
        {"split": Split(seconds=1.0)},
    ],
    ids=["whole", "zstd by size", "by time"],
)
def test_a_simulated_team_is_recorded_whole(options: dict[str, Any], tmp_path: Path) -> None:
    robots = {"amiro1": ("camera",), "amiro2": ("lidar",), "amiro3": ("reflectance",)}
    topics = {
        f"/{robot}/{AMIRO[sensors[0]].topic}": AMIRO[sensors[0]].type
        for robot, sensors in robots.items()
    } | {f"/{robot}/odom": ODOMETRY.type for robot in robots}
    with stage() as s, Processes([simulator(robots)]) as processes:
        for topic, kind in topics.items():
            reliable = topic.endswith("odom")
            policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
            s.listen(message_class(kind), topic, QoSProfile(depth=1000, reliability=policy))
        recorder = Recorder(s.node("recorder"), tmp_path / "bag", topics_of(AMIRO), **options)

        def enough() -> bool:
            processes.check()
            return all(
                recorder.messages.get(topic, 0) >= 20 and len(s.heard[topic]) >= 20
                for topic in topics
            )

        s.until(enough)
        heard = {topic: list(found) for topic, found in s.heard.items()}
        # what the tester heard last may not have reached the recorder yet
        s.until(lambda: all(recorder.messages[t] > len(heard[t]) + 2 for t in topics), 10.0)
        summary = recorder.close()
    assert not recorder.lost
    assert not recorder.refused
    assert (len(summary.files) > 1) == ("split" in options)
    recorded = content(tmp_path / "bag")
    assert {topic: len(found) for topic, found in recorded.items()} == summary.messages
    for topic, found in heard.items():
        # they did not begin in the same moment; from where both heard, nothing may be missing
        both = max(found[0], recorded[topic][0], key=_stamp)
        theirs, ours = found[found.index(both) :], recorded[topic][recorded[topic].index(both) :]
        assert len(theirs) >= 10
        assert ours[: len(theirs)] == theirs


def _stamp(message: bytes) -> tuple[int, int]:
    """The stamp of a message that begins with a header."""
    return int.from_bytes(message[4:8], "little"), int.from_bytes(message[8:12], "little")


def test_embeddings_of_before_and_their_definition_are_in_the_bag(tmp_path: Path) -> None:
    # serialised once: the bytes between two fields, which mean nothing, differ from time to time
    embeddings = [
        serialize_message(LatentEmbedding(sender="amiro1", object_id=f"o{i}", mean=[i / 3]))
        for i in (1, 2)
    ]
    with stage() as s:
        for embedding in embeddings:  # as the fusion nodes do: a writer for each object
            s.tester.create_publisher(
                LatentEmbedding, "/embeddings", qos.LATEST_OF_ONE_OBJECT
            ).publish(embedding)
        recorder = Recorder(s.node("recorder"), tmp_path / "bag", topics_of(AMIRO))
        s.until(lambda: recorder.messages.get("/embeddings") == 2)
        recorder.close()
    with (tmp_path / "bag/bag_0.mcap").open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        found = sorted(
            (decoded.object_id, *decoded.mean, message.data)
            for _, _, message, decoded in reader.iter_decoded_messages()
        )
    assert [name for name, *_ in found] == ["o1", "o2"]
    assert [mean for _, mean, _ in found] == pytest.approx([1 / 3, 2 / 3])
    assert [data for *_, data in found] == embeddings
    with Reader(tmp_path / "bag") as bag:
        (offered,) = bag.connections[0].ext.offered_qos_profiles
        assert offered.reliability == QosReliability.RELIABLE
        assert offered.durability == QosDurability.TRANSIENT_LOCAL


def test_what_a_suite_reads_is_what_is_recorded() -> None:
    team = topics_of(AMIRO)
    for topic in (*(m.topic for m in AMIRO.values()), "odom", "cmd_vel", "classification"):
        assert f"*/{topic}" in team
    assert "*/front_camera/camera_info" in team
    assert {"/clock", "/diagnostics", "/embeddings"} <= set(team)
    assert len(set(team)) == len(team)

    about = {"kind": "topic", "topic": "/target", "type": "std_msgs/msg/String"}
    modalities = {
        "front": modality("image", topic="image_raw"),
        "overhead": modality("image", topic="/ceiling/image"),
    }
    told = topics_of(SensorSuite.from_plain(plain(modalities=modalities, about=about)))
    assert {"*/image_raw", "*/camera_info", "/ceiling/image", "/ceiling/camera_info"} <= set(told)
    assert {"/target", "*/state"} <= set(told)


def test_topics_that_appear_later_and_only_those_asked_for_are_recorded(tmp_path: Path) -> None:
    with stage() as s:
        recorder = Recorder(s.node("recorder"), tmp_path / "bag", ["/a*", "b"])
        publishers = {t: s.tester.create_publisher(String, t, 10) for t in ("/a1", "/b", "/c")}
        s.until(lambda: set(recorder.messages) == {"/a1", "/b"})
        publishers["/a2"] = s.tester.create_publisher(String, "/a2", qos.NEWEST_READING)
        s.until(lambda: "/a2" in recorder.messages)
        s.until(lambda: all(publishers[t].get_subscription_count() for t in ("/a1", "/b", "/a2")))
        for topic, publisher in publishers.items():
            publisher.publish(String(data=topic))
        s.until(lambda: sum(recorder.messages.values()) == 3)
        s.tester.create_subscription(String, "/wanted", print, 10)  # and nobody publishes on it
        s.until(lambda: "/wanted" in dict(s.tester.get_topic_names_and_types()))
        s.until(lambda: "/c" in recorder.left_out)
        assert recorder.left_out.isdisjoint({"/a1", "/a2", "/b", "/wanted", "/rosout"})
        recorder.close()
    expected = {t: [serialize_message(String(data=t))] for t in ("/a1", "/a2", "/b")}
    assert content(tmp_path / "bag") == expected


def test_what_cannot_be_recorded_is_named(tmp_path: Path) -> None:
    with stage() as s, ExitStack() as ending:
        s.tester.create_publisher(String, "/two", 10)
        # another process, or DDS refuses it there
        elsewhere = "import rclpy, std_msgs.msg as m; rclpy.init(); n = rclpy.create_node('o'); "
        elsewhere += "n.create_publisher(m.Int32, '/two', 10); rclpy.spin(n)"
        ending.enter_context(process(sys.executable, "-c", elsewhere))
        s.until(lambda: len(dict(s.tester.get_topic_names_and_types()).get("/two", ())) == 2)
        recorder = Recorder(s.node("recorder"), tmp_path / "bag", ["/two", "/lasting"])
        s.tester.create_publisher(String, "/lasting", qos.LATEST_OF_ONE_OBJECT)
        s.until(lambda: "/lasting" in recorder.messages and "/two" in recorder.refused)
        s.tester.create_publisher(String, "/lasting", qos.NEWEST_READING)
        s.until(lambda: "/lasting" in recorder.refused)
        assert "offers less" in recorder.refused["/lasting"]
        assert "several types" in recorder.refused["/two"]
        recorder.close()


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_the_command_leaves_a_whole_bag_however_it_is_ended(
    told: signal.Signals, tmp_path: Path
) -> None:
    bag = tmp_path / "bag"
    with stage() as s:
        publisher = s.tester.create_publisher(String, "/text", 1000)
        options = ["--topics", "/text", "--split", "1kB", "--json", tmp_path / "numbers.json"]
        with m2vae("record", bag, *options) as recorder:
            s.until(lambda: publisher.get_subscription_count() == 1)
            for number in range(500):
                publisher.publish(String(data=f"{number}"))
            assert publisher.wait_for_all_acked(Duration(seconds=PATIENCE))
            assert not bag.exists()
            recorder.send_signal(told)
            assert "500" in recorder.communicate(timeout=PATIENCE)[0]
            assert recorder.returncode == 0
    assert len(content(bag)["/text"]) == 500
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bag", "numbers.json"]
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert (numbers["folder"], numbers["messages"]) == (str(bag), {"/text": 500})


def test_what_was_published_and_not_recorded_is_named_at_the_end(tmp_path: Path) -> None:
    with stage() as s:
        for number in range(10):
            s.tester.create_publisher(String, f"/robot7/sonar{number}", 10)
        publisher = s.tester.create_publisher(String, "/amiro1/label", 10)
        with m2vae("record", tmp_path / "bag", "--topics", "*/label") as recorder:
            s.until(lambda: publisher.get_subscription_count() == 1)
            publisher.publish(String(data="red box mat"))
            assert publisher.wait_for_all_acked(Duration(seconds=PATIENCE))
            recorder.send_signal(signal.SIGINT)
            said = recorder.communicate(timeout=PATIENCE)[0]
            assert recorder.returncode == 0
    named = ", ".join(f"/robot7/sonar{number}" for number in range(8))
    assert f"not recorded, for --topics does not name them: {named} and 2 more" in said
    assert "--topics such as '/robot7/*'" in said


@pytest.mark.parametrize("clock", [[], ["--use-sim-time"]], ids=["topics", "time"])
def test_who_records_where_nobody_publishes_hears_of_it_and_gets_no_bag(
    clock: list[str], tmp_path: Path, ros_domain_id: int
) -> None:
    topics = ["/text", "/robot*/scan"]
    world = tmp_path / "my.world"
    world.touch()
    options = ["--world", world, *clock, "--topics", *topics]
    with m2vae("record", tmp_path / "bag", *options) as recorder:
        said = recorder.stdout.readline()
        assert recorder.poll() is None  # it goes on
        recorder.send_signal(signal.SIGINT)
        rest = recorder.communicate(timeout=PATIENCE)[0]
    missing = f"publishes on {', '.join(topics)}" if not clock else "tells the time on /clock"
    missing = f"in ROS domain {ros_domain_id} nobody {missing}"
    assert said == f"{missing}; what appears later is recorded, too\n"
    assert f"nothing was recorded, no bag is left: {missing}" in rest
    assert recorder.returncode == 1
    assert list(tmp_path.iterdir()) == [world]


def test_an_existing_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    command = [sys.executable, "-m", "m2vae_ros.cli", "record", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert "exists already" in result.stderr
    assert "Traceback" not in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_played_is_what_was_recorded_with_its_quality_of_service(tmp_path: Path) -> None:
    with stage() as s:
        lasting = s.tester.create_publisher(String, "/lasting", qos.LATEST_OF_ONE_OBJECT)
        passing = s.tester.create_publisher(String, "/passing", qos.NEWEST_READING)
        recorder = Recorder(s.node("recorder"), tmp_path / "bag", ["/lasting", "/passing"])
        s.until(lambda: lasting.get_subscription_count() and passing.get_subscription_count())
        for number in range(20):
            lasting.publish(String(data=f"{number}"))
            passing.publish(String(data=f"{number}"))
            s.until(lambda n=number: sum(recorder.messages.values()) == 2 * n + 2)
        recorder.close()
        for publisher in (lasting, passing):
            s.tester.destroy_publisher(publisher)
        s.listen(String, "/lasting", qos.EMBEDDINGS)
        s.listen(
            String, "/passing", QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
        )
        with play(tmp_path / "bag") as player:
            s.until(lambda: len(s.heard["/lasting"]) == 20 and len(s.heard["/passing"]) == 20)
            assert "40 messages of 2 topics" in player.communicate(timeout=PATIENCE)[0]
            assert player.returncode == 0
    recorded = content(tmp_path / "bag")
    for topic, messages in s.heard.items():
        assert list(map(padded, messages)) == list(map(padded, recorded[topic]))


def padded(message: bytes) -> bytes:
    """On their way between processes DDS fills messages up to whole words."""
    return message + bytes(-len(message) % 4)


@pytest.mark.slow
def test_unknown_types_are_named_and_the_others_played(tmp_path: Path) -> None:
    other = "never_heard_of_msgs/msg/Thing"
    made = [text(0.1 * i, "/text", f"{i}") for i in range(5)]
    unknown = [m._replace(topic="/thing", type=other) for m in made]
    types = {other: "string data\n"}
    bag = write(tmp_path / "bag", [*made, *unknown], types=types)
    with stage() as s:
        s.listen(String, "/text", 10)
        with play(bag) as player:
            s.until(lambda: len(s.heard["/text"]) == 5)
            _, errors = player.communicate(timeout=PATIENCE)
            assert f"/thing: the type {other} is not installed" in errors
            assert player.returncode == 0
    with play(bag, "--topics", "/thing") as player:
        _, errors = player.communicate(timeout=PATIENCE)
        assert player.returncode == 1
        assert "nothing to play: /thing" in errors


@pytest.mark.slow
def test_rate_offset_and_clock(tmp_path: Path) -> None:
    made = [text(0.1 * i, "/text", f"{i}") for i in range(21)]
    clock = [
        at("/clock", "rosgraph_msgs/msg/Clock", 0.0, new("rosgraph_msgs/msg/Clock", clock=time_0()))
    ]
    bag = write(tmp_path / "bag", [*clock, *made])
    with stage() as s:
        s.listen(String, "/text", 100)
        s.listen(message_class("rosgraph_msgs/msg/Clock"), "/clock", 1000)
        with play(bag, "--rate", "2", "--start-offset", "1", "--clock", "50") as player:
            s.until(lambda: len(s.heard["/text"]) == 11 and player.poll() == 0)
        words = [deserialize_message(m, String).data for m in s.heard["/text"]]
        assert words == [f"{i}" for i in range(10, 21)]
        seconds = [_clock(m) for m in s.heard["/clock"]]
        assert seconds == sorted(seconds)
        assert len(seconds) > 10  # half a second at 50 Hz, on a busy machine
        assert seconds[0] >= 1e9 + 1
        assert seconds[-1] <= 1e9 + 3


def time_0() -> Any:
    return new("builtin_interfaces/msg/Time", sec=0, nanosec=0)


def _clock(message: bytes) -> float:
    sec, nanosec = (int.from_bytes(message[i : i + 4], "little") for i in (4, 8))
    return sec + nanosec * 1e-9


@pytest.mark.slow
def test_a_loop_goes_on_until_ctrl_c(tmp_path: Path) -> None:
    bag = write(tmp_path / "bag", [text(0.1 * i, "/text", f"{i}") for i in range(3)])
    with stage() as s:
        s.listen(String, "/text", 100)
        with play(bag, "--loop", "--rate", "5") as player:
            s.until(lambda: len(s.heard["/text"]) > 9)
            player.send_signal(signal.SIGINT)
            output, errors = player.communicate(timeout=PATIENCE)
            assert player.returncode == 0
        assert "messages of 1 topics played" in output
        assert "Traceback" not in errors


@pytest.mark.parametrize("loop", [[], ["--loop"]])
def test_an_offset_beyond_the_end_is_told(loop: list[str], tmp_path: Path) -> None:
    bag = write(tmp_path / "bag", [text(0.1 * i, "/text", f"{i}") for i in range(3)])
    with m2vae("play", bag, "--delay", "0", "--start-offset", "5", *loop) as player:
        _, errors = player.communicate(timeout=PATIENCE)
    assert player.returncode == 1
    assert "nothing to play: no message of these topics after 5 s" in errors


def test_qualities_of_service_survive_the_way_into_a_bag_and_back() -> None:
    for profile in (qos.NEWEST_READING, qos.STATE, qos.LATEST_OF_ONE_OBJECT, qos.EMBEDDINGS):
        back = bag_qos.from_bag(bag_qos.to_bag([profile]))
        assert (back.reliability, back.durability) == (profile.reliability, profile.durability)
        assert back.depth == profile.depth
    mixed = bag_qos.hears_all([qos.NEWEST_READING, qos.EMBEDDINGS])
    assert mixed.reliability == ReliabilityPolicy.BEST_EFFORT
    assert mixed.durability == DurabilityPolicy.VOLATILE


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", "--split 100MB --compression zstd"])
def test_nothing_is_lost_of_three_robots_images_scans_and_rings(
    options: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, ROOT / "tools/recording_load.py", "--json", report]
    subprocess.run([*command, "--seconds", "20", f"--options={options}"], check=True)
    counts = json.loads(report.read_text())
    assert len(counts) == 12
    for topic, count in counts.items():
        assert count["published"] >= 150, topic
        assert count["recorded"] == count["equal"] == count["published"], topic
