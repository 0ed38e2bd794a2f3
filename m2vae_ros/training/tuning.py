# SPDX-License-Identifier: Apache-2.0
"""Search for the sizes and weights of a suite's networks, on groups that are held out.

Each trial trains the whole suite on one part of the samples and is judged on the other, of which
no group (bag, object, episode) was trained on. The judgement is what the embedding is for: with
classes, how many are recognised from it, from all modalities, fused in place in the worst order,
and from each modality alone; without, how much of the readings it tells. Test data have no part in
it. Trials are remembered in a file, so that a search can be interrupted and gone on with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from optuna.storages.journal import JournalFileBackend
from torch import Tensor

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.training.suite import (
    Observations,
    SuiteRecipe,
    codes,
    train_embedding_reader,
    train_networks,
)
from m2vae_ros.vae.beta_vae import BetaVAE
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.in_place import orders, sensed_in_turn
from m2vae_ros.vae.m2vae import M2VAE

HELD_OUT = 0.3
"""Share of the samples that trials are judged by."""

FOLDS = 2
"""Different divisions of the samples by which each trial is judged; the mean counts."""


def tune(
    samples: Samples,
    journal: Path,
    trials: int,
    seed: int = 0,
    progress: Callable[[int, float], None] = lambda done, best: None,
) -> tuple[SensorSuite, float]:
    """Search, or go on with a search.

    Args:
        samples: to search on.
        journal: file that remembers the trials.
        trials: how many there shall be in all.
        seed: of the search.
        progress: called after each trial with their number and the best judgement.

    Returns:
        The suite with the best networks, and its judgement.

    Raises:
        DataError: the samples are of too few groups to be divided.
    """
    divisions = [samples.split(HELD_OUT, fold) for fold in range(FOLDS)]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=f"{samples.suite.name} {samples.digest()[:16]}",
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(journal))),
        sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True),
        direction="maximize",
        load_if_exists=True,
    )
    if not study.trials:
        study.enqueue_trial(_as_it_is(samples.suite))  # nothing worse than that is recommended

    def judge(trial: optuna.Trial) -> float:
        suite = _suggested(samples.suite, trial)
        return float(np.mean([_judgement(suite, *parts) for parts in divisions]))

    def done(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        progress(_finished(study), study.best_value)

    left = trials - _finished(study)
    if left > 0:
        study.optimize(judge, n_trials=left, callbacks=[done])
    return _suggested(samples.suite, study.best_trial), study.best_value


def _finished(study: optuna.Study) -> int:
    return sum(trial.state == optuna.trial.TrialState.COMPLETE for trial in study.trials)


def _space(suite: SensorSuite) -> dict[str, tuple[str, str, tuple[Any, ...]]]:
    """Parameter -> part of the suite, field, and its range on a logarithmic scale."""
    space: dict[str, tuple[str, str, tuple[Any, ...]]] = {}
    for name in suite:
        space[f"{name} latent_dim"] = (name, "latent_dim", (4, 32))
        space[f"{name} beta_norm"] = (name, "beta_norm", (1e-5, 1e-2))
    space["latent_dim"] = ("", "latent_dim", (8, 48))
    space["beta_norm"] = ("", "beta_norm", (1e-5, 1e-2))
    space["alpha"] = ("", "alpha", (1e-2, 1.0))
    return space


def _as_it_is(suite: SensorSuite) -> dict[str, Any]:
    """The suite's own values, within the limits of the search."""
    plain = suite.to_plain()
    values = {}
    for parameter, (part, name, (low, high)) in _space(suite).items():
        fields = plain["modalities"][part]["beta_vae"] if part else plain["fusion"]
        values[parameter] = min(max(fields[name], low), high)
    return values


def _suggested(suite: SensorSuite, trial: Any) -> SensorSuite:
    """The suite with the networks that a trial suggests."""
    plain = suite.to_plain()
    for parameter, (part, name, (low, high)) in _space(suite).items():
        fields = plain["modalities"][part]["beta_vae"] if part else plain["fusion"]
        if isinstance(trial, optuna.trial.FrozenTrial):
            fields[name] = trial.params[parameter]
        elif isinstance(low, int):
            fields[name] = trial.suggest_int(parameter, low, high, log=True)
        else:
            fields[name] = trial.suggest_float(parameter, low, high, log=True)
    return SensorSuite.from_plain(plain)


def _judgement(suite: SensorSuite, seen: Samples, unseen: Samples) -> float:
    """How good the embeddings of a suite are on samples that it was not trained on; 1 at best."""
    seen, unseen = seen.of(suite), unseen.of(suite)
    recipe = SuiteRecipe.of(suite).suited_to(len(seen))
    beta_vaes, learnt, fusions = train_networks(seen, recipe, quiet=True)
    fusion, inputs = fusions[""], codes(beta_vaes, unseen)
    if not seen.labelled:
        with torch.no_grad():
            return _told(beta_vaes, fusion, unseen, inputs)
    classify = train_embedding_reader(fusion, learnt, seen.labels, recipe.seed)
    with torch.no_grad():
        return _recognised(fusion, classify, inputs, torch.from_numpy(unseen.labels))


def _recognised(
    fusion: M2VAE, classify: Classifier, inputs: Mapping[str, Tensor], labels: Tensor
) -> float:
    def share(mean: Tensor) -> float:
        return float((classify(mean).argmax(-1) == labels).float().mean())

    rates = [share(fusion.encode({m: x}).mean) for m, x in inputs.items()]
    rates.append(share(fusion.encode(inputs).mean))
    rates.append(min(share(sensed_in_turn(fusion, inputs, o)[-1]) for o in orders(tuple(inputs))))
    return float(np.mean(rates))


def _told(
    beta_vaes: Mapping[str, BetaVAE], fusion: M2VAE, unseen: Samples, inputs: Mapping[str, Tensor]
) -> float:
    """The share of the readings' variance that embeddings of all modalities tell."""
    mean = sensed_in_turn(fusion, inputs, tuple(inputs))[-1]
    told = []
    for modality, vae in beta_vaes.items():
        x = Observations.of(unseen, modality, vae)[:]
        shown = vae.decode_code(fusion.decode(modality, mean))
        spread = (x - x.mean(0)).square().sum().clamp_min(1e-12)
        told.append(1.0 - float((x - shown).square().sum() / spread))
    return float(np.mean(told))
