# SPDX-License-Identifier: Apache-2.0
"""AdamW's step of weights that all have a gradient every time.

For networks as small as these, torch's optimizer spends most of its time on finding out which
weights those are and on a counter for each. Its kernel is called here without that: weights,
moments and counters are those of the optimizer, and become what it would make of them, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class FixedAdamW:
    """What a fused AdamW does with some of its weights, on the CPU."""

    def __init__(self, optimizer: torch.optim.AdamW, weights: Sequence[nn.Parameter]) -> None:
        """Share the state of the optimizer, which may take steps of its own in between.

        Args:
            optimizer: of one group, whose options hold in every step, without amsgrad.
            weights: of which it has taken a step before.
        """
        (self._options,) = optimizer.param_groups
        states = [optimizer.state[weight] for weight in weights]
        self._weights = [weight.detach() for weight in weights]
        self._means = [state["exp_avg"] for state in states]
        self._squares = [state["exp_avg_sq"] for state in states]
        self._count = torch.stack([state["step"] for state in states])
        self._counts = list(self._count)  # views, so that one addition counts for all
        for state, count in zip(states, self._counts, strict=True):
            state["step"] = count

    def step(self, gradients: list[Tensor]) -> None:
        """Change the weights.

        Args:
            gradients: one for each weight, contiguous.
        """
        self._count += 1
        beta1, beta2 = self._options["betas"]
        torch._fused_adamw_(
            self._weights,
            gradients,
            self._means,
            self._squares,
            [],
            self._counts,
            lr=self._options["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=self._options["weight_decay"],
            eps=self._options["eps"],
            amsgrad=False,
            maximize=self._options["maximize"],
        )
