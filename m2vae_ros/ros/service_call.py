# SPDX-License-Identifier: Apache-2.0
"""A service call that is repeated until somebody answers."""

from __future__ import annotations

import time
from typing import Any

from rclpy.client import Client
from rclpy.task import Future

ASK_AGAIN_AFTER = 3.0
"""Seconds. A service that is just being discovered can lose a request; configuring takes longer
than this, but a node that is at it does not say that it is still unconfigured."""


class ServiceCall:
    """A service call that is repeated when it is overdue."""

    def __init__(self, client: Client[Any, Any]) -> None:
        self._client = client
        self._future: Future[Any] | None = None
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

    def answer(self) -> Any:
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
