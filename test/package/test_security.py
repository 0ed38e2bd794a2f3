# SPDX-License-Identifier: Apache-2.0
"""The policies of SROS 2 allow what the nodes do, and nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from rclpy.node import Node, NodeNameNonExistentError
from running import asking, bring_up, until

from m2vae_ros.bringup.processes import Processes
from m2vae_ros.bringup.specs import NodeSpec, simulated_team
from m2vae_ros.host.resources import resource

TEAM = {"amiro1": ("camera", "lidar", "reflectance")}
Graph = dict[str, dict[str, set[str]]]


def allowed() -> Graph:
    """Node -> what it may do -> the whole names of topics or services."""
    found: Graph = {}
    for profile in ET.parse(resource("config/sros2/amiro1.policy.xml")).iter("profile"):
        namespace = profile.attrib["ns"].rstrip("/")
        node = f"{namespace}/{profile.attrib['node']}"
        may = found[node] = {}
        for group in profile:
            ((what, rule),) = group.attrib.items()
            assert rule == "ALLOW"
            names = [item.text.replace("~", node) for item in group]
            may[what] = {n if n.startswith("/") else f"{namespace}/{n}" for n in names}
            assert len(may[what]) == len(names), f"{node}: a name twice"
    return found


def used(node: Node, name: str, namespace: str) -> dict[str, set[str]]:
    """What a node does, as the whole system sees it."""
    asked = {
        "publish": node.get_publisher_names_and_types_by_node,
        "subscribe": node.get_subscriber_names_and_types_by_node,
        "reply": node.get_service_names_and_types_by_node,
        "request": node.get_client_names_and_types_by_node,
    }
    try:
        found = {what: {topic for topic, _ in ask(name, namespace)} for what, ask in asked.items()}
    except NodeNameNonExistentError:  # not heard of yet
        return {}
    return {what: names for what, names in found.items() if names}


def does(node: Node, spec: NodeSpec) -> dict[str, set[str]]:
    """What a node does or may have to do: a planner has a writer once it has something to tell."""
    found = used(node, spec.name, spec.namespace)
    if found and spec.name == "planner":
        found.setdefault("publish", set()).add("/embeddings")
    return found


@pytest.mark.ros
@pytest.mark.slow
def test_each_node_may_do_what_it_does_and_nothing_else() -> None:
    specs = simulated_team(TEAM, planned=True)
    expected = allowed()
    assert set(expected) == {spec.full_name for spec in specs}
    with asking() as (node, executor), Processes(specs) as processes:
        bring_up(processes, node, executor)
        for spec in specs:
            until(lambda s=spec: does(node, s) == expected[s.full_name], executor)
