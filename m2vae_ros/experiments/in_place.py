# SPDX-License-Identifier: Apache-2.0
"""In-place fusion (Eq. 18) step after step, of batches."""

from __future__ import annotations

import torch
from torch import Tensor

from m2vae_ros.vae.in_place import fuse_in_place
from m2vae_ros.vae.m2vae import M2VAE, Subset


def trajectory(model: M2VAE, z: Tensor, held: Subset, steps: int) -> Tensor:
    """Where embeddings go when they are re-encoded: (N, D_z) -> (steps + 1, N, D_z)."""
    path = [z]
    for _ in range(steps):
        path.append(fuse_in_place(model, path[-1], held, {}).mean)
    return torch.stack(path)
