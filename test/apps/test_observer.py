# SPDX-License-Identifier: Apache-2.0
"""What a demo hears keeps the score, and whatever else comes on its topics does not end it."""

from __future__ import annotations

import pytest
from m2vae_ros.msg import LatentEmbedding, ObjectClassification
from ros_team import team

from m2vae_ros.apps.observer import Observer
from m2vae_ros.apps.scoreboard import Scoreboard
from m2vae_ros.ros import qos
from m2vae_ros.world.objects import WorldObject

RED = WorldObject("red_box_mat", "red box mat", 1.0, 0.0)


@pytest.mark.ros
def test_what_is_no_message_or_names_no_class_is_passed_over() -> None:
    board = Scoreboard([RED], {"one": ("camera",)})
    embedding = LatentEmbedding(modalities=["camera", "sonar"])
    said = ObjectClassification(
        sender="one", modalities=["camera"], classes=[RED.class_name], probabilities=[0.9]
    )
    embedding.position.x = said.position.x = RED.x
    with team() as t:
        observer = Observer(t.tester, board, lambda robot, record: None)
        told = t.tester.create_publisher(LatentEmbedding, "/embeddings", qos.EMBEDDINGS)
        topic = "/one/classification"
        verdicts = t.tester.create_publisher(ObjectClassification, topic, qos.EVERY_ONE)
        t.until(lambda: told.get_subscription_count() > 1 and verdicts.get_subscription_count())
        told.publish(bytes([0, 1, 0, 3]))  # more padding than bytes
        told.publish(bytes([0, 1, 0, 0]) + bytes([255]) * 40)
        told.publish(embedding)
        verdicts.publish(ObjectClassification(sender="one"))
        verdicts.publish(said)
        t.until(lambda: board.complete)
        t.settle()
    assert observer.embeddings == 1
    assert board.records[0].published == {"camera"}
