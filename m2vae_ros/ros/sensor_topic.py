# SPDX-License-Identifier: Apache-2.0
"""A sensor's topic, from which as little as possible is read: most readings are of no use."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache, partial
from typing import Any

import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.subscription import Subscription

from m2vae_ros.ros import serialised
from m2vae_ros.ros.message_types import message_class
from m2vae_ros.sensors import Modality
from m2vae_ros.sensors.messages import nanoseconds

MOST_TAKEN = 100
"""Messages that are taken together, where the middleware does not keep more."""


class SensorTopic:
    """Reads the messages of one topic, of which several modalities may take something.

    Attributes:
        kind: the class of the messages.
        every: whether every message counts, not just the newest: one alone may make no reading.
    """

    def __init__(self, modalities: Collection[Modality]) -> None:
        first = next(iter(modalities))
        self.kind = message_class(first.type)
        self.every = any(modality.view.span for modality in modalities)
        self._views = {modality.name: modality.view for modality in modalities}
        self._streams = {name: view.stream() for name, view in self._views.items() if view.span}
        self._begins_with_header = serialised.has_header(self.kind)
        self._has_header = "header" in self.kind.get_fields_and_field_types()

    def header(self, data: bytes, now: int) -> tuple[int, str | None]:
        """When (nanoseconds) and in which frame it was read: now and in none, if it does not say.

        Raises:
            ObservationError: the bytes are no message.
        """
        serialised.check(data)
        if self._begins_with_header:
            return serialised.header(data)
        if self._has_header:  # behind what has to be read first
            header = self.message(data)().header
            return nanoseconds(header.stamp), header.frame_id
        return now, None

    def message(self, data: bytes) -> Callable[[], Any]:
        """What gives the message; it is made when that is called first."""
        return cache(partial(serialised.message, data, self.kind))

    def observation(
        self, modality: str, message: Callable[[], Any], stamp: int
    ) -> np.ndarray | Callable[[], np.ndarray] | None:
        """What a modality takes of a message, or what gives that; None if it makes no reading.

        Raises:
            ObservationError: the message was read, and does not fit.
        """
        if stream := self._streams.get(modality):
            return stream(message(), stamp)
        view = self._views[modality]
        return lambda: view.read(message())


class OnDemand(MutuallyExclusiveCallbackGroup):
    """Subscriptions whose messages are left where they are until they are wanted.

    The middleware then keeps the newest, as the quality of service says, and no thread wakes up.
    """

    def __init__(self, wanted: Callable[[], bool]) -> None:
        super().__init__()
        self._wanted = wanted

    def can_execute(self, entity: Any) -> bool:
        """See `CallbackGroup`; executors ask whenever they begin to wait."""
        return self._wanted() and super().can_execute(entity)


def take_kept(subscription: Subscription[Any]) -> None:
    """Run a subscription's callback on what the middleware has kept of it, the oldest first.

    That costs a fraction of an executor's rounds, of which each takes a single message.
    """
    most = max(subscription.qos_profile.depth, MOST_TAKEN)
    for _ in range(most):  # more may come meanwhile
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        if taken is None:
            return
        subscription.callback(taken[0])
