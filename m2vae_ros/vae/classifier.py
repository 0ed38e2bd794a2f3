# SPDX-License-Identifier: Apache-2.0
"""The scikit-learn MLP of the paper's section V-D, carried as plain weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from m2vae_ros.vae.networks import perceptron


class Classifier(nn.Module):
    """A multi-layer perceptron with ReLU and a softmax: (B, D) -> probabilities (B, classes).

    Args:
        sizes: D, the hidden layers, the number of classes.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        fan_in, fan_out = sizes[-2:]
        self.layers = nn.Sequential(perceptron(sizes[:-1]), nn.Linear(fan_in, fan_out))

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) -> the probability of each class, (B, classes)."""
        return torch.softmax(self.layers(x), -1)

    @classmethod
    def from_scikit_learn(cls, mlp: Any) -> Classifier:
        """Take over a fitted `sklearn.neural_network.MLPClassifier` with ReLU.

        A two-class one has a single logistic output; it becomes two outputs, one of them 0, whose
        softmax is the same probability.
        """
        weights = [torch.tensor(w.T, dtype=torch.float32) for w in mlp.coefs_]
        biases = [torch.tensor(b, dtype=torch.float32) for b in mlp.intercepts_]
        if mlp.out_activation_ == "logistic":
            weights[-1] = torch.cat([torch.zeros_like(weights[-1]), weights[-1]])
            biases[-1] = torch.cat([torch.zeros_like(biases[-1]), biases[-1]])
        classifier = cls([weights[0].shape[1], *(w.shape[0] for w in weights)])
        linear = [layer for layer in classifier.modules() if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for layer, weight, bias in zip(linear, weights, biases, strict=True):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)
        return classifier
