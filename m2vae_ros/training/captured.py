# SPDX-License-Identifier: Apache-2.0
"""A training step's losses and gradients, captured as one graph of operations and replayed.

With networks as small as these, autograd is a quarter of a step: it notes each time anew what is to
be differentiated, and how. Here that is done once. The graph holds the very operations of forward
and backward pass, so that losses and weights stay equal to the bit; random numbers are drawn in
every step, as ever.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx

LEAST_STEPS = 1000
"""To replay, for a capture to be worth it: it costs what some hundred steps do."""


class Captured:
    """What a loss does with batches of one size, on the CPU.

    Attributes:
        differentiated: the weights that the loss depends on.
    """

    def __init__(self, step: nn.Module, batch: Mapping[str, Tensor], epoch: int) -> None:
        """Capture a step; it changes neither weights, nor gradients, nor the random numbers.

        Args:
            step: (batch, epoch) -> terms, each (B,), of which the mean of "loss" is minimised.
                Whatever else than weights, batch and torch's random numbers it depends on stays
                what it is now.
            batch: as those that come, (B, ...) each.
            epoch: of the step.
        """
        weights = {name: p for name, p in step.named_parameters() if p.requires_grad}
        self._inputs = tuple(batch)
        self._terms: list[str] = []
        self._weights = [p.detach() for p in weights.values()]
        self.differentiated: list[nn.Parameter] = []

        def gradients(*tensors: Tensor) -> tuple[Tensor, ...]:
            own = dict(zip(weights, tensors, strict=False))
            x = dict(zip(batch, tensors[len(own) :], strict=True))
            terms = functional_call(step, own, (x, epoch))
            mean = terms["loss"].sum() * (1 / len(terms["loss"]))
            found = torch.autograd.grad(mean, list(own.values()), allow_unused=True)
            self._terms = list(terms)
            pairs = zip(weights.values(), found, strict=True)
            self.differentiated = [p for p, gradient in pairs if gradient is not None]
            return (
                *(term.detach() for term in terms.values()),
                *(gradient.contiguous() for gradient in found if gradient is not None),
            )

        examples = [*(w.clone().requires_grad_() for w in self._weights), *batch.values()]
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            # torch advises its compiler instead, which takes longer to start than it saves here
            warnings.simplefilter("ignore", DeprecationWarning)
            graph = make_fx(gradients)(*examples)
            with torch.no_grad():
                self._graph = torch.jit.trace(  # type: ignore[no-untyped-call]
                    graph, tuple(examples), check_trace=False
                )

    def __call__(self, batch: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[Tensor]]:
        """The terms, (B,) each, and the gradients of what is `differentiated`, contiguous.

        Args:
            batch: of the shapes that were captured.
        """
        with torch.no_grad():
            found = self._graph(*self._weights, *(batch[name] for name in self._inputs))
        return dict(zip(self._terms, found, strict=False)), list(found[len(self._terms) :])
