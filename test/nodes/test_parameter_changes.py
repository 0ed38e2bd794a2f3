# SPDX-License-Identifier: Apache-2.0
"""What `ros2 param set` changes while nodes run, and what it may not."""

from __future__ import annotations

import copy
import math
from typing import Any, NamedTuple

import pytest
from gazebo_master import needs_gazebo
from m2vae_ros.msg import LatentEmbedding
from patrolling import Patrol
from rclpy.lifecycle import TransitionCallbackReturn
from ros_team import OBJECT, image, team
from rosgraph_msgs.msg import Clock
from untrained import untrained_weights

from m2vae_ros.nodes.amiro_sim_node import AmiroSimNode
from m2vae_ros.nodes.gazebo_bridge_node import GazeboBridgeNode
from m2vae_ros.nodes.patrol_node import PatrolNode

pytestmark = pytest.mark.ros

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return untrained_weights(tmp_path_factory.mktemp("weights"))


class Change(NamedTuple):
    """A parameter that decides whether a look of the camera is fused.

    Attributes:
        name, before, after: the parameter, a value with which it is not, and one with which it is.
        otherwise: what is counted with the first value instead.
        moves: what odometry says after the reading; else that the robot stands at the origin.
        looked: whether the object was sensed once before.
        given: other parameters.
    """

    name: str
    before: Any
    after: Any
    otherwise: str
    moves: dict[str, float] = {}
    looked: bool = False
    given: dict[str, Any] = {}


SURPRISED = "dropped front_camera/image_raw: surprise"
NOT_PLACED = "unused: no odometry of that time"
NOT_SEEN = "unused: nothing to look at"
MOVING = "unused: moving"
ASIDE = {"objects.y": [0.5]}

CHANGES = [
    Change("max_surprise", 0.0, 2.0, SURPRISED),
    Change("max_speed", 0.05, 1.0, MOVING, {"speed": 0.3}),
    Change("max_turn", 0.1, 1.0, MOVING, {"turn": 0.3}),
    Change("position_noise", 0.01, 0.1, MOVING, {"x": 0.05}),
    Change("heading_noise", 0.0175, 0.1, MOVING, {"yaw": 0.05}),
    Change("odometry_tolerance", 0.001, 60.0, NOT_PLACED, {"ago": 0.01}),
    Change("min_gain", 1e9, 0.0, "confirmed camera", looked=True),
    Change("camera.min_distance", 0.6, 0.1, NOT_SEEN),
    Change("camera.max_distance", 0.4, 2.0, NOT_SEEN),
    Change("camera.max_bearing", 0.1, 1.0, NOT_SEEN, given=ASIDE),
    Change("objects.x", [5.0], [0.5], NOT_SEEN),
    Change("objects.y", [5.0], [0.0], NOT_SEEN),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_what_is_set_decides_whether_the_next_look_is_fused(change: Change, weights) -> None:
    given = {"min_gain": 0.0, **change.given, change.name: change.before}
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"], **given)
        if change.looked:
            t.sense("amiro1", image(10), "camera")
            t.until(lambda: t.counted("amiro1", "fused camera") == 1)
        t.sense("amiro1", image(200), "camera", **change.moves)
        t.until(lambda: t.counted("amiro1", change.otherwise) == 1)
        held = node._memory.objects()
        assert len(held) == change.looked

        assert not t.set(node, {change.name: change.after})
        assert node._memory.objects() == held
        t.stand("amiro1")
        t.sense("amiro1", image(100), "camera", **change.moves)
        t.until(lambda: t.counted("amiro1", "fused camera") == 1 + change.looked)
        assert t.counted("amiro1", change.otherwise) == 1


def test_a_sensor_that_rests_is_woken_by_a_shorter_refresh_period(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"], **{"camera.refresh_period": 60.0})
        for value in (10, 200):
            t.sense("amiro1", image(value), "camera")
            t.until(lambda: t.counted("amiro1", "fused camera") == 1)
        t.settle()
        assert t.counted("amiro1", "fused camera") == 1

        assert not t.set(node, {"camera.refresh_period": 0.0, "min_gain": 0.0})
        t.sense("amiro1", image(100), "camera")
        t.until(lambda: t.counted("amiro1", "fused camera") >= 2)


def test_two_places_are_one_object_as_long_as_the_gate_is_wide(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"], gate=0.3)
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        t.send("/embeddings", told_by_another(t.embeddings[0], "near", x=1.1))
        t.until(lambda: len(node._memory.objects()) == 2)

        assert not t.set(node, {"gate": 1.0})
        assert len(node._memory.objects()) == 1
        assert node._memory.get("near") == node._memory.get(OBJECT)
        assert not t.set(node, {"gate": 0.3})
        assert {e.object_id for e in node._memory.objects()} == {OBJECT, "near"}


def test_with_more_tolerance_stamps_may_lie_further_in_the_future(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        message = told_by_another(t.embeddings[0], "late", x=3.0)
        message.stamps[0].sec += 100
        message.header.stamp = message.stamps[0]
        t.send("/embeddings", message)
        t.until(lambda: node._drops.dropped == 1)
        assert node._memory.get("late") is None
        assert not t.set(node, {"stamp_tolerance": 1000.0})
        t.send("/embeddings", message)
        t.until(lambda: node._memory.get("late") is not None)


def test_a_shorter_time_to_join_counts_at_once_and_what_waited_is_fused(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera", "lidar"], join_time=10.0)
        t.sense("amiro1", image(), "camera")
        t.until(lambda: t.counted("amiro1", "received front_camera/image_raw") == 1)
        t.settle()
        assert not t.embeddings
        assert not t.set(node, {"join_time": 0.05})
        t.until(lambda: len(t.embeddings) == 1, patience=5.0)


def test_objects_set_together_are_looked_at(weights) -> None:
    nowhere = {"objects.names": [], "objects.x": [], "objects.y": []}
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"], **nowhere)
        t.sense("amiro1", image(), "camera")
        t.until(lambda: t.counted("amiro1", NOT_SEEN) == 1)
        known = {"objects.names": ["post"], "objects.x": [0.5], "objects.y": [0.1]}
        assert not t.set(node, known)
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        assert (t.embeddings[0].object_id, t.embeddings[0].position.y) == ("post", 0.1)


CONFIGURED = "is read when the node is configured; clean it up first"
LENGTHS = "1 names, 2 x and 1 y: must be equally many"
RANGE = "parameter camera: min_distance, max_distance: must not fall"

REFUSED = [
    ({"robot": "another"}, f"parameter robot: {CONFIGURED}"),
    ({"weights": "motions"}, f"parameter weights: {CONFIGURED}"),
    ({"device": "cuda"}, f"parameter device: {CONFIGURED}"),
    ({"modalities": ["lidar"]}, f"parameter modalities: {CONFIGURED}"),
    ({"global_frame": "odom"}, f"parameter global_frame: {CONFIGURED}"),
    ({"gate": 0.0}, "gate out of range"),
    ({"gate": 1}, "Wrong parameter type"),
    ({"max_surprise": math.nan}, "max_surprise"),
    ({"camera.max_bearing": 4.0}, "camera.max_bearing out of range"),
    ({"camera.min_distance": 3.0}, RANGE),
    ({"camera.max_distance": math.inf}, RANGE),
    ({"camera.max_distance": math.nan}, "camera.max_distance"),
    ({"objects.x": [0.5, 1.0]}, LENGTHS),
    ({"objects.x": [math.nan]}, "parameter objects.x: is NaN"),
    ({"objects.names": [""]}, "parameter objects.names: each must be there, and once"),
    ({"sonar.refresh_period": 1.0}, "undeclared"),
    ({"max_surprise": 0.0, "weights": "motions"}, f"parameter weights: {CONFIGURED}"),
    ({"max_surprise": 0.0, "camera.min_distance": 3.0}, RANGE),
    ({"max_surprise": 0.0, "objects.x": [0.5, 1.0]}, LENGTHS),
]


@pytest.mark.parametrize(("values", "reason"), REFUSED, ids=lambda of: str(of)[:50])
def test_what_cannot_be_is_refused_with_the_reason_and_changes_nothing(
    values: dict[str, Any], reason: str, weights
) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"])
        assert reason in t.set(node, values)
        t.sense("amiro1", image(), "camera")
        t.until(lambda: t.counted("amiro1", "fused camera") == 1)


def test_a_set_of_which_a_part_is_read_at_configuration_may_repeat_that_part(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"], max_surprise=0.0)
        same = {"weights": str(weights), "modalities": ["camera"], "global_frame": "map"}
        assert not t.set(node, {"max_surprise": 2.0, **same})
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)


def test_an_unconfigured_node_takes_what_it_is_configured_with(weights) -> None:
    with team() as t:
        node = t.robot("amiro1", weights / "nowhere", ["camera", "sonar"])
        assert node.trigger_configure() == FAILURE
        assert "parameter objects.x: is NaN" in t.set(node, {"objects.x": [math.nan]})
        assert not t.set(node, {"objects.names": [OBJECT, "post"]})  # one after the other
        assert not t.set(node, {"objects.x": [5.0, 0.5]})
        assert not t.set(node, {"weights": str(weights)})
        assert not t.set(node, {"modalities": ["camera"]})
        assert node.trigger_configure() == FAILURE
        assert "2 names, 2 x and 1 y" in node._drops.last_error
        assert not t.set(node, {"objects.y": [0.0, 0.0]})
        assert not t.set(node, {"robot": "renamed"})
        assert node.trigger_configure() == SUCCESS
        assert CONFIGURED in t.set(node, {"robot": "again"})
        assert not t.set(node, {"min_gain": 0.0, "period": 0.05})  # counts when it is active
        assert node.trigger_activate() == SUCCESS
        t.stand("amiro1")
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        assert (t.embeddings[0].sender, t.embeddings[0].object_id) == ("renamed", "post")
        assert node.trigger_deactivate() == SUCCESS
        assert CONFIGURED in t.set(node, {"robot": "again"})
        assert node.trigger_cleanup() == SUCCESS
        assert not t.set(node, {"robot": "again"})


def test_descriptions_say_what_is_read_only_and_what_is_read_at_configuration(weights) -> None:
    with team() as t:
        node = t.robot("amiro1", weights, ["camera"])
        patrol = t.add(PatrolNode, namespace="/amiro1")
        assert not node.describe_parameter("weights").read_only
        assert "configured" in node.describe_parameter("weights").additional_constraints
        assert not node.describe_parameter("gate").additional_constraints
        assert patrol.describe_parameter("robot").read_only
        assert not patrol.describe_parameter("speed").read_only
        assert "read-only" in t.set(patrol, {"robot": "another"})


def test_a_patrol_drives_and_turns_as_fast_as_it_is_told_on_its_way() -> None:
    with team() as t:
        patrol = Patrol(t, speed=0.4, turn=2.5)
        assert patrol.command(1.0).linear.x == 0.4
        assert patrol.command(1.1, yaw=3.0).angular.z == -2.5
        assert "speed out of range" in t.set(patrol.node, {"speed": 0.0})
        assert not t.set(patrol.node, {"speed": 0.1, "turn": 0.5})
        assert patrol.command(1.2).linear.x == 0.1
        assert patrol.command(1.3, yaw=3.0).angular.z == -0.5
        t.until(lambda: bool(patrol.said))
        assert patrol.said == ["amiro1 0/2: drives to a by camera"]


def test_a_patrol_waits_at_an_object_for_as_long_as_it_is_told() -> None:
    with team() as t:
        patrol = Patrol(t, patience=100.0)
        there = 3.0 - 0.8
        assert patrol.command(1.0, there).linear.x == 0.0
        patrol.command(5.0, there)
        t.settle()
        assert not any("could not sense" in text for text in patrol.said)
        assert not t.set(patrol.node, {"patience": 3.0})
        patrol.command(5.1, there)
        t.until(lambda: any("could not sense a" in text for text in patrol.said))


def test_a_patrol_that_is_told_other_objects_begins_its_round_anew() -> None:
    with team() as t:
        patrol = Patrol(t)
        patrol.command(1.0)
        t.until(lambda: patrol.said[-1:] == ["amiro1 0/2: drives to a by camera"])
        assert "order: 'c'" in t.set(patrol.node, {"order": ["c"]})
        assert not t.set(patrol.node, {"order": ["b"]})
        assert patrol.command(1.1).linear.x == 0.0  # it turns round
        t.until(lambda: patrol.said[-1] == "amiro1 0/1: drives to b by camera")
        assert not t.set(patrol.node, {"objects.x": [3.0, 5.0]})
        assert patrol.command(1.2).linear.x > 0.0


def test_the_simulator_takes_another_pace_and_nothing_else() -> None:
    with team() as t:
        clock: list[Clock] = []
        t.listen(Clock, "/clock", clock.append, 100)
        node = t.add(AmiroSimNode, robots=["amiro1/lidar"], real_time_factor=0.01)
        t.settle()
        assert not clock
        for name, value in (("world", "a"), ("robots", ["a/b"]), ("seed", 1), ("frame", "odom")):
            assert "read-only" in t.set(node, {name: value})
        assert "out of range" in t.set(node, {"real_time_factor": 0.0})
        assert not t.set(node, {"real_time_factor": 5.0})
        t.until(lambda: len(clock) > 20, patience=5.0)


@needs_gazebo()
def test_all_of_the_bridge_is_read_when_it_starts() -> None:
    with team() as t:
        node = t.add(GazeboBridgeNode, master="http://127.0.0.1:1")
        for name, value in (("master", "a"), ("robots", ["a/b"]), ("seed", 1), ("frame", "odom")):
            assert "read-only" in t.set(node, {name: value})


def told_by_another(message: LatentEmbedding, name: str, x: float) -> LatentEmbedding:
    """The same of another object, by another robot."""
    other = copy.deepcopy(message)
    other.sender, other.object_id, other.position.x = "amiro2", name, x
    return other
