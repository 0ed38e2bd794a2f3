# SPDX-License-Identifier: Apache-2.0
"""What `make bench` tells: spreads, what each thing is compared with, and what got slower."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.bench.figures import Figure, Measured, Spread
from tools.bench.growth import exponent
from tools.bench.report import slower, to_plain
from tools.bench.teams import exchange
from tools.bench.timing import compare

CHECKOUT = Path(__file__).parents[2]


def section(seconds: float, *, calibration: float = 1.0, unit: str = "s", name: str = "step"):
    figure = Figure(name, {"own": Spread.of([seconds]), "other": Spread.of([9.0])}, unit)
    return {"engine": to_plain(Measured(Spread.of([calibration]), [figure]))}


def test_what_takes_a_quarter_more_than_it_did_is_told() -> None:
    (told,) = slower(section(1.3), section(1.0))
    assert told == "engine: step: 1.30 times what it was"
    assert not list(slower(section(1.2), section(1.0)))
    assert not list(slower(section(0.5), section(1.0)))


def test_a_slower_machine_makes_nothing_slower() -> None:
    assert not list(slower(section(2.0, calibration=2.0), section(1.0)))
    assert list(slower(section(1.3, calibration=0.9), section(1.0)))


def test_memory_is_the_same_on_every_machine() -> None:
    before = section(100.0, unit="MB")
    assert list(slower(section(130.0, calibration=2.0, unit="MB"), before))
    assert not list(slower(section(110.0, calibration=0.5, unit="MB"), before))


def test_what_only_one_of_two_runs_has_is_not_compared() -> None:
    assert not list(slower(section(9.0, name="new"), section(1.0)))
    assert not list(slower(section(9.0), {}))


def test_a_spread_is_the_median_between_the_quartiles() -> None:
    assert Spread.of([5.0, 1.0, 2.0, 3.0, 4.0]) == Spread(3.0, 2.0, 4.0)


def test_steps_are_timed_in_turn() -> None:
    order: list[str] = []
    ways = {"own": lambda: order.append("a"), "other": lambda: order.append("b")}
    measured = compare({"step": ways}, rounds=3, share=0.0)
    assert "".join(order).endswith("ab" * 3)
    (figure,) = measured.figures
    assert list(figure.ways) == ["own", "other"]
    assert measured.calibration.median > 0


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_an_exponent_is_that_of_the_growth(power) -> None:
    grown = {size: 3.0 * size**power for size in (1, 2, 4, 8, 16)}
    assert exponent(grown) == pytest.approx(power, abs=0.01)


def test_a_constant_part_does_not_hide_how_something_grows() -> None:
    grown = {size: 1.0 + size**2 for size in (1, 2, 4, 8, 16, 32)}
    assert exponent(grown) == pytest.approx(2.0, abs=0.1)


def test_a_team_agrees_and_no_robot_sends_more_in_a_larger_one() -> None:
    small, large = exchange(2), exchange(8)
    assert small.agreed
    assert large.agreed
    assert 0 < large.sent <= small.sent


@pytest.mark.slow
@pytest.mark.ros
def test_one_command_writes_every_number_and_ends_as_asked(tmp_path) -> None:
    def bench(*options: str) -> int:
        command = [sys.executable, "-m", "tools.bench", "exchange", *options]
        return subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL).returncode

    first = tmp_path / "first.json"
    assert bench("--json", f"{first}") == 0
    found = json.loads(first.read_text())
    assert found["machine"]["cpu"]
    assert found["machine"]["versions"]["numpy"]
    figures = found["sections"]["exchange"]["figures"]
    assert figures["message"]["ways"]["embedding of three modalities"]["median"] < 300
    for figure in figures.values():
        assert len(figure["ways"]) > 1
    figures["message"]["ways"]["embedding of three modalities"]["median"] = 100
    first.write_text(json.dumps(found))
    again = ("--json", f"{tmp_path / 'second.json'}", "--baseline", f"{first}")
    assert bench(*again) == 0
    assert bench(*again, "--check") == 1
