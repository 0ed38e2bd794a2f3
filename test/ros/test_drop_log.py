# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent, the log and the diagnostics stay short."""

from m2vae_ros.fusion.validation import UnfitEmbedding
from m2vae_ros.ros.drop_log import LONGEST_REASON, MOST_OF_A_KIND, REPEAT_AFTER, DropLog


class Logger:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warning(self, sentence: str) -> None:
        self.said.append(sentence)


def refuse(drops: DropLog, kind: str, reason: str) -> None:
    drops.refuse("/embeddings", UnfitEmbedding(kind, reason))


def test_ever_new_reasons_of_one_kind_are_all_counted_and_the_first_few_said():
    logger, time = Logger(), [0.0]
    drops = DropLog(logger, lambda: time[0])
    for n in range(5000):
        refuse(drops, "fingerprint", f"fingerprint {'ab'[n % 2] * (n // 2)}")
    assert drops.counts["dropped /embeddings: fingerprint"] == drops.dropped == 5000
    assert len(logger.said) == MOST_OF_A_KIND
    refuse(drops, "stamp", "in the future")  # another kind is not silenced by it
    assert len(logger.said) == MOST_OF_A_KIND + 1
    time[0] = REPEAT_AFTER
    refuse(drops, "fingerprint", "fingerprint of later")
    assert len(logger.said) == MOST_OF_A_KIND + 2


def test_the_same_reason_is_said_again_when_it_still_occurs_later():
    logger, time = Logger(), [0.0]
    drops = DropLog(logger, lambda: time[0])
    for time[0] in (0.0, 1.0, REPEAT_AFTER - 1, REPEAT_AFTER, REPEAT_AFTER + 1):
        refuse(drops, "stamp", f"{time[0]} s in the future")
    assert len(logger.said) == 2


def test_a_reason_of_megabytes_is_cut():
    logger = Logger()
    drops = DropLog(logger)
    drops.drop("/embeddings", "x" * 5_000_000, "y" * 5_000_000)
    assert len(drops.last_error) <= LONGEST_REASON + len("/embeddings: ")
    assert len(logger.said[0]) < 2 * LONGEST_REASON
    assert max(map(len, drops.counts)) < LONGEST_REASON
