# SPDX-License-Identifier: Apache-2.0
"""Qualities of service on their way into bags and out of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)

DEEP = 1000
"""Messages that wait for a recorder which is busy, or for a reader that joins a player late."""

_NANOSECONDS = 1_000_000_000


def hears_all(offered: Sequence[QoSProfile]) -> QoSProfile:
    """The most demanding profile for a subscription that all these publishers satisfy."""
    reliable = all(p.reliability == ReliabilityPolicy.RELIABLE for p in offered)
    lasting = all(p.durability == DurabilityPolicy.TRANSIENT_LOCAL for p in offered)
    return QoSProfile(
        depth=DEEP,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=(DurabilityPolicy.TRANSIENT_LOCAL if lasting else DurabilityPolicy.VOLATILE),
    )


def hears(subscription: QoSProfile, offered: QoSProfile) -> bool:
    """Whether a subscription made by `hears_all` is satisfied by this publisher, too."""
    return bool(
        (
            subscription.reliability != ReliabilityPolicy.RELIABLE
            or offered.reliability == ReliabilityPolicy.RELIABLE
        )
        and (
            subscription.durability != DurabilityPolicy.TRANSIENT_LOCAL
            or offered.durability == DurabilityPolicy.TRANSIENT_LOCAL
        )
    )


def to_bag(offered: Iterable[QoSProfile]) -> tuple[Qos, ...]:
    """What publishers offer, each profile once, as a bag tells it."""
    profiles = (
        Qos(
            QosHistory(int(p.history)),
            p.depth,
            QosReliability(int(p.reliability)),
            QosDurability(int(p.durability)),
            _time(p.deadline),
            _time(p.lifespan),
            QosLiveliness(int(p.liveliness)),
            _time(p.liveliness_lease_duration),
            p.avoid_ros_namespace_conventions,
        )
        for p in offered
    )
    return tuple(dict.fromkeys(profiles))


def from_bag(recorded: Sequence[Qos]) -> QoSProfile:
    """The profile of one publisher that offers at least what every recorded one did.

    DDS does not tell how deep a publisher's history is, so it mostly is unknown: then it is deep
    enough for a reader that is busy or, where messages outlast their publication, joins late.
    """
    reliable = [q.reliability == QosReliability.RELIABLE for q in recorded]
    lasting = [q.durability == QosDurability.TRANSIENT_LOCAL for q in recorded]
    known = [q.depth for q in recorded if q.history == QosHistory.KEEP_LAST and q.depth > 0]
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=max(known) if known and len(known) == len(recorded) else DEEP,
        reliability=(
            ReliabilityPolicy.RELIABLE
            if any(reliable) or not recorded
            else ReliabilityPolicy.BEST_EFFORT
        ),
        durability=(
            DurabilityPolicy.TRANSIENT_LOCAL if any(lasting) else DurabilityPolicy.VOLATILE
        ),
    )


def _time(duration: Duration) -> QosTime:
    return QosTime(*divmod(duration.nanoseconds, _NANOSECONDS))
