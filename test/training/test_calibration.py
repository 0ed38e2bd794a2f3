# SPDX-License-Identifier: Apache-2.0
"""A classifier's probabilities mean what they say, also of what is known in part."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from m2vae_ros.experiments.evaluation import calibration_error
from m2vae_ros.training.calibration import calibrated
from m2vae_ros.training.suite import train_classifier
from m2vae_ros.vae.gaussian import Gaussian

COUNT = 6000
NOISE = 0.15


def known(seed: int) -> tuple[dict[tuple[str, ...], Gaussian], Tensor]:
    """Two attributes, each told by one sensor; of the other there is noise around nothing."""
    rng = np.random.default_rng(seed)
    attributes = rng.integers(2, size=(COUNT, 2))
    signs = torch.from_numpy(2.0 * attributes - 1.0).float()

    def seen(*senses: float) -> Gaussian:
        noise = torch.from_numpy(rng.normal(0.0, NOISE, (COUNT, 2))).float()
        variance = torch.tensor([NOISE**2 if sense else 1.0 for sense in senses])
        mean = signs * torch.tensor(senses) + noise
        return Gaussian(mean, variance.log().expand_as(mean))

    posteriors = {("a",): seen(1, 0), ("b",): seen(0, 1), ("a", "b"): seen(1, 1)}
    return posteriors, torch.from_numpy(attributes @ [2, 1])


def test_what_is_known_in_part_is_told_with_the_probability_of_being_right() -> None:
    posteriors, labels = known(0)
    means = {subset: posterior.mean for subset, posterior in posteriors.items()}
    x, y = torch.cat([means["a", "b"], *means.values()]), labels.repeat(4)
    reader = train_classifier(x, y.numpy(), 0)
    before = {name: value.clone() for name, value in reader.state_dict().items()}
    log_variances = {subset: q.log_variance for subset, q in posteriors.items()}
    found = calibrated(reader, means, labels, 0, log_variances)
    fresh, truth = known(1)
    for subset, posterior in fresh.items():
        mean = posterior.mean
        error = calibration_error(found(mean), truth)
        assert error < 0.05
        assert len(subset) == 2 or 2 * error < calibration_error(reader(mean), truth)
        right = (found(mean).argmax(-1) == truth).float().mean()
        assert right > (0.95 if len(subset) == 2 else 0.45)
    assert all(torch.equal(value, before[name]) for name, value in reader.state_dict().items())
