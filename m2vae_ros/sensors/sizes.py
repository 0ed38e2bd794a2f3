# SPDX-License-Identifier: Apache-2.0
"""How large the networks of a suite are, told before memory is taken for them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

MOST_WEIGHTS = 2**27
"""Of all networks of a suite: half a gigabyte."""

MOST_LAYERS = 16
"""Of one network, dense ones or convolutions."""

LARGEST_LAYER = 2**16

LARGEST_CODE = 4096

MOST_CHANNELS = 4096


def check_layers(latent_dim: int, hidden: Sequence[int], channels: Sequence[int] = ()) -> None:
    """Make sure that these can be the layers of an encoder.

    Raises:
        ValueError: names the field that does not fit.
    """
    if not 1 <= latent_dim <= LARGEST_CODE:
        raise ValueError(f"latent_dim: {latent_dim} must be from 1 to {LARGEST_CODE}")
    for name, sizes, least, most in (
        ("hidden", hidden, 1, LARGEST_LAYER),
        ("channels", channels, 0, MOST_CHANNELS),
    ):
        if not least <= len(sizes) <= MOST_LAYERS:
            raise ValueError(f"{name}: {len(sizes)} layers, from {least} to {MOST_LAYERS} can be")
        for size in sizes:
            if not 1 <= size <= most:
                raise ValueError(f"{name}: {size} must be from 1 to {most}")


def weights_of_beta_vae(
    shape: Sequence[int], latent_dim: int, hidden: Sequence[int], channels: Sequence[int]
) -> int:
    """How many weights a β-VAE has, but for some biases: encoder and decoder alike.

    Raises:
        ValueError: the view has no channels for convolutions, or there are dense layers too many.
    """
    convolutions = 0
    size = math.prod(shape)
    if channels:
        if len(hidden) != 1 or not 2 <= len(shape) <= 3:
            raise ValueError(
                "channels: need one hidden layer, and a view with channels, not one of shape "
                f"{tuple(shape)}"
            )
        kernel = 3 ** (len(shape) - 1)
        convolutions = kernel * between((shape[0], *channels))
        # each of stride 2, which rounds up
        size = channels[-1] * math.prod(-(-n // 2 ** len(channels)) for n in shape[1:])
    dense = between((size, *hidden))
    return 2 * (convolutions + dense) + 3 * hidden[-1] * latent_dim


def weights_of_fusion(
    codes: Sequence[int], latent_dim: int, hidden: Sequence[int], joint: int
) -> int:
    """How many weights an M2VAE has, but for biases.

    Args:
        codes: D_m of each modality.
        latent_dim: D_z.
        hidden: sizes of each modality's trunk.
        joint: size of the layer behind the trunks of two or more modalities.
    """
    trunks = sum(2 * between((code, *hidden)) + 3 * hidden[-1] * latent_dim for code in codes)
    joints = sum(
        math.comb(len(codes), count) * (count * hidden[-1] * joint + 2 * joint * latent_dim)
        for count in range(2, len(codes) + 1)
    )
    return trunks + joints


def between(sizes: Sequence[int]) -> int:
    """Weights between dense layers of these sizes."""
    return sum(before * behind for before, behind in itertools.pairwise(sizes))
