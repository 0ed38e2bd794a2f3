# SPDX-License-Identifier: Apache-2.0
"""A team that finds together through Fast DDS's discovery server, as a program.

A process that was once a server's client hears no multicast ever after, and would be deaf to what
later tests start.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from conftest import dds_segments
from m2vae_ros.msg import ObjectClassification
from ros_team import READINGS, Team, settings_of, team
from running import bring_up, until
from untrained import untrained_weights

from m2vae_ros.bringup.processes import Processes
from m2vae_ros.bringup.specs import FUSION_CONFIG, NodeSpec
from m2vae_ros.host.children import free_port
from m2vae_ros.ros import qos
from tools.discovery_server import VARIABLE, discovery_server

ROBOTS = {"a": "camera", "b": "lidar", "c": "reflectance"}

WELL_KNOWN = 5.0
"""Seconds in which nodes that announce themselves by multicast have long found each other."""


def share_objects(scratch: Path) -> None:
    """A team is deaf until its server is there, and then shares its objects."""
    port = free_port()
    os.environ[VARIABLE] = f"127.0.0.1:{port}"
    weights = untrained_weights(scratch)
    specs = [_robot(name, modality, weights) for name, modality in ROBOTS.items()]
    with Processes(specs) as processes, team() as t:
        until(lambda: all(dds_segments(pid) for pid in processes.pids().values()))
        t.settle(WELL_KNOWN)
        assert t.tester.get_node_names() == ["tester"]
        with discovery_server(port):
            bring_up(processes, t.tester, t.executor)
            _sense_until_all_know(t)
    assert not processes.unclean, processes.unclean


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


if __name__ == "__main__":
    share_objects(Path(sys.argv[1]))
