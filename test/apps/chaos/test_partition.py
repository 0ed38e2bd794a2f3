# SPDX-License-Identifier: Apache-2.0
"""Halves of a team that a network has parted agree once it heals; what does not hold is said."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from namespaces import skip_without_namespaces, the_network

from m2vae_ros.apps.chaos import partition
from m2vae_ros.apps.chaos.live_team import ChaosError
from m2vae_ros.apps.chaos.own_process import in_own_process
from m2vae_ros.apps.chaos.scenario import Options, Outcome
from m2vae_ros.host.shared_memory import abandoned_memory


def children() -> set[str]:
    """The processes that this one has started, ended ones that nobody has waited for included."""
    tasks = Path("/proc/self/task").iterdir()
    return set(" ".join((task / "children").read_text() for task in tasks).split())


def parted(**seconds: float) -> Outcome:
    """What came of it; of network, processes, shared memory and environment nothing is left."""
    skip_without_namespaces()
    before = the_network(), children(), dict(os.environ)
    abandoned = set(abandoned_memory())
    found = partition.part(Options(), lambda words: None, **seconds)
    assert (the_network(), children(), dict(os.environ)) == before
    assert abandoned.issuperset(abandoned_memory())
    return found


@pytest.mark.ros
@pytest.mark.slow
def test_halves_know_their_own_objects_and_all_of_them_once_they_meet() -> None:
    found = parted(apart=2.0)
    assert found.broken == []
    assert found.numbers["robots"] == 6
    assert 0.0 < found.numbers["s to agree"] <= partition.TO_AGREE


@pytest.mark.ros
@pytest.mark.slow
def test_halves_that_have_no_time_to_agree_break_what_must_hold() -> None:
    found = parted(apart=0.0, to_agree=0.0)
    assert "s to agree" not in found.numbers
    assert found.broken[0] == "not agreed in 0 s"
    assert len(found.broken) > 1  # and what each lacked


class Leaky:
    """Stands for a team and its network: each robot knows all objects, also while apart."""

    objects = (SimpleNamespace(name="a"), SimpleNamespace(name="b"))
    running = ("one", "two")
    refused = Counter[str]()

    def nothing(self, *_: object, **__: object) -> list[str]:
        return []

    says = explore = settle = link = shortfalls = disagreements = nothing

    def held(self, robot: str) -> set[str]:
        return {"a", "b"}

    def until(self, condition, patience: float) -> float:
        assert condition()
        return 0.5


def test_halves_that_hear_each_other_while_apart_break_what_must_hold() -> None:
    found = partition._parted(Leaky(), Leaky(), [["one"], ["two"]], 30.0, 15.0)
    assert found.broken == [f"{one}: knew of ['a', 'b'] while apart" for one in ("one", "two")]
    assert found.numbers["s to agree"] == 0.5


def test_a_process_that_ends_before_it_has_said_what_came_of_it_is_told(monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(ChaosError, match="its process ended with status 1"):
        in_own_process("any", print)
