# SPDX-License-Identifier: Apache-2.0
"""Train on from weights that there are: a system learns what its own robots sense.

β-VAEs and M2VAE start from the given weights and are trained at a lower learning rate, with the
re-encoding loss from the first epoch on, since there is nothing to warm up. The classifiers are
fitted anew. The result is another latent space with another fingerprint: robots with the old
weights do not understand it.

Or only the classifiers are fitted: `fit_classifiers`. Then the latent space stays what it was, and
robots with the old weights and with the new go on understanding each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.card import WeightsError
from m2vae_ros.training.suite import (
    WITHOUT_REENCODING,
    SuiteRecipe,
    codes,
    data_facts,
    train_classifiers,
    write,
)
from m2vae_ros.vae.beta_vae import BetaVAE
from m2vae_ros.vae.m2vae import M2VAE
from m2vae_ros.vae.weights import Weights, load

LEARNING_RATE = 3e-4
"""Of the first epoch; a third of what new weights are trained at."""

TRAINING_ONLY = (
    *("beta_norm", "epochs", "batch_size", "alpha", "min_gain", "cross"),
    *("range", "viewpoint", "title", "reading_bytes"),
)
"""Fields of a suite that may differ between weights and what is trained on from them."""


@dataclass(frozen=True)
class Pretrained:
    """Weights to start from.

    Attributes:
        trained: suffix of the folder, "" and perhaps `WITHOUT_REENCODING` -> weights.
    """

    trained: Mapping[str, Weights]

    @classmethod
    def load(cls, folder: Path, suite: SensorSuite, with_twin: bool = False) -> Pretrained:
        """Read a folder, and perhaps its twin.

        Raises:
            WeightsError: one of them cannot be read, or is of another suite than what is
                trained; the message names the folder and what differs.
        """
        loaded = {}
        for suffix in ("", WITHOUT_REENCODING) if with_twin else ("",):
            path = folder.with_name(folder.name + suffix)
            loaded[suffix] = load(path)
            _check(loaded[suffix], path, suite)
        return cls(loaded)

    @property
    def weights(self) -> Weights:
        """The weights themselves."""
        return self.trained[""]

    def beta_vae(self, modality: str) -> BetaVAE:
        """The preprocessing of one sensor."""
        return self.weights.beta_vaes[modality]

    def fusion(self, suffix: str) -> M2VAE:
        """The fusion of the folder with that suffix."""
        return self.trained[suffix].m2vae


def fine_tuning(recipe: SuiteRecipe) -> SuiteRecipe:
    """The recipe, for weights that are trained already."""
    slower = recipe.rescheduled(lambda s: replace(s, learning_rate=LEARNING_RATE))
    return replace(slower, m2vae=replace(slower.m2vae, warm_up=(0.0, 0.0)))


def fit_classifiers(
    samples: Samples,
    folder: Path,
    recipe: SuiteRecipe,
    provenance: Mapping[str, object],
    start: Pretrained,
) -> dict[str, Weights]:
    """Fit the classifiers anew, and write ``folder`` and a twin with the networks of `start`.

    Args:
        samples: to fit them on.
        folder: of the weights, made if need be.
        recipe: of the classifiers.
        provenance: where the samples come from, for the card.
        start: weights whose β-VAEs and M2VAE, and so whose fingerprint, are kept.

    Returns:
        Suffix of the folder -> weights, as in `start`.
    """
    old = start.trained
    classifiers = train_classifiers(
        {suffix: weights.m2vae for suffix, weights in old.items()},
        codes(start.weights.beta_vaes, samples),
        samples,
        recipe,
    )
    facts = {"classifier_data": data_facts(provenance, samples)}
    fitted = {
        suffix: replace(
            weights,
            name=folder.name + suffix,
            classifiers=classifiers[suffix],
            facts={k: v for k, v in weights.facts.items() if k != "metrics"} | facts,
        )
        for suffix, weights in old.items()
    }
    return write(folder, fitted)


def _check(weights: Weights, folder: Path, suite: SensorSuite) -> None:
    """Make sure that weights are of the suite that is trained; its schedules may differ."""
    for part in ("modalities", "classes", "fusion"):
        theirs, ours = (_lasting(s.to_plain().get(part)) for s in (weights.suite, suite))
        if theirs != ours:
            raise WeightsError(
                f"{folder}: {part} are {theirs}, but what is trained here has {ours}"
            )


def _lasting(plain: Any) -> Any:
    """Without what is said of the training alone."""
    if isinstance(plain, Mapping):
        return {key: _lasting(v) for key, v in plain.items() if key not in TRAINING_ONLY}
    return plain
