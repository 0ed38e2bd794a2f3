# SPDX-License-Identifier: Apache-2.0
"""How unlike everything known a reading is.

The density of a Gaussian mixture over the β-VAE's code and the logarithm of its reconstruction
error: a code alone does not tell what the β-VAE cannot express, and an error alone not what it
expresses and never saw [Pimentel et al., A review of novelty detection, 2014].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEAST_ERROR = 1e-6
"""In units of the familiar error; what is reconstructed better is as good as exact."""


class Novelty(nn.Module):
    """The surprise of one modality's readings; nothing is trained in here.

    The negative log-density, scaled so that 0 is usual and 1 the limit of what is known.

    Args:
        components: K of the mixture.
        code_dim: D_m of the modality's code.

    Attributes:
        location: (K, D_m + 1), means of the components.
        whitening: (K, D_m + 1, D_m + 1), Cholesky factors of their precisions.
        offset: (K,), logarithms of their weights and of what normalises them.
        scale: (2,), the negative log-densities that become 0 and 1.
    """

    location: Tensor
    whitening: Tensor
    offset: Tensor
    scale: Tensor

    def __init__(self, components: int, code_dim: int) -> None:
        super().__init__()
        self.components = components
        size = code_dim + 1
        self.register_buffer("location", torch.zeros(components, size))
        self.register_buffer("whitening", torch.zeros(components, size, size))
        self.register_buffer("offset", torch.zeros(components))
        self.register_buffer("scale", torch.tensor([0.0, 1.0]))

    @staticmethod
    def weights_of(components: int, code_dim: int) -> int:
        """How many numbers its location and whitening have."""
        return components * (code_dim + 1) * (code_dim + 2)

    def forward(self, code: Tensor, error: Tensor) -> Tensor:
        """The surprise, (B,).

        Args:
            code: (B, D_m).
            error: squared reconstruction error in units of the familiar one, (B,).
        """
        usual, limit = self.scale
        surprise: Tensor = (-self.log_density(features(code, error)) - usual) / (limit - usual)
        return surprise

    def log_density(self, x: Tensor) -> Tensor:
        """Of `features` (B, D_m + 1): (B,), but for a constant."""
        away = (x[:, None] - self.location)[:, :, None] @ self.whitening
        return torch.logsumexp(self.offset - 0.5 * away.square().sum((-1, -2)), -1)


def features(code: Tensor, error: Tensor) -> Tensor:
    """What the mixture is of: (B, D_m) and (B,) -> (B, D_m + 1)."""
    return torch.cat([code, error.clamp_min(LEAST_ERROR).log()[:, None]], 1)
