# SPDX-License-Identifier: Apache-2.0
"""Products of Gaussians: what one would do without a fusion encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from m2vae_ros.vae.gaussian import Gaussian


def product_of_experts(experts: Sequence[Gaussian]) -> Gaussian:
    """The normalised product of Gaussians (..., D_z): precisions add up.

    Of the posteriors of conditionally independent sensors it is Bayes' rule up to the prior, which
    each counts once more. Where that matters, as in the MVAE, `prior_like` is one more expert.
    """
    log_precisions = -torch.stack([expert.log_variance for expert in experts])
    means = torch.stack([expert.mean for expert in experts])
    # in logarithms, so that a very sure expert overflows nothing
    mean = (log_precisions.softmax(0) * means).sum(0)
    return Gaussian(mean, -log_precisions.logsumexp(0))


def prior_like(expert: Gaussian) -> Gaussian:
    """The prior N(0, I) in the shape of ``expert``."""
    return Gaussian(torch.zeros_like(expert.mean), torch.zeros_like(expert.log_variance))
