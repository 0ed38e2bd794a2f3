# SPDX-License-Identifier: Apache-2.0
"""What was said in the course of a bag holds until something else is said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.bags.timeline import Timeline

said = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), max_size=20)


@given(said, st.integers(-5, 60))
def test_what_was_said_last_holds_whatever_the_order_of_the_files(said, now) -> None:
    timeline: Timeline[int] = Timeline()
    for stamp, value in said:
        timeline.add(stamp, value)
    before = [(stamp, index) for index, (stamp, _) in enumerate(said) if stamp <= now]
    assert timeline.at(now) == (said[max(before)[1]][1] if before else None)


@given(said, st.integers(0, 60), st.integers(0, 10))
def test_it_holds_for_so_many_seconds_only(said, now, seconds) -> None:
    timeline: Timeline[int] = Timeline()
    for stamp, value in said:
        timeline.add(stamp * 10**9, value)
    recent = any(now - seconds <= stamp <= now for stamp, _ in said)
    assert (timeline.at(now * 10**9, seconds) is not None) == recent


@given(said, st.integers(0, 50), st.integers(0, 20))
def test_all_that_holds_at_some_time_of_a_span_is_told(said, begin, span) -> None:
    timeline: Timeline[int] = Timeline()
    for stamp, value in said:
        timeline.add(2 * stamp, value)
    between = timeline.between(2 * begin, 2 * (begin + span))
    moments = {timeline.at(now) for now in range(2 * begin, 2 * (begin + span) + 1)}
    assert moments <= set(between)
    assert between[0] == timeline.at(2 * begin)
    assert between[-1] == timeline.at(2 * (begin + span))
