# SPDX-License-Identifier: Apache-2.0
"""The fusion node, as a process that tells to the byte what it holds: `python telling_node.py`."""

from __future__ import annotations

import sys

from m2vae_ros.msg import LatentEmbedding
from rclpy.serialization import deserialize_message, serialize_message
from std_srvs.srv import Trigger

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.nodes.fusion_node import FusionNode
from m2vae_ros.ros.messages import embedding, embedding_message
from m2vae_ros.ros.process import run


class TellingNode(FusionNode):
    """The fusion node with one service more."""

    def __init__(self) -> None:
        super().__init__()
        self.create_service(Trigger, "~/held", self._tell)

    def _tell(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        assert self._memory is not None
        held = (serialize_message(embedding_message(e)) for e in self._memory.objects())
        response.success, response.message = True, "\n".join(bytes(m).hex() for m in held)
        return response


def held_of(response: Trigger.Response) -> list[Embedding]:
    """What the node told."""
    messages = (bytes.fromhex(line) for line in response.message.splitlines())
    return [embedding(deserialize_message(m, LatentEmbedding)) for m in messages]


if __name__ == "__main__":
    sys.exit(run(TellingNode))
