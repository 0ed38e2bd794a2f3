# SPDX-License-Identifier: Apache-2.0
"""What one node lacks others tell again; what is no digest is refused; at rest nobody looks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from m2vae_ros.msg import EmbeddingDigest
from ros_team import OBJECT, image, team
from untrained import untrained_weights

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.gossip import MOST_LISTED
from m2vae_ros.ros import qos
from m2vae_ros.ros.anti_entropy import DIGESTS

pytestmark = pytest.mark.ros


def test_what_a_digest_lacks_is_told_again_and_then_no_more(tmp_path) -> None:
    with team() as t:
        node = t.active_robot("amiro1", untrained_weights(tmp_path), ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: node._memory.get(OBJECT) is not None)
        look = node._anti_entropy._timers[-1]
        t.until(look.is_canceled)  # nobody lacks anything

        publisher = t.tester.create_publisher(EmbeddingDigest, DIGESTS, qos.DIGESTS)
        t.until(lambda: publisher.get_subscription_count() > 0)
        lacking = EmbeddingDigest(instance=7, total=0, first=0, last=2**64 - 1)
        t.until(
            lambda: publisher.publish(lacking) or t.counted("amiro1", "embeddings told again") > 0
        )
        t.until(look.is_canceled)

        long = EmbeddingDigest(instance=7, listed=list(range(MOST_LISTED)))
        held = node._memory.statements()
        publisher.publish(b"\0\1\0\0" + bytes(7))
        t.until(lambda: t.counted("amiro1", f"dropped {DIGESTS}: bytes") == 1)
        publisher.publish(long)
        t.settle()
        assert node._memory.statements() == held

        one, now = held[0], node._now
        for refused, for_good in ((replace(one, sender="b"), True), (ahead(one, now), False)):
            node._anti_entropy.heard(refused, now)
            assert (refused.digest in node._anti_entropy._gossip._refused) == for_good


def ahead(one: Embedding, now: int) -> Embedding:
    """What a member whose clock is ahead says to disown something: in time it fits."""
    return replace(one, sender="b", disowned=now + 1_000_000_000)
