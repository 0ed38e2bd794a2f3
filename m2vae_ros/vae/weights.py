# SPDX-License-Identifier: Apache-2.0
"""A trained system on disk: a folder of ``*.safetensors`` files beside one ``card.json``.

    models/amiro/
        card.json              the sensor suite, recipe, data, metrics, fingerprint
        beta_vae.safetensors   the preprocessing, one β-VAE per modality
        m2vae.safetensors      the fusion
        classifiers.safetensors  what reads z: "embedding"; and those of the evaluation
        novelty.safetensors    what tells a reading of nothing known; older folders have none
        graphs.zip             what a robot runs of all this, see `m2vae_ros.vae.export`

The card has a digest of each of the others, and one of itself. The suite says what the networks are
made of, so a node needs nothing but the folder. Nothing is unpickled, and no network is made before
its file was seen to have as many weights. The *fingerprint* names the latent space: a hash
over the architecture, the views of the sensors and the tensors that map a reading to z. Two robots
with the same fingerprint mean the same by the same numbers; the classifiers do not count.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save_file
from torch import Tensor, nn

from m2vae_ros.host.files import replacing
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.card import CARD, GRAPHS, Card, WeightsError, write_card
from m2vae_ros.sensors.sizes import MOST_WEIGHTS, between
from m2vae_ros.vae.beta_vae import BetaVAE, BetaVAEConfig
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.export import export
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig
from m2vae_ros.vae.networks import Named
from m2vae_ros.vae.novelty import Novelty

LARGEST_LAYER = 2**16
"""Of a classifier."""

MOST_LAYERS = 8
"""Of a classifier, its input and output among them."""

MOST_CLASSIFIERS = 64

LARGEST_HEADER = 2**21
"""Bytes that say what the tensors of a file are."""


@dataclass
class Weights:
    """Everything a robot needs to go from a sensor's view to an embedding and a class.

    Attributes:
        name: of the trained system.
        suite: the modalities, their views and networks, and the classes, in the order of the
            classifier's outputs.
        beta_vaes: modality -> its preprocessing.
        m2vae: the fusion; its input is the mean of each β-VAE's posterior.
        classifiers: name -> classifier; "embedding" reads the mean of an M2VAE embedding. None
            where there are no classes.
        familiar_error: modality -> the β-VAE's squared reconstruction error that 99.9 % of the
            training observations stay below.
        novelty: modality -> what tells how surprising its readings are; of all, or of none where
            too little was held out to tell it.
        facts: what else the card tells: recipe, data, seed, metrics.
    """

    name: str
    suite: SensorSuite
    beta_vaes: dict[str, BetaVAE]
    m2vae: M2VAE
    classifiers: dict[str, Classifier] = field(default_factory=dict)
    familiar_error: dict[str, float] = field(default_factory=dict)
    novelty: dict[str, Novelty] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name the latent space."""
        digest = hashlib.sha256(json.dumps(self._architecture(), sort_keys=True).encode())
        for file in ("beta_vae", "m2vae"):
            for key, tensor in sorted(self._tensors()[file].items()):
                digest.update(f"{file}/{key}:{tuple(tensor.shape)}".encode())
                digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def _architecture(self) -> dict[str, Any]:
        architecture = {
            "views": {m: view.to_card() for m, view in self.suite.views.items()},
            "beta_vae": {m: asdict(vae.config) for m, vae in self.beta_vaes.items()},
            "m2vae": asdict(self.m2vae.config),
        }
        # tuples become lists, as a card holds them
        plain: dict[str, Any] = json.loads(json.dumps(architecture))
        return plain

    def modules(self) -> dict[str, nn.Module]:
        """File, without its suffix -> the networks in it."""
        modules = {
            "beta_vae": Named(self.beta_vaes),
            "m2vae": self.m2vae,
            "classifiers": Named(self.classifiers),
        }
        return modules | ({"novelty": Named(self.novelty)} if self.novelty else {})

    def _tensors(self) -> dict[str, dict[str, Tensor]]:
        return {file: module.state_dict() for file, module in self.modules().items()}

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the folder, each file whole or not at all, the card last.

        Returns:
            The folder.
        """
        folder = Path(folder)
        for file, tensors in self._tensors().items():
            contiguous = {k: t.detach().cpu().contiguous() for k, t in tensors.items()}
            with replacing(folder / f"{file}.safetensors") as temporary:
                save_file(contiguous, temporary)
        with replacing(folder / GRAPHS) as temporary:
            temporary.write_bytes(self._graphs())
        files = (*(f"{file}.safetensors" for file in self._tensors()), GRAPHS)
        card = {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "suite": self.suite.to_plain(),
            "classifiers": {name: list(c.sizes) for name, c in self.classifiers.items()},
            "familiar_error": self.familiar_error,
            **self.facts,
        }
        if self.novelty:
            card["novelty"] = {name: one.components for name, one in self.novelty.items()}
        write_card(folder, card, files)
        return folder

    def _graphs(self) -> bytes:
        classifier = self.classifiers.get("embedding")
        return export(self.beta_vaes, self.m2vae, classifier, self.familiar_error, self.novelty)


def networks(suite: SensorSuite) -> tuple[dict[str, BetaVAE], M2VAE]:
    """The networks of a suite, untrained: modality -> its preprocessing, and the fusion."""
    beta_vaes = {name: BetaVAE(BetaVAEConfig.of(modality)) for name, modality in suite.items()}
    return beta_vaes, M2VAE(M2VAEConfig.of(suite))


def load(folder: str | os.PathLike[str]) -> Weights:
    """Read a folder written by `Weights.save`, ready for inference.

    Raises:
        WeightsError: the folder or a file of it is missing, truncated, of another format, does not
            fit the card's architecture, or is not what the fingerprint promises.
    """
    folder = Path(folder)
    card, path = Card.read(folder), folder / CARD
    try:
        sizes = _sizes_of_classifiers(card.fields["classifiers"])
        _check_coherence(card.suite, sizes.get("embedding"))
    except KeyError as error:
        raise WeightsError(f"{path}: the field {error} is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path}: {error}") from error
    told = {
        "beta_vae": sum(modality.weights for modality in card.suite.values()),
        "m2vae": card.suite.weights_of_fusion,
        "classifiers": sum(map(between, sizes.values())),
    }
    mixtures = {m: (count, card.suite[m].beta_vae.latent_dim) for m, count in card.novelty.items()}
    if mixtures:
        told["novelty"] = sum(Novelty.weights_of(*sizes) for sizes in mixtures.values())
    tensors = {file: _tensors(card, f"{file}.safetensors", count) for file, count in told.items()}

    beta_vaes, m2vae = networks(card.suite)
    weights = Weights(
        name=card.name,
        suite=card.suite,
        beta_vaes=beta_vaes,
        m2vae=m2vae,
        classifiers={name: Classifier(layers) for name, layers in sizes.items()},
        familiar_error=dict(card.familiar_error),
        novelty={name: Novelty(*sizes) for name, sizes in mixtures.items()},
        facts={key: fact for key, fact in card.fields.items() if key not in _NOT_FACTS},
    )
    for file, module in weights.modules().items():
        try:
            module.load_state_dict(tensors[file])
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise WeightsError(
                f"{folder / file}.safetensors: does not fit the architecture in card.json: "
                f"{reason:.1000}"
            ) from error
        module.eval().requires_grad_(False)
    if weights.fingerprint != card.fingerprint:
        raise WeightsError(
            f"{folder}: the weights have the fingerprint {weights.fingerprint}, "
            f"but card.json promises {card.fingerprint}; one of the files was changed or mixed up"
        )
    return weights


_NOT_FACTS = (
    "format",
    "name",
    "fingerprint",
    "suite",
    "classifiers",
    "familiar_error",
    "novelty",
    "files",
    "digest",
)


def _sizes_of_classifiers(plain: Mapping[str, Any]) -> dict[str, list[int]]:
    if len(plain) > MOST_CLASSIFIERS:
        raise ValueError(f"classifiers: {len(plain)}, at most {MOST_CLASSIFIERS} are possible")
    for name, sizes in plain.items():
        if "." in name:
            raise ValueError(f"classifiers: {name!r} must not have a dot")
        if not isinstance(sizes, list) or not all(
            type(size) is int and 0 < size <= LARGEST_LAYER for size in sizes
        ):
            raise ValueError(f"classifiers.{name}: must be sizes from 1 to {LARGEST_LAYER}")
        if not 2 <= len(sizes) <= MOST_LAYERS:
            raise ValueError(
                f"classifiers.{name}: {len(sizes)} sizes, from 2 to {MOST_LAYERS} can be"
            )
    if sum(map(between, plain.values())) > MOST_WEIGHTS:
        raise ValueError(f"classifiers: are more than {MOST_WEIGHTS} weights")
    return dict(plain)


def _check_coherence(suite: SensorSuite, embedding: Sequence[int] | None) -> None:
    """Whether the classifier of embeddings, of such sizes, fits the suite."""
    if (embedding is not None) != bool(suite.classes):
        found = "no 'embedding'" if suite.classes else "an 'embedding'"
        raise ValueError(f"classifiers: have {found}, the suite {len(suite.classes)} classes")
    if embedding is None:
        return
    if embedding[0] != suite.fusion.latent_dim:
        raise ValueError("the classifier 'embedding' does not fit the latent dimension")
    if embedding[-1] != len(suite.classes):
        raise ValueError("the classifier 'embedding' does not fit the number of classes")


def _tensors(card: Card, name: str, told: int) -> dict[str, Tensor]:
    """The tensors of a file, which have so many weights in matrices and convolutions."""
    path, content = card.folder / name, card.file(name)
    if int.from_bytes(content[:8], "little") > LARGEST_HEADER:
        raise WeightsError(f"{path}: a header of more than {LARGEST_HEADER} bytes")
    try:
        tensors = tensors_of(content)
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a whole safetensors file: {error}") from error
    for key, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            raise WeightsError(f"{path}: {key}: type {tensor.dtype}, expected torch.float32")
    count = sum(tensor.numel() for tensor in tensors.values() if tensor.dim() > 1)
    if count != told:
        raise WeightsError(
            f"{path}: does not fit the architecture in card.json: {count} weights, expected {told}"
        )
    return tensors
