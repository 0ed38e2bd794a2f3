# SPDX-License-Identifier: Apache-2.0
"""Leads lifecycle nodes to their active state."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import Executor
from rclpy.node import Node

from m2vae_ros.bringup.processes import BringupError, Processes
from m2vae_ros.bringup.specs import NodeSpec
from m2vae_ros.ros.service_call import ServiceCall

STEPS = {
    State.PRIMARY_STATE_UNCONFIGURED: ("be configured", Transition.TRANSITION_CONFIGURE),
    State.PRIMARY_STATE_INACTIVE: ("be activated", Transition.TRANSITION_ACTIVATE),
}


class Activation:
    """One node on its way; `step` it while the executor spins.

    Ask for the state, request the transition from there, and so on. What is not answered is asked
    again.

    Attributes:
        spec: the node.
        refused: what it could not do, empty unless it refused.
    """

    def __init__(self, node: Node, spec: NodeSpec) -> None:
        self.spec = spec
        self.refused = ""
        self._state = ServiceCall(node.create_client(GetState, f"{spec.full_name}/get_state"))
        self._change = ServiceCall(
            node.create_client(ChangeState, f"{spec.full_name}/change_state")
        )
        self._from: int | None = None
        self._failed = False

    def step(self) -> bool:
        """Go on if the node has answered; returns whether it is active."""
        if changed := self._change.answer():
            self._failed = not changed.success
            self._state.forget()
            self._state.ask(GetState.Request())
        found = self._state.answer()
        if found is None:
            # While a transition is on its way its answer will come first, unless it was lost.
            if not self._change.waiting or self._change.overdue:
                self._state.ask(GetState.Request())
            return False
        state = found.current_state.id
        if self._failed and state == self._from:
            self.refused, _ = STEPS[state]
            return False
        if state in STEPS:
            request = ChangeState.Request()
            _, request.transition.id = STEPS[state]
            self._from = state
            self._change.forget()
            self._change.ask(request)
        return bool(state == State.PRIMARY_STATE_ACTIVE)


def activate(
    processes: Processes,
    node: Node,
    executor: Executor,
    deadline: float,
    note: Callable[[str], Any] = lambda name: None,
) -> None:
    """Configure and activate every lifecycle node, all at the same time.

    Args:
        processes: the running nodes.
        node: who asks them to.
        executor: of that node, and of whatever else goes on meanwhile.
        deadline: of `time.monotonic`, for all.
        note: called with the full name of each node that became active.

    Raises:
        BringupError: a node refused, died, or was not there in time.
    """
    waiting = [Activation(node, spec) for spec in processes.nodes if spec.lifecycle]
    while waiting:
        executor.spin_once(timeout_sec=0.05)
        processes.check()
        for activation in list(waiting):
            spec = activation.spec
            if activation.step():
                waiting.remove(activation)
                note(spec.full_name)
            elif activation.refused:
                words = processes.last_words(spec)
                raise BringupError(f"{spec.full_name} could not {activation.refused}{words}")
        if waiting and time.monotonic() > deadline:
            spec = waiting[0].spec
            words = processes.last_words(spec)
            raise BringupError(f"{spec.full_name} did not become active in time{words}")
