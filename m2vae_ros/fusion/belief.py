# SPDX-License-Identifier: Apache-2.0
"""What an object is taken for, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from m2vae_ros.fusion.attributes import Marginal, entropy
from m2vae_ros.fusion.embedding import Embedding


class Verdict(IntEnum):
    """How many of an object's attributes are known, as `ObjectClassification` numbers it."""

    NOTHING_KNOWN = 0
    PARTLY_KNOWN = 1
    KNOWN = 2

    @classmethod
    def of(cls, marginals: Sequence[Marginal]) -> Verdict:
        """Of all attributes of the model; of none, nothing is known."""
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
