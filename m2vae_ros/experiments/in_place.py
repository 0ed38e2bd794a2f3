# SPDX-License-Identifier: Apache-2.0
"""In-place fusion (Eq. 18) step after step, of batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from m2vae_ros.vae.in_place import fuse_in_place
from m2vae_ros.vae.m2vae import M2VAE, Subset


def sensed_in_turn(model: M2VAE, x: Mapping[str, Tensor], order: Sequence[str]) -> list[Tensor]:
    """Fuse one modality after the other in place: the means (N, D_z) after each."""
    means: list[Tensor] = []
    for index, modality in enumerate(order):
        old = means[-1] if means else None
        means.append(fuse_in_place(model, old, order[:index], {modality: x[modality]}).mean)
    return means


def trajectory(model: M2VAE, z: Tensor, held: Subset, steps: int) -> Tensor:
    """Where embeddings go when they are re-encoded: (N, D_z) -> (steps + 1, N, D_z)."""
    path = [z]
    for _ in range(steps):
        path.append(fuse_in_place(model, path[-1], held, {}).mean)
    return torch.stack(path)
