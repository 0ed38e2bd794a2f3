# SPDX-License-Identifier: Apache-2.0
"""Whether cross terms are worth being the default: how gains are counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.experiments import cross_terms
from m2vae_ros.experiments.classes import ACCURACY, CALIBRATION
from m2vae_ros.experiments.cross_terms import CODES, Tally
from m2vae_ros.experiments.lab import summary
from m2vae_ros.experiments.ways import AT_ONCE, EQ_18, OURS, ROBOTS

seeds = st.lists(st.floats(-100, 100), min_size=5, max_size=5)


@given(seeds, seeds)
def test_a_gain_lies_in_its_interval_and_of_errors_less_is_more(plain, crossed):
    mean, low, high = Tally("", plain, {1.0: crossed}).gain(1.0)
    assert low <= mean <= high
    assert mean == pytest.approx(sum(crossed) / 5 - sum(plain) / 5, abs=1e-9)
    of_errors = Tally("", plain, {1.0: crossed}, -1).gain(1.0)
    assert of_errors == pytest.approx((-mean, -high, -low), abs=1e-9)


def test_what_was_not_measured_has_no_gain():
    assert Tally("", [1.0], {0.25: [2.0]}).gain(1.0) is None


def numbers(crossed: tuple[float, ...]):
    """Of the AMiRo: what cross terms reach, and Eq. 17 in .90 to .94 of all cases."""
    plain = (0.9, 0.91, 0.92, 0.93, 0.94)

    def rates(values, error):
        sensed = (
            "camera",
            "lidar",
            "reflectance",
            "camera & lidar",
            "camera & lidar & reflectance",
        )
        cells = {how: summary(values) for how in sensed}
        return {ACCURACY: cells, CALIBRATION: {how: summary(error) for how in sensed}}

    rows = {CODES: rates(plain, plain)}
    for name, weight in OURS.items():
        values = crossed if weight else plain
        for way in (AT_ONCE, EQ_18, ROBOTS):
            rows[f"{name}, {way}"] = rates(values, [1 - value for value in values])
    return rows


@pytest.mark.parametrize(
    ("crossed", "measured", "holds"),
    [
        ((0.95, 0.96, 0.975, 0.98, 0.99), "better on 6 of 6 counts, worse on 0", True),
        ((0.90, 0.91, 0.93, 0.93, 0.93), "better on 0 of 6 counts, worse on 0", False),
        ((0.85, 0.86, 0.875, 0.88, 0.89), "better on 0 of 6 counts, worse on 6", False),
    ],
)
def test_only_what_is_beyond_chance_counts_and_only_all_of_it_is_enough(crossed, measured, holds):
    section = cross_terms.section(numbers(crossed), None, None, None, None)
    assert [(check.measured, check.holds) for check in section.checks] == [(measured, holds)] * 2
    assert len(section.tables[0].rows) == 6
