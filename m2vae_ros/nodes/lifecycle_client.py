# SPDX-License-Identifier: Apache-2.0
"""Leads a lifecycle node to its active state."""

from __future__ import annotations

import time

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from m2vae_ros.bringup import NodeSpec

ASK_AGAIN_AFTER = 3.0
"""Seconds. A service that is just being discovered can lose a request; configuring takes longer
than this, but a node that is at it does not say that it is still unconfigured."""

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
        self._state = Question(node.create_client(GetState, f"{spec.full_name}/get_state"))
        self._change = Question(node.create_client(ChangeState, f"{spec.full_name}/change_state"))
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
        return state == State.PRIMARY_STATE_ACTIVE


class Question:
    """A service call that is repeated when it is overdue."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._future: Future | None = None
        self._asked_at = 0.0

    @property
    def waiting(self) -> bool:
        """Whether an answer is still to come."""
        return self._future is not None

    @property
    def overdue(self) -> bool:
        """Whether it should have come by now."""
        return self.waiting and time.monotonic() - self._asked_at > ASK_AGAIN_AFTER

    def ask(self, request: object) -> None:
        """Ask, unless an answer is still expected, or nobody is there to be asked."""
        if self.waiting and not self.overdue or not self._client.service_is_ready():
            return
        self.forget()
        self._future = self._client.call_async(request)
        self._asked_at = time.monotonic()

    def answer(self):
        """The answer, once; None until there is one."""
        if self._future is None or not self._future.done():
            return None
        answer, self._future = self._future.result(), None
        return answer

    def forget(self) -> None:
        """Do not wait any longer."""
        if self._future is not None:
            self._client.remove_pending_request(self._future)
            self._future = None
