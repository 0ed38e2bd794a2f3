# SPDX-License-Identifier: Apache-2.0
"""Publishers and subscriptions whose quality of service can be set from outside.

As of any node of ROS 2: a parameter `qos_overrides.TOPIC.publisher.POLICY`, or `.subscription.`,
read when the topic is joined, and only then; TOPIC is the whole name, after remapping.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any, TypeVar

from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import CallbackGroup
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleNode
from rclpy.lifecycle.publisher import LifecyclePublisher
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

from m2vae_ros.ros import serialised
from m2vae_ros.ros.drop_log import DropLog
from m2vae_ros.ros.parameters import ParameterError

T = TypeVar("T")

POLICIES = (
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
)
"""Those that can be set. No node acts on deadlines, lifespans or liveliness."""

_NO_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
"""Each would be waited for at every wake-up, 40 % of its cost; who subscribes in vain is told."""


def publisher(node: Node, kind: type, topic: str, profile: QoSProfile) -> Publisher[Any]:
    """Publish on a topic.

    Raises:
        ParameterError: the parameters ask for a quality of service that cannot be.
    """
    create = partial(node.create_publisher, event_callbacks=_NO_EVENTS)
    return _made(create, node, topic, profile, kind, topic)


def lifecycle_publisher(
    node: LifecycleNode, kind: type, topic: str, profile: QoSProfile
) -> LifecyclePublisher[Any]:
    """Publish on a topic while the node is active.

    Raises:
        ParameterError: the parameters ask for a quality of service that cannot be.
    """
    create = partial(node.create_lifecycle_publisher, event_callbacks=_NO_EVENTS)
    return _made(create, node, topic, profile, kind, topic)


def subscription(
    node: Node,
    kind: type,
    topic: str,
    callback: Callable[[Any], None],
    profile: QoSProfile,
    drops: DropLog,
    group: CallbackGroup | None = None,
) -> Subscription[Any]:
    """Read a topic; what is no message of it, or goes wrong with one, is counted and said.

    Raises:
        ParameterError: the parameters ask for a quality of service that cannot be.
    """

    def receive(data: bytes) -> None:
        callback(serialised.message(data, kind))

    return serialised_subscription(node, kind, topic, receive, profile, drops, group)


def serialised_subscription(
    node: Node,
    kind: type,
    topic: str,
    callback: Callable[[bytes], None],
    profile: QoSProfile,
    drops: DropLog,
    group: CallbackGroup | None = None,
) -> Subscription[Any]:
    """`subscription`, but messages come as they travelled, see `serialised`."""
    create = partial(
        node.create_subscription,
        raw=True,
        callback_group=group,
        # rclpy's own would be waited for each time, and `Listening` says more
        event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
    )
    return _made(create, node, topic, profile, kind, topic, drops.guarded(topic, callback))


def _made(create: Callable[..., T], node: Node, topic: str, profile: QoSProfile, *what: Any) -> T:
    def checked(asked: QoSProfile) -> SetParametersResult:
        reason = _reason_against(asked, profile)
        return SetParametersResult(successful=not reason, reason=reason)

    options = QoSOverridingOptions(POLICIES, callback=checked)
    try:  # of a copy, into which rclpy writes what it finds
        return create(*what, qos_profile=copy(profile), qos_overriding_options=options)
    except (InvalidQosOverridesError, ParameterException, RuntimeError) as error:
        name = node.resolve_topic_name(topic)
        raise ParameterError(f"parameter qos_overrides.{name}: {error}") from error


def _reason_against(asked: QoSProfile, profile: QoSProfile) -> str:
    """Why a quality of service cannot take the place of the usual one; empty if it can."""
    if asked.history == HistoryPolicy.KEEP_LAST and asked.depth < 1:
        return f"depth: {asked.depth} is below 1"
    if profile.durability == DurabilityPolicy.TRANSIENT_LOCAL and (
        asked.durability != DurabilityPolicy.TRANSIENT_LOCAL
        or asked.reliability != ReliabilityPolicy.RELIABLE
    ):
        return (
            "durability, reliability: must be transient_local and reliable; what is told once has "
            "to arrive, also at those who join later"
        )
    return ""
