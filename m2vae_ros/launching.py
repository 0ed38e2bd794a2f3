# SPDX-License-Identifier: Apache-2.0
"""The described system as launch actions; for the files in launch/."""

from __future__ import annotations

import os
from collections.abc import Iterable

from launch import Action
from launch.actions import SetEnvironmentVariable
from launch_ros.actions import LifecycleNode, LifecycleTransition, Node
from lifecycle_msgs.msg import Transition

from m2vae_ros.bringup import PACKAGE, NodeSpec
from m2vae_ros.processes import environment
from m2vae_ros.resources import resource


def actions(nodes: Iterable[NodeSpec]) -> list[Action]:
    """Start the nodes, then configure and activate those with a lifecycle."""
    nodes = list(nodes)
    managed = [node.full_name for node in nodes if node.lifecycle]
    steps = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
    transitions = [LifecycleTransition(lifecycle_node_names=managed, transition_ids=steps)]
    return [*map(_start, nodes), *(transitions if managed else [])]


def one_machine() -> list[Action]:
    """Set Fast DDS up for images between processes of one machine, unless the user did."""
    settings = environment().items()
    return [SetEnvironmentVariable(n, v) for n, v in settings if os.environ.get(n) != v]


def _start(node: NodeSpec) -> Action:
    kind = LifecycleNode if node.lifecycle else Node
    return kind(
        package=PACKAGE,
        executable=node.executable,
        name=node.name,
        namespace=node.namespace,
        parameters=[str(resource(node.config)), dict(node.parameters)],
        remappings=list(node.remappings),
        output="screen",
    )
