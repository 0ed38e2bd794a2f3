# SPDX-License-Identifier: Apache-2.0
"""Leads a lifecycle node to its active state."""

from __future__ import annotations

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node
from rclpy.task import Future

from m2vae_ros.bringup import NodeSpec

STEPS = (
    ("be configured", Transition.TRANSITION_CONFIGURE),
    ("be activated", Transition.TRANSITION_ACTIVATE),
)


class Activation:
    """One node on its way; `step` it while the executor spins.

    Attributes:
        spec: the node.
        refused: what it could not do, empty unless it refused.
    """

    def __init__(self, node: Node, spec: NodeSpec) -> None:
        self.spec = spec
        self.refused = ""
        self._client = node.create_client(ChangeState, f"{spec.full_name}/change_state")
        self._steps = list(STEPS)
        self._answer: Future | None = None

    def step(self) -> bool:
        """Go on if the node has answered; returns whether it is active."""
        if self._answer is not None and self._answer.done():
            what, _ = self._steps.pop(0)
            if not self._answer.result().success:
                self.refused = what
                return False
            self._answer = None
        if not self._steps:
            return True
        if self._answer is None and self._client.service_is_ready():
            request = ChangeState.Request()
            request.transition.id = self._steps[0][1]
            self._answer = self._client.call_async(request)
        return False
