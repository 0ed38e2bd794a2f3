# SPDX-License-Identifier: Apache-2.0
"""Publishes embeddings so that whoever joins late gets the latest one of every object."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.msg import LatentEmbedding
from m2vae_ros.ros import topics
from m2vae_ros.ros.messages import embedding_message
from m2vae_ros.ros.qos import LATEST_OF_ONE_OBJECT, TOLD_AGAIN

EMBEDDINGS = "/embeddings"


class EmbeddingWriters:
    """One writer for each object, all on one topic.

    A single transient-local writer keeps its last N messages, which may all be of one object; a
    key for each object, which DDS has, is not in ROS messages of every supported distribution. A
    writer of its own, which keeps one message, does the same. It costs half a millisecond to make.
    What others said and is told again goes through one more writer, made when it is needed.
    """

    def __init__(self, node: Node, topic: str) -> None:
        self._node = node
        self._topic = topic
        self._writers: dict[str, Publisher[Any]] = {}
        self._teller: Publisher[Any] | None = None

    def open(self) -> None:
        """Before there is an embedding to publish.

        Raises:
            ParameterError: what parameters ask of the topic does not do.
        """
        self._node.destroy_publisher(self._new_writer(LATEST_OF_ONE_OBJECT))

    def publish(self, embedding: Embedding) -> None:
        """Publish it as the latest of its object."""
        for alias in embedding.aliases:
            self.withdraw(alias)
        if embedding.object_id not in self._writers:
            self._writers[embedding.object_id] = self._new_writer(LATEST_OF_ONE_OBJECT)
        self._writers[embedding.object_id].publish(embedding_message(embedding))

    def tell_again(self, embedding: Embedding) -> None:
        """Publish what somebody said, as it was said."""
        if self._teller is None:
            self._teller = self._new_writer(TOLD_AGAIN)
        self._teller.publish(embedding_message(embedding))

    def withdraw(self, object_id: str) -> None:
        """Who joins from now on does not get this object from here."""
        writer = self._writers.pop(object_id, None)
        if writer is not None:
            self._node.destroy_publisher(writer)

    def keep(self, object_ids: Container[str]) -> None:
        """Withdraw all others."""
        for object_id in [name for name in self._writers if name not in object_ids]:
            self.withdraw(object_id)

    def close(self) -> None:
        """Withdraw all."""
        self.keep(())
        if self._teller is not None:
            self._node.destroy_publisher(self._teller)
            self._teller = None

    def _new_writer(self, profile: QoSProfile) -> Publisher[Any]:
        return topics.publisher(self._node, LatentEmbedding, self._topic, profile)
