# SPDX-License-Identifier: Apache-2.0
"""Train a sensor suite, from samples to a folder of weights.

First a β-VAE per modality, then the M2VAE on their codes, then the scikit-learn MLP that reads the
embedding, if there are classes. The M2VAE never sees a label.
"""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import Tensor
from tqdm import tqdm

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.host.spill import spilled
from m2vae_ros.sensors import Modality, SensorSuite
from m2vae_ros.sensors.view import View
from m2vae_ros.training import distributed
from m2vae_ros.training.calibration import calibrated
from m2vae_ros.training.loop import Schedule, fit
from m2vae_ros.training.m2vae import M2VAERecipe, train_m2vae
from m2vae_ros.vae.beta_vae import BetaVAE, BetaVAEConfig
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.m2vae import M2VAE, Subset, subsets
from m2vae_ros.vae.objectives import elbo
from m2vae_ros.vae.weights import Weights

WITHOUT_REENCODING = "_without_reencoding"
"""Suffix of the folder that holds the same system trained without the re-encoding loss."""

CLASSIFIER_HIDDEN = (100,)
"""Of scikit-learn's MLP, as it comes."""

ENOUGH_TO_STOP_EARLY = 5000
"""Samples."""

MOST_TO_CLASSIFY = 100_000
"""Samples that classifiers learn from; of more, as many are drawn at random. scikit-learn's MLP
takes all of them into memory, and its hundred neurons learn nothing from further ones."""

BATCH = 4096
"""Samples that go through a network at once where nothing is learnt."""

MEANT_FOR = 20_000
"""Samples that the epochs of the recipe are meant for."""

MOST_OFTEN = 4.0
"""Times its epochs that the recipe is trained for on few samples."""


class Start(Protocol):
    """Weights to start from."""

    @property
    def weights(self) -> Weights:
        """The weights themselves."""

    def beta_vae(self, modality: str) -> BetaVAE:
        """The preprocessing of one sensor."""

    def fusion(self, suffix: str) -> M2VAE:
        """The fusion of the folder with that suffix, "" or `WITHOUT_REENCODING`."""


@dataclass(frozen=True)
class BetaVAERecipe:
    """How one sensor's β-VAE is built and trained.

    Attributes:
        config: its architecture.
        beta_norm: β_norm; β = β_norm · D_m / D_z.
        schedule: how long and how fast.
    """

    config: BetaVAEConfig
    beta_norm: float
    schedule: Schedule

    @classmethod
    def of(cls, modality: Modality) -> BetaVAERecipe:
        """What the suite says of a modality."""
        spec = modality.beta_vae
        schedule = Schedule(spec.epochs, spec.batch_size)
        return cls(BetaVAEConfig.of(modality), spec.beta_norm, schedule)

    @property
    def beta(self) -> float:
        """The weight of the divergence to the prior."""
        return self.beta_norm * float(np.prod(self.config.shape)) / self.config.latent_dim


@dataclass(frozen=True)
class SuiteRecipe:
    """The whole training. ``seed`` decides the initial weights, too."""

    beta_vaes: Mapping[str, BetaVAERecipe]
    m2vae: M2VAERecipe = M2VAERecipe()
    seed: int = 0

    @classmethod
    def of(cls, suite: SensorSuite) -> SuiteRecipe:
        """What a suite says."""
        fusion = suite.fusion
        return cls(
            {name: BetaVAERecipe.of(modality) for name, modality in suite.items()},
            M2VAERecipe(
                fusion.latent_dim,
                fusion.hidden,
                fusion.joint,
                fusion.beta_norm,
                fusion.alpha,
                schedule=Schedule(fusion.epochs, fusion.batch_size),
                cross=fusion.cross,
            ),
        )

    def suited_to(self, samples: int) -> SuiteRecipe:
        """The recipe for so many samples, of which fewer than `MEANT_FOR` are seen more often.

        What is learnt last, the shape by the LiDAR, takes steps, whatever they are taken on. But no
        sample is seen more than `MOST_OFTEN` times as often: then it is learnt by heart.
        """
        times = min(MOST_OFTEN, max(1.0, MEANT_FOR / max(samples, 1)))
        return self.rescheduled(lambda s: replace(s, epochs=round(s.epochs * times)))

    def rescheduled(self, change: Callable[[Schedule], Schedule]) -> SuiteRecipe:
        """The recipe with the schedules of all networks changed."""
        beta_vaes = {m: replace(r, schedule=change(r.schedule)) for m, r in self.beta_vaes.items()}
        m2vae = replace(self.m2vae, schedule=change(self.m2vae.schedule))
        return replace(self, beta_vaes=beta_vaes, m2vae=m2vae)


def codes(beta_vaes: Mapping[str, BetaVAE], samples: Samples) -> dict[str, Tensor]:
    """What the M2VAE takes: the code of each β-VAE, modality -> (N, D_m)."""
    return {
        m: _of_all(vae.code, Observations.of(samples, m, vae), vae.config.latent_dim)
        for m, vae in beta_vaes.items()
    }


@dataclass(frozen=True)
class Observations:
    """The samples of one modality as its β-VAE takes them, of which what is asked for is unpacked.

    Attributes:
        packed: (N, *shape of the view), on disk, perhaps.
        view: what unpacks them.
        shape: of one, as the β-VAE takes it.
    """

    packed: np.ndarray
    view: View
    shape: tuple[int, ...]

    @classmethod
    def of(cls, samples: Samples, modality: str, vae: BetaVAE) -> Observations:
        """Those of a modality of samples."""
        view = samples.suite[modality].view
        return cls(samples.packed[modality], view, vae.config.shape)

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        """Some of them, float32 (B, *shape)."""
        rows = index if isinstance(index, slice) else index.numpy()
        values = self.view.unpack(self.packed[rows])
        return torch.from_numpy(values).reshape(-1, *self.shape)


@torch.no_grad()
def _of_all(network: Callable[[Tensor], Tensor], x: Observations, *shape: int) -> Tensor:
    """What a network makes of all, on disk: (N, *shape)."""
    found = torch.from_numpy(spilled((len(x), *shape), np.float32))
    for begin in range(0, len(x), BATCH):
        found[begin : begin + BATCH] = network(x[begin : begin + BATCH])
    return found


def reconstruction_errors(vae: BetaVAE, samples: Samples, modality: str) -> Tensor:
    """The squared error of each sample's observation of a modality, (N,)."""

    def error(x: Tensor) -> Tensor:
        return vae.reconstruction_error(x, vae.code(x))

    return _of_all(error, Observations.of(samples, modality, vae))


def familiar_errors(beta_vaes: Mapping[str, BetaVAE], samples: Samples) -> dict[str, float]:
    """Modality -> the squared error that 99.9 % of what its β-VAE was trained on stay below."""
    return {
        m: float(np.quantile(reconstruction_errors(vae, samples, m).numpy(), 0.999))
        for m, vae in beta_vaes.items()
    }


def train_beta_vae(
    recipe: BetaVAERecipe,
    samples: Samples,
    modality: str,
    seed: int,
    start: BetaVAE | None = None,
    held_out: Samples | None = None,
    **run: Any,
) -> BetaVAE:
    """Train the preprocessing of one sensor by Eq. 1 with β, from `start` if there is one."""
    torch.manual_seed(seed)
    vae = BetaVAE(recipe.config) if start is None else deepcopy(start).requires_grad_(True)

    def loss(batch: Mapping[str, Tensor], epoch: int) -> dict[str, Tensor]:
        posterior = vae.encode(batch["x"])
        likelihood = vae.log_likelihood(batch["x"], posterior.sample())
        return {
            "loss": -elbo(likelihood, posterior, recipe.beta),
            "kl": posterior.kl_to_prior(),
        }

    x = Observations.of(samples, modality, vae)
    unseen = {"x": Observations.of(held_out, modality, vae)} if held_out else None
    title = f"β-VAE {modality}"
    fit(vae, loss, {"x": x}, recipe.schedule, title=title, held_out=unseen, **run)
    vae.normalise(_of_all(lambda batch: vae.encode(batch).mean, x, vae.config.latent_dim))
    return vae


def train_classifier(x: Tensor, labels: np.ndarray, seed: int) -> Classifier:
    """Fit the paper's standard scikit-learn MLP: (N, D) and (N,) -> probabilities.

    Of many samples a tenth is set apart, and says when to end. Of few it would say so at once,
    after a handful of steps: there the fit goes on until it converges.
    """
    many = len(labels) >= ENOUGH_TO_STOP_EARLY
    mlp = MLPClassifier(
        CLASSIFIER_HIDDEN,
        early_stopping=many,
        max_iter=200 if many else 1000,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # one that could be better still does no harm: what it is worth, the evaluation measures
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(x.numpy(), labels)
    return Classifier.from_scikit_learn(mlp)


def train(
    samples: Samples,
    folder: Path,
    recipe: SuiteRecipe,
    provenance: Mapping[str, object],
    start: Start | None = None,
    with_twin: bool = False,
    held_out: Samples | None = None,
) -> dict[str, Weights]:
    """Train everything and write ``folder``, and perhaps a twin without the re-encoding loss.

    Interrupted, it resumes where it was: checkpoints lie in ``folder/.training`` until the end.
    What the suite holds out is not trained on, by the classifiers neither, see `parts`.

    Args:
        samples: to train on.
        folder: of the weights, made if need be.
        recipe: how.
        provenance: where the samples come from, for the card.
        start: weights to start from, which fit the recipe, instead of new ones.
        with_twin: whether a twin is trained, to compare with.
        held_out: instead of what the suite holds out of the samples.

    Returns:
        Suffix of the folder, "" and perhaps `WITHOUT_REENCODING` -> weights; nothing where several
        processes train and this is not the first.
    """
    begin = time.monotonic()
    seen, held_out = parts(samples, recipe.seed, held_out)
    beta_vaes, inputs, fusions = train_networks(
        seen, recipe, folder / ".training", start, with_twin, held_out
    )
    if distributed.rank():
        return {}
    classifiers = train_classifiers(fusions, inputs, seen, recipe)
    facts = {
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "data": data_facts(provenance, samples),
        **({"held_out": sorted(set(held_out.groups.tolist()))} if held_out else {}),
        "training": {
            "seconds": round(time.monotonic() - begin),
            "device": _device_name(),
            **_origin(start),
        },
    }
    errors = familiar_errors(beta_vaes, seen)
    trained = {
        suffix: Weights(
            name=folder.name + suffix,
            suite=samples.suite,
            beta_vaes=beta_vaes,
            m2vae=fusion,
            classifiers=classifiers[suffix],
            familiar_error=errors,
            facts=facts,
        )
        for suffix, fusion in fusions.items()
    }
    return write(folder, trained)


def parts(
    samples: Samples, seed: int, held_out: Samples | None = None
) -> tuple[Samples, Samples | None]:
    """What is trained on, and what is held out, if anything.

    That is what is said to be, or else what the suite holds out: whole groups, of all classes.

    Raises:
        DataError: there are too few groups.
    """
    if held_out is not None:
        return samples, held_out
    share = samples.suite.sampling.validation
    return samples.split(share, seed) if share else (samples, None)


def train_networks(
    samples: Samples,
    recipe: SuiteRecipe,
    scratch: Path | None = None,
    start: Start | None = None,
    with_twin: bool = False,
    held_out: Samples | None = None,
    quiet: bool = False,
) -> tuple[dict[str, BetaVAE], dict[str, Tensor], dict[str, M2VAE]]:
    """Train the β-VAEs and the M2VAE.

    Args:
        samples: to train on.
        recipe: how.
        scratch: folder of checkpoints, from which it resumes.
        start: see `train`.
        with_twin: see `train`.
        held_out: tells when to end early.
        quiet: shows no progress bar.

    Returns:
        The β-VAEs, their codes of the samples, and the M2VAE of each suffix of the folder.
    """
    seed, data = recipe.seed, [part.digest() for part in (samples, held_out) if part]

    def run(stage: str, *recipes: BetaVAERecipe | M2VAERecipe) -> dict[str, Any]:
        key = json.dumps([*data, seed, *map(asdict, recipes), *_origin(start).values()])
        checkpoint = scratch / f"{stage}.safetensors" if scratch else None
        return {"checkpoint": checkpoint, "key": key, "quiet": quiet}

    beta_vaes = {
        m: train_beta_vae(
            r, samples, m, seed, start.beta_vae(m) if start else None, held_out, **run(m, r)
        )
        for m, r in recipe.beta_vaes.items()
    }
    inputs = codes(beta_vaes, samples)
    twins = {"": recipe.m2vae}
    if with_twin:
        twins[WITHOUT_REENCODING] = replace(recipe.m2vae, alpha=0.0)
    fusions = {
        suffix: train_m2vae(
            m2vae_recipe,
            inputs,
            seed,
            held_out=codes(beta_vaes, held_out) if held_out else None,
            title=f"M2VAE{suffix.replace('_', ' ')}",
            start=start.fusion(suffix) if start else None,
            **run(f"m2vae{suffix}", m2vae_recipe, *recipe.beta_vaes.values()),
        )
        for suffix, m2vae_recipe in twins.items()
    }
    return beta_vaes, inputs, fusions


def _origin(start: Start | None) -> dict[str, str]:
    return {"from": start.weights.fingerprint} if start else {}


def write(folder: Path, trained: dict[str, Weights]) -> dict[str, Weights]:
    """Write a folder of weights and its twin; the checkpoints that led to them are removed.

    Args:
        folder: of the weights, made if need be.
        trained: suffix of the folder -> weights of its name.
    """
    for weights in trained.values():
        weights.save(folder.with_name(weights.name))
    shutil.rmtree(folder / ".training", ignore_errors=True)
    return trained


def data_facts(provenance: Mapping[str, object], samples: Samples) -> dict[str, object]:
    """What a card tells of the samples that something was trained on."""
    return {**provenance, "count": len(samples), "sha256": samples.digest()}


def train_classifiers(
    fusions: Mapping[str, M2VAE],
    inputs: Mapping[str, Tensor],
    samples: Samples,
    recipe: SuiteRecipe,
) -> dict[str, dict[str, Classifier]]:
    """All classifiers of each fusion: suffix of the folder -> name -> classifier.

    Besides the reader of embeddings those of the evaluation, which the fusions share: all raw codes
    -> class ("raw"), those of a smaller subset -> class ("raw camera+lidar", say), one sensor's
    code -> one attribute.
    """
    if not samples.labelled:
        return {suffix: {} for suffix in fusions}
    rows = samples.drawn(MOST_TO_CLASSIFY, recipe.seed)
    inputs, labels = {m: x[rows] for m, x in inputs.items()}, samples.labels[rows]
    suite = samples.suite
    readers = {
        raw_reader(subset, inputs): train_classifier(
            torch.cat([inputs[m] for m in subset], 1), labels, recipe.seed
        )
        for subset in tqdm(subsets(tuple(inputs)), desc="classifiers of raw codes", unit="MLP")
    }
    pairs = [(m, a) for m in inputs for a in suite.attributes]
    for modality, attribute in tqdm(pairs, desc="classifiers of single sensors", unit="MLP"):
        values = suite.attributes_of(labels)[:, list(suite.attributes).index(attribute)]
        readers[f"{modality}/{attribute}"] = train_classifier(inputs[modality], values, recipe.seed)
    return {
        suffix: {
            "embedding": train_embedding_reader(fusion, inputs, labels, recipe.seed),
            **readers,
        }
        for suffix, fusion in fusions.items()
    }


def raw_reader(subset: Subset, modalities: Collection[str]) -> str:
    """The name of the classifier of a subset's raw codes."""
    return "raw" if len(subset) == len(modalities) else f"raw {'+'.join(subset)}"


def train_embedding_reader(
    fusion: M2VAE, inputs: Mapping[str, Tensor], labels: np.ndarray, seed: int
) -> Classifier:
    """The classifier of embeddings, whatever they hold.

    It learns from the embedding of every object by all sensors, and once more by some of them: so
    it knows how little half an embedding tells, and says so by its probabilities. The complete ones
    count twice, because only there can it be right. Of many samples its probabilities are made
    better still, see `m2vae_ros.training.calibration`.
    """
    with torch.no_grad():
        posteriors = fusion.posteriors(inputs)
    means = {subset: q.mean for subset, q in posteriors.items()}
    log_variances = {subset: q.log_variance for subset, q in posteriors.items()}
    return train_reader(means, labels, seed, log_variances)


def train_reader(
    means: Mapping[Subset, Tensor],
    labels: np.ndarray,
    seed: int,
    log_variances: Mapping[Subset, Tensor] | None = None,
) -> Classifier:
    """As `train_embedding_reader`, of embeddings (N, D_z) by each subset, the whole last.

    Args:
        means, log_variances, seed: see `calibrated`.
        labels: class of each, (N,).
    """
    *partial, complete = means.values()
    if not partial:  # of one modality there is nothing less
        return train_classifier(complete, labels, seed)
    drawn = np.random.default_rng(seed).integers(len(partial), size=len(labels))
    some = torch.stack(partial)[drawn, torch.arange(len(labels))]
    x = torch.cat([complete, complete, some])
    reader = train_classifier(x, np.concatenate([labels] * 3), seed)
    if len(labels) < ENOUGH_TO_STOP_EARLY:
        return reader
    return calibrated(reader, means, torch.from_numpy(labels), seed, log_variances)


def _device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
