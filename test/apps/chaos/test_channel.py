# SPDX-License-Identifier: Apache-2.0
"""A channel does to messages what its rates say, no more, and the same again for the same seed."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.apps.chaos.channel import CLEAN, HELD_BACK, Channel, Rates

SHARES = st.floats(0.0, 1.0)
RATES = st.builds(Rates, SHARES, SHARES, SHARES, SHARES, SHARES, st.floats(0.0, 10.0))
SENT = st.lists(st.tuples(st.binary(max_size=8), st.floats(0.0, 100.0)), max_size=40)
END = 1e6


def corrupt(data: bytes, generator: random.Random) -> bytes:
    return data + b"corrupt"


def forge(data: bytes, generator: random.Random) -> bytes:
    return data + b"forged"


def channel(rates: Rates, seed: int = 0) -> Channel:
    return Channel(rates, random.Random(seed), corrupt, forge)


def delivered(rates: Rates, sent: list[tuple[bytes, float]], seed: int = 0) -> list[bytes]:
    made = channel(rates, seed)
    for data, now in sorted(sent, key=lambda pair: pair[1]):
        made.send(data, now)
    return made.due(END)


@given(SENT)
def test_a_clean_channel_delivers_everything_once_in_order_and_at_once(sent) -> None:
    made = channel(CLEAN)
    for data, now in sorted(sent, key=lambda pair: pair[1]):
        made.send(data, now)
        assert made.due(now) == [data]
    assert made.empty


@given(RATES, SENT, st.integers(0, 9))
def test_what_is_sent_is_lost_doubled_corrupted_and_forged_as_it_is_counted(
    rates: Rates, sent, seed: int
) -> None:
    made = channel(rates, seed)
    for data, now in sent:
        made.send(data, now)
    arrived = made.due(END)
    counts = made.counts
    assert made.empty
    assert made.due(END) == []
    assert len(arrived) == counts["delivered"]
    assert counts["sent"] == len(sent)
    assert len(arrived) == len(sent) - counts["lost"] + counts["doubled"] + counts["forged"]
    assert sum(data.endswith(b"corrupt") for data in arrived) == counts["corrupted"]
    assert sum(b"forged" in data for data in arrived) == counts["forged"]
    # nothing else than what was sent
    genuine = Counter(data.replace(b"forged", b"").replace(b"corrupt", b"") for data in arrived)
    assert genuine.keys() <= {data for data, _ in sent}


@given(RATES, SENT, st.integers(0, 9))
def test_the_same_seed_gives_the_same_deliveries(rates: Rates, sent, seed: int) -> None:
    assert delivered(rates, sent, seed) == delivered(rates, sent, seed)


@given(st.floats(0.0, 10.0), SENT, SHARES)
def test_nothing_arrives_before_it_was_sent_or_later_than_the_longest_delay(
    delay: float, sent, reordered: float
) -> None:
    made = channel(Rates(delay=delay, reordered=reordered))
    for data, now in sent:
        made.send(data, now)
        assert made.due(now - 1e-6) == []
        made.due(now + delay + HELD_BACK + 1e-6)
        assert made.empty


def test_a_message_that_is_held_back_is_overtaken() -> None:
    made = channel(Rates(reordered=0.5))
    names = [bytes([number]) for number in range(40)]
    for number, name in enumerate(names):
        made.send(name, number * HELD_BACK / 10)
    arrived = made.due(END)
    assert sorted(arrived) == names
    assert arrived != names


@pytest.mark.parametrize(
    "rates", [{"loss": 1.1}, {"doubled": -0.1}, {"delay": float("inf")}, {"forged": float("nan")}]
)
def test_rates_that_cannot_be_are_named(rates: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(rates))):
        Rates(**rates)
