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
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from m2vae_ros.datasets.amiro import AmiroSamples
from m2vae_ros.sensors import AMIRO
from m2vae_ros.training.amiro import (
    WITHOUT_REENCODING,
    AmiroRecipe,
    codes,
    data_facts,
    train_classifiers,
    write,
)
from m2vae_ros.vae.beta_vae import BetaVAE
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig
from m2vae_ros.vae.weights import Weights, WeightsError, load

LEARNING_RATE = 3e-4
"""Of the first epoch; a third of what new weights are trained at."""


@dataclass(frozen=True)
class Pretrained:
    """Weights to start from, and their twin trained without the re-encoding loss."""

    weights: Weights
    twin: Weights

    @classmethod
    def load(cls, folder: Path, recipe: AmiroRecipe) -> Pretrained:
        """Read both folders.

        Raises:
            WeightsError: one of them cannot be read, or is of another architecture than the
                recipe's; the message names the folder and what differs.
        """
        twin = folder.with_name(folder.name + WITHOUT_REENCODING)
        loaded = cls(load(folder), load(twin))
        _check(loaded.weights, folder, recipe)
        _check(loaded.twin, twin, recipe)
        return loaded

    def beta_vae(self, modality: str) -> BetaVAE:
        """The preprocessing of one sensor."""
        return self.weights.beta_vaes[modality]

    def fusion(self, suffix: str) -> M2VAE:
        """The fusion of the folder with that suffix, "" or `WITHOUT_REENCODING`."""
        return (self.twin if suffix else self.weights).m2vae


def fine_tuning(recipe: AmiroRecipe) -> AmiroRecipe:
    """The recipe, for weights that are trained already."""
    slower = recipe.rescheduled(lambda s: replace(s, learning_rate=LEARNING_RATE))
    return replace(slower, m2vae=replace(slower.m2vae, warm_up=(0.0, 0.0)))


def fit_classifiers(
    samples: AmiroSamples,
    folder: Path,
    recipe: AmiroRecipe,
    provenance: Mapping[str, object],
    start: Pretrained,
) -> tuple[Weights, Weights]:
    """Fit the classifiers anew, and write ``folder`` and its twin with the networks of `start`.

    Args:
        samples: to fit them on.
        folder: of the weights, made if need be.
        recipe: of the classifiers.
        provenance: where the samples come from, for the card.
        start: weights whose β-VAEs and M2VAE, and so whose fingerprint, are kept.

    Returns:
        The weights with and without the re-encoding loss.
    """
    old = {"": start.weights, WITHOUT_REENCODING: start.twin}
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


def _check(weights: Weights, folder: Path, recipe: AmiroRecipe) -> None:
    """Make sure that weights are of the architecture that a recipe trains."""
    dims = {m: r.config.latent_dim for m, r in recipe.beta_vaes.items()}
    expected: Mapping[str, object] = {
        "modalities": sorted(recipe.beta_vaes),
        "classes": list(AMIRO.classes),
        **{f"view of {name}": view.to_card() for name, view in AMIRO.views.items()},
        **{f"β-VAE of {m}": asdict(r.config) for m, r in recipe.beta_vaes.items()},
        "M2VAE": asdict(
            M2VAEConfig(
                dims,
                recipe.m2vae.latent_dim,
                recipe.m2vae.hidden,
                likelihoods=recipe.m2vae.likelihoods,
            )
        ),
    }
    found: Mapping[str, object] = {
        "modalities": sorted(weights.beta_vaes),
        "classes": list(weights.classes),
        **{f"view of {m}": view for m, view in weights.views.items()},
        **{f"β-VAE of {m}": asdict(vae.config) for m, vae in weights.beta_vaes.items()},
        "M2VAE": asdict(weights.m2vae.config),
    }
    for part, theirs in expected.items():
        if _plain(found.get(part)) != _plain(theirs):
            raise WeightsError(
                f"{folder}: {part} is {found.get(part)}, but what is trained here is {theirs}"
            )


def _plain(value: object) -> object:
    """Tuples as lists, as a card holds them."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, tuple | list) else value
