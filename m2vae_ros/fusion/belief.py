# SPDX-License-Identifier: Apache-2.0
"""What an object is taken for, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from m2vae_ros.fusion.attributes import entropy
from m2vae_ros.fusion.embedding import Embedding


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
