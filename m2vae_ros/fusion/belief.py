# SPDX-License-Identifier: Apache-2.0
"""What an object is taken for, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from m2vae_ros.fusion.attributes import Marginal, described, entropy, marginals
from m2vae_ros.fusion.embedding import Embedding


class Verdict(IntEnum):
    """How many of an object's attributes are known, as `ObjectClassification` numbers it.

    Of what is none of the things that the model knows, attributes are not asked for.
    """

    NOTHING_KNOWN = 0
    PARTLY_KNOWN = 1
    KNOWN = 2
    UNKNOWN = 3

    @classmethod
    def of(cls, marginals: Sequence[Marginal], unknown: bool = False) -> Verdict:
        """Of all attributes of the model; of none, nothing is known.

        Args:
            marginals: of all attributes.
            unknown: whether the object is none of what the model knows, whatever they say.
        """
        if unknown:
            return cls.UNKNOWN
        known = sum(marginal.known() is not None for marginal in marginals)
        if not known:
            return cls.NOTHING_KNOWN
        return cls.KNOWN if known == len(marginals) else cls.PARTLY_KNOWN


def kl_to_prior(embedding: Embedding) -> float:
    """KL(q(z) || N(0, I)) in nats: 0 where nothing was sensed."""
    mean, log_variance = (
        np.asarray(each, dtype=np.float64) for each in (embedding.mean, embedding.log_variance)
    )
    return 0.5 * float(np.sum(mean**2 + np.exp(log_variance) - 1.0 - log_variance))


@dataclass(frozen=True, eq=False)
class Belief:
    """What is held of an object, and what that says.

    Attributes:
        embedding: what is held.
        probabilities: float (classes,), of each class; empty if nothing says them.
    """

    embedding: Embedding
    probabilities: np.ndarray

    @property
    def unknown(self) -> bool:
        """Whether it is none of what the model knows: the reading of one modality held says so.

        Each sensor is asked for itself, as one alone may be able to tell; not what they say
        together.
        """
        return bool(self.embedding.strange)

    def described(self, attributes: Mapping[str, Sequence[str]], percent: bool = True) -> str:
        """What it is taken for: "red cylinder mat, 99 %", "red · ? · ?", "unknown".

        Of a plain list of classes it is the likeliest, however likely; "" if there are none.

        Args:
            attributes: `SensorSuite.attributes`.
            percent: whether the probability of a class is said.
        """
        if self.unknown:
            return "unknown"
        told = marginals(self.probabilities, attributes)
        if len(told) != 1 and not all(marginal.known() for marginal in told):
            return described(told)
        name = " ".join(marginal.likeliest for marginal in told)
        return f"{name}, {100.0 * max(self.probabilities):.0f} %" if name and percent else name

    @property
    def likeliest(self) -> Sequence[int]:
        """The classes by their index, the likeliest first; none if nothing says them."""
        order: list[int] = np.argsort(-self.probabilities, kind="stable").tolist()
        return order

    @property
    def certainty(self) -> float:
        """From 0, where every class is as likely, to 1, where one is certain.

        One minus the entropy of the probabilities, in units of its largest value; 0 if there are
        none.
        """
        if len(self.probabilities) < 2:
            return 0.0
        share = entropy(self.probabilities) / math.log(len(self.probabilities))
        return float(np.clip(1.0 - share, 0.0, 1.0))
