# SPDX-License-Identifier: Apache-2.0
"""A trained system on disk: a folder of ``*.safetensors`` files beside one ``card.json``.

    models/amiro/
        card.json              the sensor suite, recipe, data, metrics, fingerprint
        beta_vae.safetensors   the preprocessing, one β-VAE per modality
        m2vae.safetensors      the fusion
        classifiers.safetensors  what reads z: "embedding"; and those of the evaluation
        graphs.zip             what a robot runs of all this, see `m2vae_ros.vae.export`

The card has a digest of each of the others. The suite says what the networks are made of, so a node
needs nothing but the folder. Nothing is unpickled. The *fingerprint* names the latent space: a hash
over the architecture, the views of the sensors and the tensors that map a reading to z. Two robots
with the same fingerprint mean the same by the same numbers; the classifiers do not count.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from m2vae_ros.host.files import replacing
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.card import CARD, FORMAT, GRAPHS, Card, WeightsError, digest
from m2vae_ros.sensors.sizes import MOST_WEIGHTS
from m2vae_ros.vae.beta_vae import BetaVAE, BetaVAEConfig
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.export import export
from m2vae_ros.vae.m2vae import M2VAE, M2VAEConfig
from m2vae_ros.vae.networks import Named

LARGEST_LAYER = 2**16
"""Of a classifier."""

MOST_LAYERS = 8
"""Of a classifier, its input and output among them."""


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
        facts: what else the card tells: recipe, data, seed, metrics.
    """

    name: str
    suite: SensorSuite
    beta_vaes: dict[str, BetaVAE]
    m2vae: M2VAE
    classifiers: dict[str, Classifier] = field(default_factory=dict)
    familiar_error: dict[str, float] = field(default_factory=dict)
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

    def _tensors(self) -> dict[str, dict[str, Tensor]]:
        modules = {
            "beta_vae": Named(self.beta_vaes),
            "m2vae": self.m2vae,
            "classifiers": Named(self.classifiers),
        }
        return {file: module.state_dict() for file, module in modules.items()}

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
            "format": FORMAT,
            "name": self.name,
            "fingerprint": self.fingerprint,
            "suite": self.suite.to_plain(),
            "classifiers": {name: list(c.sizes) for name, c in self.classifiers.items()},
            "familiar_error": self.familiar_error,
            "digests": {file: digest((folder / file).read_bytes()) for file in files},
            **self.facts,
        }
        with replacing(folder / CARD) as temporary:
            temporary.write_text(json.dumps(card, indent=2) + "\n")
        return folder

    def _graphs(self) -> bytes:
        classifier = self.classifiers.get("embedding")
        return export(self.beta_vaes, self.m2vae, classifier, self.familiar_error)


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
        beta_vaes, m2vae = networks(card.suite)
        sizes = card.fields["classifiers"].items()
        weights = Weights(
            name=card.name,
            suite=card.suite,
            beta_vaes=beta_vaes,
            m2vae=m2vae,
            classifiers={name: _classifier(name, layers) for name, layers in sizes},
            familiar_error=dict(card.familiar_error),
            facts={key: fact for key, fact in card.fields.items() if key not in _NOT_FACTS},
        )
        _check_coherence(weights)
    except KeyError as error:
        raise WeightsError(f"{path}: the field {error} is missing") from error
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise WeightsError(f"{path}: {error}") from error

    modules = {
        "beta_vae": Named(beta_vaes),
        "m2vae": weights.m2vae,
        "classifiers": Named(weights.classifiers),
    }
    for file, module in modules.items():
        _load_tensors(folder / f"{file}.safetensors", module)
        module.eval().requires_grad_(False)
    if weights.fingerprint != card.fingerprint:
        raise WeightsError(
            f"{folder}: the weights have the fingerprint {weights.fingerprint}, "
            f"but card.json promises {card.fingerprint}; one of the files was changed or mixed up"
        )
    for file in modules:
        card.file(f"{file}.safetensors")
    return weights


_NOT_FACTS = ("format", "name", "fingerprint", "suite", "classifiers", "familiar_error", "digests")


def _classifier(name: str, sizes: Any) -> Classifier:
    if not isinstance(sizes, list) or not all(
        type(size) is int and 0 < size <= LARGEST_LAYER for size in sizes
    ):
        raise ValueError(f"classifiers.{name}: {sizes} must be sizes from 1 to {LARGEST_LAYER}")
    if not 2 <= len(sizes) <= MOST_LAYERS:
        raise ValueError(f"classifiers.{name}: {len(sizes)} sizes, from 2 to {MOST_LAYERS} can be")
    if sum(a * b for a, b in itertools.pairwise(sizes)) > MOST_WEIGHTS:
        raise ValueError(f"classifiers.{name}: {sizes} are more than {MOST_WEIGHTS} weights")
    return Classifier(sizes)


def _check_coherence(weights: Weights) -> None:
    suite = weights.suite
    embedding = weights.classifiers.get("embedding")
    if (embedding is not None) != bool(suite.classes):
        found = "no 'embedding'" if suite.classes else "an 'embedding'"
        raise ValueError(f"classifiers: have {found}, the suite {len(suite.classes)} classes")
    if embedding is None:
        return
    if embedding.sizes[0] != suite.fusion.latent_dim:
        raise ValueError("the classifier 'embedding' does not fit the latent dimension")
    if embedding.sizes[-1] != len(suite.classes):
        raise ValueError("the classifier 'embedding' does not fit the number of classes")


def _load_tensors(path: Path, module: nn.Module) -> None:
    try:
        module.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a whole safetensors file: {error}") from error
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise WeightsError(
            f"{path}: does not fit the architecture in card.json: {reason}"
        ) from error
