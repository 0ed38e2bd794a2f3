# SPDX-License-Identifier: Apache-2.0
"""Anti-entropy over topics: see `m2vae_ros.fusion.gossip`."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.gossip import PATIENCE, Digest, Gossip
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.msg import EmbeddingDigest
from m2vae_ros.ros import qos, topics
from m2vae_ros.ros.clocks import steady_clock
from m2vae_ros.ros.drop_log import DropLog

DIGESTS = "/embeddings/digests"

LOOK = 0.05
"""Seconds from one look at what is due to the next: short, so that one tells and the rest hear.
Nobody looks where nothing is due."""


class AntiEntropy:
    """What one node does to have the same embeddings as the others, from now until it is closed."""

    def __init__(
        self,
        node: Node,
        topic: str,
        memory: ObjectMemory,
        tell: Callable[[Embedding], None],
        drops: DropLog,
    ) -> None:
        """Begin.

        Args:
            node: that publishes and reads.
            topic: of digests.
            memory: what is known.
            tell: publishes an embedding again, as it was said.
            drops: where it is counted what was told again, and said what is no digest.
        """
        self._node = node
        self._topic = topic
        self._memory = memory
        self._tell = tell
        self._drops = drops
        self._gossip = Gossip(memory.instance, time.monotonic())
        self._publisher = topics.publisher(node, EmbeddingDigest, topic, qos.DIGESTS)
        self._subscription = topics.subscription(
            node, EmbeddingDigest, topic, self._on_digest, qos.DIGESTS, drops
        )
        self._timers = [
            node.create_timer(PATIENCE, self._publish, clock=steady_clock()),
            node.create_timer(LOOK, self._look, clock=steady_clock()),
        ]

    def close(self) -> None:
        """Tell nothing more."""
        for timer in self._timers:
            self._node.destroy_timer(timer)
        self._node.destroy_subscription(self._subscription)
        self._node.destroy_publisher(self._publisher)

    def heard(self, embedding: Embedding, now_ns: int) -> None:
        """After the memory has taken in or refused an embedding, at its time."""
        self._gossip.heard(embedding.digest)
        to_come = max(embedding.disowned, embedding.newest) > now_ns
        if embedding.digest not in self._memory and not to_come:
            self._gossip.refused(embedding.digest)

    def _look(self) -> None:
        now = time.monotonic()
        with self._drops.guard(self._topic):
            for embedding in self._gossip.due(self._memory.to_tell, now):
                self._drops.counts["embeddings told again"] += 1
                self._tell(embedding)
        if not self._gossip.waits:
            self._timers[-1].cancel()

    def _publish(self) -> None:
        now = time.monotonic()
        digest = self._gossip.digest(self._memory.statements, now)
        if digest is not None:
            self._publisher.publish(
                EmbeddingDigest(
                    instance=digest.instance,
                    total=digest.total,
                    first=digest.first,
                    last=digest.last,
                    listed=digest.listed,
                )
            )

    def _on_digest(self, message: EmbeddingDigest) -> None:
        theirs = Digest(
            message.instance, message.total, message.first, message.last, tuple(message.listed)
        )
        self._gossip.compare(theirs, self._memory.statements(), time.monotonic())
        if self._gossip.waits and self._timers[-1].is_canceled():
            self._timers[-1].reset()
