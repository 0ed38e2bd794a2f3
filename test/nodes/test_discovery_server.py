# SPDX-License-Identifier: Apache-2.0
"""A team that finds together through Fast DDS's discovery server (docs/fleets.md)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from conftest import dds_segments
from m2vae_ros.msg import ObjectClassification
from ros_team import READINGS, Team, settings_of, team
from running import bring_up, until
from untrained import untrained_weights

from m2vae_ros.bringup.processes import Processes
from m2vae_ros.bringup.specs import FUSION_CONFIG, NodeSpec
from m2vae_ros.host.children import free_port
from m2vae_ros.ros import qos
from tools.discovery_server import discovery_server

pytestmark = [pytest.mark.ros, pytest.mark.slow]

ROBOTS = {"a": "camera", "b": "lidar", "c": "reflectance"}

WELL_KNOWN = 5.0
"""Seconds in which nodes that announce themselves by multicast have long found each other."""


def test_a_team_shares_its_objects_once_its_discovery_server_is_there(
    tmp_path, monkeypatch
) -> None:
    port = free_port()
    monkeypatch.setenv("ROS_DISCOVERY_SERVER", f"127.0.0.1:{port}")
    weights = untrained_weights(tmp_path)
    specs = [_robot(name, modality, weights) for name, modality in ROBOTS.items()]
    with Processes(specs) as processes, team() as t:
        until(lambda: all(dds_segments(pid) for pid in processes.pids().values()))
        t.settle(WELL_KNOWN)
        assert t.tester.get_node_names() == ["tester"]
        with discovery_server(port):
            bring_up(processes, t.tester, t.executor)
            _sense_until_all_know(t)
    assert not processes.unclean


def _robot(name: str, modality: str, weights: Path) -> NodeSpec:
    return NodeSpec(
        executable="fusion_node",
        name="fusion",
        namespace=f"/{name}",
        config=FUSION_CONFIG,
        parameters=settings_of(weights, [modality]),
        lifecycle=True,
    )


def _sense_until_all_know(t: Team) -> None:
    """Each robot has one sensor, and ends with a class that was read from all three."""
    knowing: set[str] = set()

    def heard(message: ObjectClassification) -> None:
        if set(message.modalities) == set(ROBOTS.values()):
            knowing.add(message.sender)

    for name in ROBOTS:
        t.listen(ObjectClassification, f"/{name}/classification", heard, qos.EVERY_ONE)
        t.place(name, 0.0)
    deadline = time.monotonic() + 60
    while knowing != set(ROBOTS):
        assert time.monotonic() < deadline, f"only {sorted(knowing)} know the object"
        for name, modality in ROBOTS.items():
            t.sense(name, READINGS[modality](), modality)
        t.settle()
