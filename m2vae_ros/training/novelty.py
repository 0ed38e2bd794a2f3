# SPDX-License-Identifier: Apache-2.0
"""What is known, so that what is not can be told: fitted on known things alone.

Of readings that the networks were not trained on, one half is what the mixture of each modality is
fitted to, and the other tells how surprising a known reading can be. Nothing strange is needed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from m2vae_ros.datasets.errors import DataError
from m2vae_ros.datasets.samples import Samples
from m2vae_ros.training.suite import codes, reconstruction_errors
from m2vae_ros.vae.beta_vae import BetaVAE
from m2vae_ros.vae.novelty import Novelty, features

FALSE_ALARMS = 0.03
"""Share of the known things that are told as unknown when all modalities are held; each modality
has its part of it."""

MOST_COMPONENTS = 16

READINGS_EACH = 250
"""At least, for each component of a mixture."""

LEAST = 1000
"""Samples; of fewer the limit would be a guess."""

RIDGE = 1e-3
"""Added to the variances of what is fitted, which are 1 on average."""


def fit_novelty(
    beta_vaes: Mapping[str, BetaVAE],
    samples: Samples,
    familiar_error: Mapping[str, float],
    seed: int = 0,
) -> dict[str, Novelty]:
    """Modality -> what tells the novelty of its readings; none where there are too few samples.

    Args:
        beta_vaes: modality -> its preprocessing.
        samples: of known things, which the networks were not trained on.
        familiar_error: see `Weights`.
        seed: of the halves and of the fit.
    """
    if len(samples) < LEAST:
        return {}
    try:
        halves = samples.split(0.5, seed)
    except DataError:  # too few groups
        return {}
    found = {}
    limit = 1.0 - FALSE_ALARMS / len(beta_vaes)
    inputs = [codes(beta_vaes, half) for half in halves]
    for modality, vae in beta_vaes.items():
        seen, unseen = (
            features(
                code[modality],
                reconstruction_errors(vae, half, modality) / familiar_error[modality],
            )
            for half, code in zip(halves, inputs, strict=True)
        )
        novelty = _mixture(seen, seed)
        unlikely = -novelty.log_density(unseen)
        usual, highest = np.quantile(unlikely.numpy(), [0.5, limit])
        novelty.scale = torch.tensor([usual, max(highest, usual + 1.0)], dtype=torch.float32)
        found[modality] = novelty
    return found


def _mixture(x: Tensor, seed: int) -> Novelty:
    """Fitted to (N, D), standardised for the fit."""
    values = x.numpy().astype(np.float64)
    mean, deviation = values.mean(0), values.std(0) + np.finfo(np.float32).eps
    components = min(MOST_COMPONENTS, len(x) // READINGS_EACH)
    fitted = GaussianMixture(components, reg_covar=RIDGE, random_state=seed)
    fitted.fit((values - mean) / deviation)
    factors = fitted.precisions_cholesky_
    half_log_determinants = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(1)
    novelty = Novelty(components, x.shape[1] - 1)
    for name, array in (
        ("location", mean + fitted.means_ * deviation),
        ("whitening", factors / deviation[:, None]),
        ("offset", np.log(fitted.weights_) + half_log_determinants),
    ):
        setattr(novelty, name, torch.tensor(array, dtype=torch.float32))
    return novelty
