# SPDX-License-Identifier: Apache-2.0
"""What one would do without the paper: combine the posteriors of single sensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from m2vae_ros.vae.gaussian import Gaussian


def product_of_experts(posteriors: Sequence[Gaussian]) -> Gaussian:
    """The normalised product of Gaussian posteriors (B, D_z): precisions add up.

    It is Bayes' rule for conditionally independent sensors up to the prior, which each expert
    counts once more; Wu & Goodman (2018) train for this product, here it is only computed.
    """
    precisions = torch.stack([(-p.log_variance).exp() for p in posteriors])
    means = torch.stack([p.mean for p in posteriors])
    total = precisions.sum(0)
    return Gaussian((precisions * means).sum(0) / total, -total.log())
