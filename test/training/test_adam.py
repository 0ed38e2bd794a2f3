# SPDX-License-Identifier: Apache-2.0
"""AdamW without its bookkeeping changes weights and state as torch's does, to the bit."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from m2vae_ros.training.adam import FixedAdamW

SHAPES = st.lists(st.lists(st.integers(1, 9), max_size=2), min_size=1, max_size=5)
OPTIONS = st.fixed_dictionaries(
    {"weight_decay": st.sampled_from([0.0, 0.1]), "maximize": st.booleans()}
)


class Run:
    """An optimizer with its weights."""

    def __init__(self, shapes, options):
        torch.manual_seed(1)
        self.weights = [nn.Parameter(torch.randn(shape)) for shape in shapes]
        self.optimizer = torch.optim.AdamW(self.weights, fused=True, **options)

    def step(self, gradients):
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.grad = gradient
        self.optimizer.step()


@settings(max_examples=20, deadline=None)
@given(SHAPES, OPTIONS, st.integers(0, 2), st.lists(st.booleans(), min_size=1, max_size=5))
def test_its_steps_are_those_of_the_optimizer_to_the_bit(shapes, options, earlier, fixed):
    theirs, ours = Run([[3], [2], *shapes], options), Run([[3], [2], *shapes], options)
    gradients = [torch.randn(shape) for shape in shapes]
    for run in (theirs, ours):
        for _ in range(earlier):
            run.step([torch.ones(3), None, *gradients])
        run.step([None, torch.ones(2), *gradients])  # from here the first weight has none
    adam = FixedAdamW(ours.optimizer, ours.weights[1:])
    for i, whether in enumerate(fixed):
        gradients = [torch.randn_like(weight) for weight in ours.weights[1:]]
        for run in (theirs, ours):
            run.optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)
        theirs.step([None, *gradients])
        if whether:
            adam.step(gradients)
        else:
            ours.step([None, *gradients])
    assert all(torch.equal(p, q) for p, q in zip(ours.weights, theirs.weights, strict=True))
    found, expected = (run.optimizer.state_dict()["state"] for run in (ours, theirs))
    assert {i: list(of) for i, of in found.items()} == {i: list(of) for i, of in expected.items()}
    for i, state in expected.items():
        assert all(torch.equal(found[i][name], value) for name, value in state.items())
