# SPDX-License-Identifier: Apache-2.0
"""What is known of each attribute by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.fusion.attributes import described, entropy, marginals
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.world.suite import AMIRO

COLOUR, SHAPE, MATERIAL = range(3)


def test_a_colour_alone_is_told_as_such() -> None:
    p = [0.245 if name.startswith("red") else 0.005 for name in AMIRO.classes]
    told = marginals(np.array(p, dtype=np.float32), AMIRO.attributes)
    assert [m.name for m in told] == ["colour", "shape", "material"]
    assert [m.known() for m in told] == ["red", None, None]
    assert described(told) == "red · ? · ?"
    assert told[COLOUR].probability == pytest.approx(0.98)
    assert told[SHAPE].probabilities == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize("index", range(len(AMIRO.classes)))
def test_a_certain_class_tells_every_attribute(index: int) -> None:
    told = marginals(np.eye(len(AMIRO.classes))[index], AMIRO.attributes)
    assert " ".join(m.known() or "?" for m in told) == AMIRO.classes[index]


def test_a_plain_list_of_classes_is_one_attribute() -> None:
    plain = AMIRO.to_plain() | {"classes": ["walking", "jogging", "stairs"]}
    suite = SensorSuite.from_plain(plain)
    (told,) = marginals(np.array([0.2, 0.7, 0.1]), suite.attributes)
    assert told.values == ("walking", "jogging", "stairs")
    assert told.likeliest == "jogging"
    assert told.known() is None


def test_without_classes_nothing_is_told() -> None:
    assert marginals(np.empty(0), {}) == ()
    assert entropy(np.empty(0)) == 0.0


def test_probabilities_of_another_number_of_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="7 probabilities of 8 classes"):
        marginals(np.full(7, 1 / 7), AMIRO.attributes)


@given(
    sizes=st.lists(st.integers(2, 4), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_independent_attributes_are_found_again(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    single = [rng.dirichlet(np.ones(size)) for size in sizes]
    product = single[0]
    for p in single[1:]:
        product = np.multiply.outer(product, p)
    names = {f"a{i}": [f"v{j}" for j in range(size)] for i, size in enumerate(sizes)}
    told = marginals(product.ravel(), names)
    for marginal, p in zip(told, single, strict=True):
        assert marginal.probabilities == pytest.approx(tuple(p))
    assert entropy(product.ravel()) == pytest.approx(sum(map(entropy, single)))


@pytest.mark.parametrize("classes", [1, 2, 8])
def test_entropy_goes_from_0_to_that_of_every_class_alike(classes: int) -> None:
    assert entropy(np.eye(classes)[0]) == 0.0
    assert entropy(np.full(classes, 1 / classes)) == pytest.approx(math.log(classes))
