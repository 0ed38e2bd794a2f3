# SPDX-License-Identifier: Apache-2.0
"""Listens to what a team publishes, and keeps the score."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from m2vae_ros.apps.scoreboard import Record, Scoreboard, Verdict
from m2vae_ros.fusion.attributes import Marginal
from m2vae_ros.msg import LatentEmbedding, ObjectClassification
from m2vae_ros.ros import qos, topics
from m2vae_ros.ros.drop_log import DropLog
from m2vae_ros.ros.messages import nanoseconds
from m2vae_ros.ros.serialised import message


class Observer:
    """Feeds a scoreboard from /embeddings and the team's classifications.

    Attributes:
        embeddings: how many were published.
        embedding_bytes: their size as sent.
    """

    def __init__(
        self, node: Node, scoreboard: Scoreboard, note: Callable[[str, Record], None]
    ) -> None:
        """Subscribe.

        Args:
            node: with whom.
            scoreboard: to feed.
            note: called with the robot and the object of each classification.
        """
        self.embeddings = 0
        self.embedding_bytes = 0
        self._scoreboard = scoreboard
        self._note = note
        drops = DropLog(node.get_logger())
        # As they travelled, because it is asked how large they are, too.
        topics.serialised_subscription(
            node, LatentEmbedding, "/embeddings", self._on_embedding, qos.EMBEDDINGS, drops
        )
        for robot in scoreboard.team:
            topic = f"/{robot}/classification"
            take, profile = self._on_classification, qos.EVERY_ONE
            topics.subscription(node, ObjectClassification, topic, take, profile, drops)

    def _on_embedding(self, data: bytes) -> None:
        heard = message(data, LatentEmbedding)
        self.embeddings += 1
        self.embedding_bytes += len(data)
        self._scoreboard.embedded(heard.position.x, heard.position.y, heard.modalities)

    def _on_classification(self, heard: ObjectClassification) -> None:
        best = max(range(len(heard.classes)), key=heard.probabilities.__getitem__)
        verdict = Verdict(
            frozenset(heard.modalities),
            heard.classes[best],
            heard.probabilities[best],
            tuple(
                Marginal(told.name, tuple(told.values), tuple(told.probabilities))
                for told in heard.attributes
            ),
            heard.verdict == ObjectClassification.UNKNOWN,
        )
        place = heard.position
        looked = nanoseconds(heard.header.stamp) * 1e-9 if heard.sensed else None
        record = self._scoreboard.classified(heard.sender, place.x, place.y, verdict, looked)
        if record is not None:
            self._note(heard.sender, record)
