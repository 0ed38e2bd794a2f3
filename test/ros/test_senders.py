# SPDX-License-Identifier: Apache-2.0
"""Who speaks in a name that no node has, or that two have, is told; nobody else is."""

from __future__ import annotations

import copy
import os
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from m2vae_ros.msg import LatentEmbedding
from rclpy.node import Node
from ros_team import OBJECT, image, team
from untrained import untrained_weights

from m2vae_ros.bringup.processes import WITH_FAST_DDS_2
from m2vae_ros.nodes.fusion_node import EMBEDDINGS
from m2vae_ros.ros import qos
from m2vae_ros.ros.senders import GRACE, MOST_TOLD, Senders, Writer, writers_on
from m2vae_ros.sensors.messages import NANOSECONDS

SECOND = NANOSECONDS
WITHOUT, SEVERAL = "senders without a node", "robots with several nodes"


def writer(robot: str, participant: bytes = b"one") -> Writer:
    return Writer(robot, participant)


@given(
    last=st.integers(0, 60),
    sensed=st.integers(0, 90),
    tolerance=st.integers(0, 5),
)
def test_who_has_gone_is_told_of_only_if_more_was_sensed_since(last, sensed, tolerance) -> None:
    senders, told = Senders(), {}
    for second in range(100):
        there = [writer("other")]
        if second <= last:
            there.append(writer("gone"))
        newest = {"other": second * SECOND}
        if second >= sensed:
            newest["gone"] = sensed * SECOND
        told = senders.look(newest, there, second * SECOND, tolerance * SECOND)
    assert (WITHOUT in told) == (sensed > last + tolerance + GRACE // SECOND)


def test_what_a_late_joiner_hears_of_those_who_have_gone_is_not_told() -> None:
    senders = Senders()
    for second in range(100, 110):
        assert senders.look({"gone": 99 * SECOND}, [], second * SECOND, SECOND) == {}


def test_who_appears_a_moment_after_what_it_says_is_not_told() -> None:
    senders = Senders()
    senders.look({}, [], 0, 0)
    assert senders.look({"new": 10 * SECOND}, [], 10 * SECOND, 0) == {}
    assert senders.look({"new": 10 * SECOND}, [writer("new")], 11 * SECOND, 0) == {}


def test_when_time_begins_anew_nobody_is_of_the_future() -> None:
    senders = Senders()
    for second in (100, 101, 0, 1, 2):
        told = senders.look({"gone": 2 * SECOND}, [], second * SECOND, 0)
        assert told == {}


def test_a_name_of_two_participants_is_told_and_one_of_many_writers_is_not() -> None:
    there = [writer("a"), writer("a"), writer("b"), writer("b", b"two")]
    assert Senders().look({}, there, 0, 0) == {SEVERAL: "b"}
    without_dds = [Writer("a", None), Writer("a", None)]
    assert Senders().look({}, without_dds, 0, 0) == {}


def test_many_names_are_cut_short() -> None:
    senders, newest = Senders(), {f"{n:03}": 100 * SECOND for n in range(MOST_TOLD + 5)}
    senders.look({}, [], 0, 0)
    senders.look(newest, [], 100 * SECOND, 0)
    assert senders.look(newest, [], 101 * SECOND, 0)[WITHOUT].endswith("009 and 5 more")


@pytest.mark.ros
def test_rclpy_of_jazzy_names_no_writer_to_a_callback_and_that_of_kilted_does() -> None:
    """What docs/security.md says; if it fails, that is to be thought over."""
    with team() as t:
        infos: list[dict] = []

        def hear(message: LatentEmbedding, info: dict) -> None:
            infos.append(info)

        t.tester.create_subscription(LatentEmbedding, "heard", hear, 1)
        t.send("heard", LatentEmbedding())
        t.until(lambda: len(infos) == 1)
        assert infos[0]["source_timestamp"]
        names_writers = os.environ["ROS_DISTRO"] not in WITH_FAST_DDS_2
        assert ("publisher_gid" in infos[0]) == names_writers


@pytest.mark.ros
def test_of_one_process_all_writers_are_one_participant_and_of_two_they_are_two() -> None:
    with team() as one, team() as two:
        for t in (one, one, two):
            node = t.add(partial(Node, "fusion"), namespace="/robot")
            node.create_publisher(LatentEmbedding, EMBEDDINGS, qos.LATEST_OF_ONE_OBJECT)
        one.until(lambda: len(writers_on(one.tester, EMBEDDINGS)) == 3)
        one.until(lambda: {w.robot for w in writers_on(one.tester, EMBEDDINGS)} == {"robot"})
        assert len(set(writers_on(one.tester, EMBEDDINGS))) == 2


@pytest.mark.ros
def test_a_forgery_in_the_name_of_who_is_not_there_is_told_on_diagnostics(tmp_path) -> None:
    with team() as t:
        node = t.active_robot("amiro1", untrained_weights(tmp_path), ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: node._memory.get(OBJECT) is not None and t.embeddings)
        t.until(lambda: t.diagnostics["amiro1/fusion"].get("objects held") == "1")
        assert WITHOUT not in t.diagnostics["amiro1/fusion"]
        t.settle(GRACE / NANOSECONDS + 1.5)  # beyond the tolerance of stamps
        forged = copy.deepcopy(t.embeddings[0])
        forged.sender = "amiro9"
        forged.stamps[0] = forged.header.stamp = t.tester.get_clock().now().to_msg()
        t.send(EMBEDDINGS, forged)
        t.until(lambda: t.diagnostics["amiro1/fusion"].get(WITHOUT) == "amiro9")
