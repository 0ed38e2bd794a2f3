# SPDX-License-Identifier: Apache-2.0
"""A team over real topics: what one knows all know, whoever dies, is started again or lies."""

from __future__ import annotations

import copy
import time

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from ros_team import OBJECT, Team, image, scan, team
from untrained import untrained_weights

from m2vae_ros.ros import messages

pytestmark = pytest.mark.ros

SUCCESS = TransitionCallbackReturn.SUCCESS


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return untrained_weights(tmp_path_factory.mktemp("weights"))


def test_what_a_dead_robot_sensed_reaches_who_is_started_later(weights) -> None:
    with team() as t:
        author = t.active_robot("amiro1", weights, ["camera"])
        holder = t.active_robot("amiro2", weights, ["lidar"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: holder._memory.get(OBJECT) is not None)
        known = holder._memory.objects()
        t.drop(author)
        for name in ("amiro1", "amiro3"):
            began = time.monotonic()
            late = started(t, name, weights)
            t.until(lambda late=late: late._memory.objects() == known)
            assert time.monotonic() - began < 10.0  # of 2 s on a machine that has nothing else
        assert t.counted("amiro2", "embeddings told again") >= 1


def test_a_robot_that_was_started_again_fuses_with_what_it_was_told_before(weights) -> None:
    with team() as t:
        author = t.active_robot("amiro1", weights, ["camera"])
        other = t.active_robot("amiro2", weights, ["lidar"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: other._memory.get(OBJECT) is not None)
        t.drop(author)
        again = t.active_robot("amiro1", weights, ["lidar"])
        t.until(lambda: again._memory.get(OBJECT) is not None)
        t.sense("amiro1", scan(), "lidar")
        t.until(lambda: set(other._memory.get(OBJECT).held) == {"camera", "lidar"})
        assert not again._memory.has_namesake


def test_two_robots_of_one_name_hear_each_other_and_it_is_told(weights) -> None:
    with team() as t:
        one = t.active_robot("amiro1", weights, ["camera"], min_gain=0.0)
        two = t.active_robot("amiro2", weights, ["lidar"], robot="amiro1")
        t.sense("amiro1", image(), "camera")
        t.sense("amiro2", scan(), "lidar")
        t.until(
            lambda: all(
                (held := node._memory.get(OBJECT)) and set(held.held) == {"camera", "lidar"}
                for node in (one, two)
            )
        )
        t.settle(1.5)  # beyond the tolerance of stamps
        t.sense("amiro1", image(10), "camera")
        t.until(lambda: one._memory.objects() == two._memory.objects())
        told = "another robot of this name"
        t.until(lambda: t.diagnostics["amiro2/fusion"].get(told) == "is heard")


def test_lies_take_no_object_its_name_its_place_or_its_class_and_are_counted(weights) -> None:
    def known() -> tuple:
        held = node._memory.get(OBJECT)
        shown = int(node._engine.classify(held.mean).argmax())
        return held.object_id, held.position, set(held.held), shown

    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        mine = t.embeddings[0]
        other = t.active_robot("amiro2", weights, ["lidar"])
        t.until(lambda: t.counted("amiro2", "embeddings new") == 1)
        t.sense("amiro2", scan(), "lidar")
        t.until(lambda: len(node._memory.get(OBJECT).held) == 2)
        t.settle()
        t.until(lambda: set(node._memory.statements()) == set(other._memory.statements()))
        truth = known()

        forged = copy.deepcopy(mine)
        forged.stamps[0] = forged.header.stamp = t.tester.get_clock().now().to_msg()
        t.send("/embeddings", forged)
        t.until(lambda: t.counted("amiro1", "embeddings disowned") == 1)

        far = copy.deepcopy(mine)
        far.sender, far.position.x = "evil", 499.0
        t.send("/embeddings", far)
        t.until(lambda: len(node._memory.objects()) == 2)
        t.settle()
        assert known() == truth


def started(t: Team, name: str, weights):
    """An active node that has just been started, and has no odometry."""
    node = t.robot(name, weights, ["reflectance"])
    assert node.trigger_configure() == node.trigger_activate() == SUCCESS
    return node


def test_what_is_told_again_is_told_as_it_was_said(weights) -> None:
    with team() as t:
        author = t.active_robot("amiro1", weights, ["camera"])
        holder = t.active_robot("amiro2", weights, ["lidar"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: holder._memory.get(OBJECT) is not None)
        t.drop(author)
        t.embeddings.clear()
        started(t, "amiro3", weights)
        t.until(lambda: bool(t.embeddings))
        (said,) = holder._memory.statements()
        assert messages.embedding(t.embeddings[0]) == said
        assert said.sender == "amiro1"
