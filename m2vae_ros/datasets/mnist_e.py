# SPDX-License-Identifier: Apache-2.0
"""MNIST-E (section IV, Fig. 3b): digits and fashion articles that vary together.

MNIST and Fashion-MNIST have nothing to do with each other; pairing their images at random makes no
multi-modal data, because no change of a digit has an effect on the article. So each pair is decoded
from one point of one latent space, by the conditional VAEs of both: whatever moves the point moves
both images.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from m2vae_ros.datasets.labelled import Labelled
from m2vae_ros.vae.conditional import ConditionalVAE

_BATCH = 4096


@torch.no_grad()
def superimpose(
    digits: ConditionalVAE, fashion: ConditionalVAE, z: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    """Both images of each latent point: "a" the digit, "b" the article.

    Args:
        digits, fashion: trained on MNIST and on Fashion-MNIST, with latent spaces of one size.
        z: (N, D_z), the shared latent points.
        labels: int64 (N,), the classes, of the digit and of the article alike.

    Returns:
        Modality -> (N, D_m), in [0, 1].
    """
    return {"a": digits.decode(z, labels), "b": fashion.decode(z, labels)}


def fresh(digits: ConditionalVAE, fashion: ConditionalVAE, count: int) -> dict[str, Tensor]:
    """``count`` new pairs by torch's generator, for a step of training that sees no pair twice.

    As `draw` has them: modality -> (count, D_m).
    """
    z = torch.randn(count, digits.config.latent_dim)
    return superimpose(digits, fashion, z, torch.randint(digits.config.classes, (count,)))


def draw(digits: ConditionalVAE, fashion: ConditionalVAE, count: int, seed: int) -> Labelled:
    """Draw ``count`` pairs: a latent point from N(0, I) and a class each, decoded by both.

    Args:
        digits, fashion: see `superimpose`.
        count: how many pairs.
        seed: equal seeds give equal pairs.

    Raises:
        ValueError: the two latent spaces or numbers of classes differ.
    """
    shared = [(vae.config.latent_dim, vae.config.classes) for vae in (digits, fashion)]
    if shared[0] != shared[1]:
        raise ValueError(
            f"(latent_dim, classes): {shared[0]} of the digits, {shared[1]} of fashion"
        )
    latent_dim, classes = shared[0]
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=count)
    z = rng.standard_normal((count, latent_dim), dtype=np.float32)
    batches = [
        superimpose(digits, fashion, *batch)
        for batch in zip(
            torch.split(torch.from_numpy(z), _BATCH),
            torch.split(torch.from_numpy(labels), _BATCH),
            strict=True,
        )
    ]
    return Labelled({m: torch.cat([b[m] for b in batches]).numpy() for m in ("a", "b")}, labels)
