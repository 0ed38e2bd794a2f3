# SPDX-License-Identifier: Apache-2.0
"""What the probabilities of classes say of each attribute by itself.

Who has sensed a colour alone knows no class, but a colour: a class at .30 reads like a failure,
*red* at .99 and *shape* at .5 is what is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

KNOWN = 0.9
"""From this probability on a value is said, below it is not known."""


@dataclass(frozen=True)
class Marginal:
    """One attribute of an object, whatever the others are.

    Attributes:
        name: of the attribute, such as colour.
        values: that it can have.
        probabilities: of each value, in their order; they sum to 1.
    """

    name: str
    values: tuple[str, ...]
    probabilities: tuple[float, ...]

    @property
    def probability(self) -> float:
        """Of the likeliest value."""
        return max(self.probabilities)

    @property
    def likeliest(self) -> str:
        """The likeliest value; the first of equals."""
        return self.values[self.probabilities.index(self.probability)]

    @property
    def doubt(self) -> str:
        """That probability as " .98", to be written behind the value; "" from .995 on."""
        return f" {self.probability:.2f}".replace("0.", ".") if self.probability < 0.995 else ""

    def known(self, least: float = KNOWN) -> str | None:
        """The likeliest value if it has so much probability, else None."""
        return self.likeliest if self.probability >= least else None


def marginals(
    probabilities: np.ndarray, attributes: Mapping[str, Sequence[str]]
) -> tuple[Marginal, ...]:
    """The probability of each value of each attribute.

    Args:
        probabilities: (classes,) that sum to 1, in the order of `SensorSuite.classes`: that of the
            product of the attributes' values, the last attribute changing fastest.
        attributes: `SensorSuite.attributes`, name -> values; a plain list of classes is one
            attribute.

    Returns:
        One for each attribute, in their order; none if nothing says the probabilities.

    Raises:
        ValueError: there are not as many probabilities as classes.
    """
    if len(probabilities) == 0:
        return ()
    shape = tuple(map(len, attributes.values()))
    if len(probabilities) != math.prod(shape):
        raise ValueError(f"{len(probabilities)} probabilities of {math.prod(shape)} classes")
    table = np.asarray(probabilities, dtype=np.float64).reshape(shape)
    axes = range(len(shape))
    return tuple(
        Marginal(name, tuple(values), tuple(table.sum(tuple(set(axes) - {axis})).tolist()))
        for axis, (name, values) in enumerate(attributes.items())
    )


def described(marginals: Sequence[Marginal]) -> str:
    """What is known, a question mark for what is not: "red · ? · ?"; "" if there are no classes."""
    return " · ".join(marginal.known() or "?" for marginal in marginals)


def entropy(probabilities: np.ndarray) -> float:
    """Nats: 0 where one class is certain, ln(classes) where all are alike; 0 if there are none."""
    p = np.asarray(probabilities, dtype=np.float64)
    p = p[p > 0.0]
    return -float(np.sum(p * np.log(p)))
