# SPDX-License-Identifier: Apache-2.0
"""Listens to what a team publishes, and keeps the score."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from m2vae_ros.apps.scoreboard import Record, Scoreboard, Verdict
from m2vae_ros.fusion.attributes import Marginal
from m2vae_ros.msg import LatentEmbedding, ObjectClassification
from m2vae_ros.ros import qos
from m2vae_ros.ros.messages import nanoseconds
from m2vae_ros.ros.serialised import message as deserialised


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
        # Raw, because it is asked how large they are, too.
        node.create_subscription(
            LatentEmbedding, "/embeddings", self._on_embedding, qos.EMBEDDINGS, raw=True
        )
        for robot in scoreboard.team:
            node.create_subscription(
                ObjectClassification,
                f"/{robot}/classification",
                self._on_classification,
                qos.EVERY_ONE,
            )

    def _on_embedding(self, message: bytes) -> None:
        self.embeddings += 1
        self.embedding_bytes += len(message)
        heard = deserialised(message, LatentEmbedding)
        self._scoreboard.embedded(heard.position.x, heard.position.y, heard.modalities)

    def _on_classification(self, message: ObjectClassification) -> None:
        best = max(range(len(message.classes)), key=message.probabilities.__getitem__)
        verdict = Verdict(
            frozenset(message.modalities),
            message.classes[best],
            message.probabilities[best],
            tuple(
                Marginal(told.name, tuple(told.values), tuple(told.probabilities))
                for told in message.attributes
            ),
            message.verdict == ObjectClassification.UNKNOWN,
        )
        place = message.position
        looked = nanoseconds(message.header.stamp) * 1e-9 if message.sensed else None
        record = self._scoreboard.classified(message.sender, place.x, place.y, verdict, looked)
        if record is not None:
            self._note(message.sender, record)
