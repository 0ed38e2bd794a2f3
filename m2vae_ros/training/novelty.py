# SPDX-License-Identifier: Apache-2.0
"""What is known, so that what is not can be told: fitted on known things alone.

Of readings that the networks were not trained on, one half is what the mixture of each modality is
fitted to, and the other tells how surprising a known reading can be. Where there are few of them,
all tell the latter, and the mixture is fitted to what the networks were trained on: its shape needs
many readings, its limit strange eyes. Nothing strange is needed.
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
"""Samples that the networks were not trained on, to fit the mixture to, too."""

LEAST_BEYOND = 3
"""Of the known readings of a modality that have to lie beyond the limit; by fewer it would be a
guess."""

LEAST_GROUPS = 20
"""Recordings, say, that few samples have to be of, for those of one are alike."""

MOST_SEEN = 20_000
"""Samples that the networks were trained on to which a mixture is fitted; of more, as many are
drawn at random."""

RIDGE = 1e-3
"""Added to the variances of what is fitted, which are 1 on average."""


def fit_novelty(
    beta_vaes: Mapping[str, BetaVAE],
    samples: Samples,
    familiar_error: Mapping[str, float],
    seed: int = 0,
    seen: Samples | None = None,
) -> dict[str, Novelty]:
    """Modality -> what tells the novelty of its readings; none where there are too few samples.

    Args:
        beta_vaes: modality -> its preprocessing.
        samples: of known things, which the networks were not trained on.
        familiar_error: see `Weights`.
        seed: of the halves and of the fit.
        seen: of known things, which they were trained on.
    """
    share = FALSE_ALARMS / len(beta_vaes)
    halves = _halves(samples, seen, share, seed)
    if halves is None:
        return {}
    found = {}
    limit = 1.0 - share
    inputs = [codes(beta_vaes, half) for half in halves]
    for modality, vae in beta_vaes.items():
        fitted_to, unseen = (
            features(
                code[modality],
                reconstruction_errors(vae, half, modality) / familiar_error[modality],
            )
            for half, code in zip(halves, inputs, strict=True)
        )
        novelty = _mixture(fitted_to, seed)
        unlikely = -novelty.log_density(unseen)
        usual, highest = np.quantile(unlikely.numpy(), [0.5, limit])
        novelty.scale = torch.tensor([usual, max(highest, usual + 1.0)], dtype=torch.float32)
        found[modality] = novelty
    return found


def lacking(held_out: Samples | None, modalities: int) -> str:
    """What there was to tell novelty by, and how much it takes, in words.

    Args:
        held_out: known things that the networks were not trained on, if there were any.
        modalities: how many sensors there are.
    """
    samples = round(LEAST_BEYOND * modalities / FALSE_ALARMS)
    if held_out is None:
        return f"nothing was held out, it takes {samples} samples of {LEAST_GROUPS} recordings"
    split, groups = held_out.suite.sampling.split, len(np.unique(held_out.groups))
    return (
        f"{len(held_out)} samples of {groups} {split}{'s' * (groups != 1)} were held out, it takes "
        f"{samples} of {LEAST_GROUPS} {split}s"
    )


def _halves(
    samples: Samples, seen: Samples | None, share: float, seed: int
) -> tuple[Samples, Samples] | None:
    """What the mixtures are fitted to and what tells their limits; None where that is too little.

    Args:
        samples, seen, seed: see `fit_novelty`.
        share: of the readings of a modality beyond the limit.
    """
    if len(samples) >= LEAST:
        try:
            return samples.split(0.5, seed)
        except DataError:  # too few groups
            return None
    few = len(samples) * share < LEAST_BEYOND or len(np.unique(samples.groups)) < LEAST_GROUPS
    if seen is None or few:
        return None
    return seen[seen.drawn(MOST_SEEN, seed)], samples


def _mixture(x: Tensor, seed: int) -> Novelty:
    """Fitted to (N, D), standardised for the fit."""
    values = x.numpy().astype(np.float64)
    mean, deviation = values.mean(0), values.std(0) + np.finfo(np.float32).eps
    components = max(1, min(MOST_COMPONENTS, len(x) // READINGS_EACH))
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
