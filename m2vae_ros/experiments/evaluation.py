# SPDX-License-Identifier: Apache-2.0
"""What the embedding of any sensor suite is worth, on samples that nobody trained on.

With classes: how many are recognised from each subset of the modalities, by their raw codes and by
the embedding, fused at once or in place, and how far the probabilities can be believed. With or
without: the lower bound of Eq. 20, what one modality tells of another, and how far an embedding
drifts when it is re-encoded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.experiments.counts import Count
from m2vae_ros.experiments.in_place import trajectory
from m2vae_ros.experiments.section import Table
from m2vae_ros.training.suite import Observations, codes, raw_reader
from m2vae_ros.vae.baselines import product_of_experts
from m2vae_ros.vae.classifier import Classifier
from m2vae_ros.vae.in_place import orders, sensed_in_turn
from m2vae_ros.vae.m2vae import Subset
from m2vae_ros.vae.objectives import lower_bound
from m2vae_ros.vae.weights import Weights

BINS = 15
"""Of the expected calibration error."""

REENCODINGS = 100

SAME = 1e-4
"""Spread of codes up to which they are all the same: rounding alone, as a code's own is about 1."""

TELLERS = {
    "beta_vae": "its β-VAE",
    "embedding": "the embedding of all",
    "others": "that of the others",
}
"""Who tells a reading: its own β-VAE, and embeddings with it and without it."""

_UNCHANGED = "–: the code never changes, as of a sensor whose readings are all the same"

_COLUMNS = ("spread", *TELLERS)

AT_ONCE = 32
"""Readings that are compared, as whole bags of them may not fit memory."""

BOUND_SAMPLES = 8
"""Of the posterior, for the lower bound."""


@torch.no_grad()
def evaluate(weights: Weights, samples: Samples, source: str = "") -> dict[str, Any]:
    """Measure what embeddings are worth.

    Args:
        weights: of any suite.
        samples: of the same suite, that nobody trained on.
        source: where they come from, for the record.

    Returns:
        Numbers for JSON: `subsets` (subset, joined by "+" -> accuracies and calibration),
        `calibration` (number of modalities held -> expected calibration error),
        `in_place` (order, joined by "," -> accuracy), `lower_bound` (subset -> nats), `cross`
        (modality -> modality -> share of the variance that is not told; None where there is none),
        `drift` (re-encodings -> distance, in units of the embeddings' spread), `reconstruction`
        (modality -> root mean square error of each of `TELLERS`, and the spread of the readings, in
        the sensor's `unit`).
    """
    inputs = codes(weights.beta_vaes, samples)
    posteriors = weights.m2vae.posteriors(inputs)
    numbers: dict[str, Any] = {
        "suite": weights.suite.name,
        "fingerprint": weights.fingerprint,
        "source": source,
        "n": len(samples),
        "subsets": {},
        "in_place": {},
    }
    if samples.labelled and weights.suite.classes:
        labels = torch.from_numpy(samples.labels)
        classify = weights.classifiers["embedding"]
        told: dict[int, list[Tensor]] = {}
        for subset, posterior in posteriors.items():
            probabilities = classify(posterior.mean)
            numbers["subsets"]["+".join(subset)] = {
                "embedding": _count(probabilities, labels),
                "product": _product(weights, inputs, subset, labels),
                "raw": _raw(weights, inputs, subset, labels),
                "calibration_error": calibration_error(probabilities, labels),
            }
            told.setdefault(len(subset), []).append(probabilities)
        numbers["calibration"] = {
            str(held): calibration_error(torch.cat(some), labels.repeat(len(some)))
            for held, some in told.items()
        }
        for order in orders(tuple(inputs)):
            mean = sensed_in_turn(weights.m2vae, inputs, order)[-1]
            numbers["in_place"][",".join(order)] = _count(classify(mean), labels)
    torch.manual_seed(0)
    numbers["lower_bound"] = {
        "+".join(s): float(lower_bound(weights.m2vae, inputs, s, BOUND_SAMPLES).mean())
        for s in posteriors
    }
    numbers["cross"] = {
        m: {
            other: _untold(weights.m2vae.decode(other, posteriors[(m,)].mean), x)
            for other, x in inputs.items()
        }
        for m in inputs
    }
    numbers["reconstruction"] = _reconstruction(weights, samples, inputs)
    everything = tuple(inputs)
    numbers["drift"] = _drift(weights, posteriors[everything].mean, everything)
    return numbers


@torch.no_grad()
def told_codes(weights: Weights, inputs: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Modality -> each of `TELLERS` -> the code (N, D_m) it says the modality has.

    Args:
        weights: of the suite.
        inputs: modality -> codes (N, D_m). Of a single modality there are no others.
    """
    everything = weights.m2vae.encode(inputs).mean
    told = {}
    for modality, code in inputs.items():
        told[modality] = {
            "beta_vae": code,
            "embedding": weights.m2vae.decode(modality, everything),
        }
        if others := {m: x for m, x in inputs.items() if m != modality}:
            mean = weights.m2vae.encode(others).mean
            told[modality]["others"] = weights.m2vae.decode(modality, mean)
    return told


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """The expected calibration error: |confidence - accuracy|, averaged over bins of confidence.

    Args:
        probabilities: (N, classes).
        labels: (N,).
        bins: of equal width.
    """
    confidence, found = probabilities.max(-1)
    right = (found == labels).float()
    place = (confidence * bins).long().clamp(max=bins - 1)
    error = 0.0
    for index in range(bins):
        inside = place == index
        if inside.any():
            gap = (confidence[inside].mean() - right[inside].mean()).abs()
            error += float(gap * inside.float().mean())
    return error


def _raw(
    weights: Weights, inputs: Mapping[str, Tensor], subset: Subset, labels: Tensor
) -> dict[str, Any] | None:
    reader: Classifier | None = weights.classifiers.get(raw_reader(subset, inputs))
    if reader is None:
        return None
    return _count(reader(torch.cat([inputs[m] for m in subset], 1)), labels)


def _product(
    weights: Weights, inputs: Mapping[str, Tensor], subset: Subset, labels: Tensor
) -> dict[str, Any]:
    experts = [weights.m2vae.encode({m: inputs[m]}) for m in subset]
    return _count(weights.classifiers["embedding"](product_of_experts(experts).mean), labels)


def _count(probabilities: Tensor, labels: Tensor) -> dict[str, Any]:
    count = Count(int((probabilities.argmax(-1) == labels).sum()), len(labels))
    return {"accuracy": count.accuracy, **count.to_json()}


def _untold(decoded: Tensor, x: Tensor) -> float | None:
    """The share of the variance of x (N, D) that a reconstruction leaves open; 1 is the mean's.

    None where x is the same all the time, so that there is nothing to tell.
    """
    spread = (x - x.mean(0)).square().mean()
    return float((decoded - x).square().mean() / spread) if spread > SAME**2 else None


def _reconstruction(
    weights: Weights, samples: Samples, inputs: Mapping[str, Tensor]
) -> dict[str, dict[str, Any]]:
    """How far readings are from what is made of them, in the sensors' own units."""
    found: dict[str, dict[str, Any]] = {}
    for modality, told in told_codes(weights, inputs).items():
        vae, unit = weights.beta_vaes[modality], weights.suite[modality].view.unit
        readings = Observations.of(samples, modality, vae)
        errors = dict.fromkeys(told, 0.0)
        first = second = torch.zeros((), dtype=torch.float64)
        size = 1
        for begin in range(0, len(samples), AT_ONCE):
            part = slice(begin, begin + AT_ONCE)
            x = readings[part]
            size = x[0].numel()
            first = first + x.double().sum(0)
            second = second + x.double().square().sum(0)
            for teller, code in told.items():
                errors[teller] += float((vae.decode_code(code[part]) - x).double().square().sum())
        variance = (second / len(samples) - (first / len(samples)).square()).clamp_min(0.0)
        found[modality] = {
            "unit": unit.symbol,
            "spread": unit.scale * float(variance.mean().sqrt()),
            **{
                teller: unit.scale * math.sqrt(error / (len(samples) * size))
                for teller, error in errors.items()
            },
        }
    return found


def _drift(weights: Weights, mean: Tensor, held: Subset) -> dict[str, float]:
    path = trajectory(weights.m2vae, mean, held, REENCODINGS)
    spread = (mean - mean.mean(0)).square().sum(-1).mean().sqrt().clamp_min(1e-12)
    away = (path - mean).square().sum(-1).mean(-1).sqrt() / spread
    return {str(steps): float(away[steps]) for steps in (1, 10, REENCODINGS)}


def tables(numbers: Mapping[str, Any]) -> list[Table]:
    """An evaluation for people, from its JSON."""
    origin = f"{numbers['n']} samples, weights {numbers['fingerprint']}"
    origin += f", {numbers['source']}" if numbers["source"] else ""
    found = [_fusion(numbers, origin)] if numbers["subsets"] else []
    if numbers["in_place"]:
        rows = [
            (f"in place: {order.replace(',', ' → ')}", *_shown(count))
            for order, count in numbers["in_place"].items()
        ]
        header = ("sensed one after the other", "right", "95 % interval")
        found.append(Table("Fused in place (Eq. 18)", header, rows))
    rows = [
        (m, of["unit"] or "–", *(f"{of[key]:.3g}" if key in of else "–" for key in _COLUMNS))
        for m, of in numbers["reconstruction"].items()
    ]
    found.append(
        Table(
            "Readings as they are decoded: root mean square error",
            ("modality", "unit", "spread", "β-VAE", "embedding", "of the others"),
            rows,
            (
                "in the unit of the sensor's messages, of readings decoded by their own β-VAE, by "
                "the embedding of all, and by that of the others, which imagines them; the spread "
                "is the error of whoever says the mean of all readings",
            ),
        )
    )
    bounds = [
        (subset.replace("+", " + "), f"{nats:.2f}")
        for subset, nats in numbers["lower_bound"].items()
    ]
    found.append(
        Table(f"How well all follow from some: {origin}", ("from", "lower bound, nats"), bounds)
    )
    modalities = list(numbers["cross"])
    cross = [(m, *map(_share, numbers["cross"][m].values())) for m in modalities]
    drift = "; ".join(f"{n} times {away:.2g}" for n, away in numbers["drift"].items())
    found.append(
        Table(
            "What one does not tell of another: variance left open by decoding",
            ("from", *modalities),
            cross,
            (
                "of a sensor's code, by an embedding of one: at 0 % all of it is told, at 100 % no "
                "more than by the mean of all samples; above that the guess is worse than the mean",
                *([_UNCHANGED] if any("–" in row for row in cross) else ()),
                f"how far embeddings move when re-encoded, in units of their spread: {drift}",
            ),
        )
    )
    return found


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _fusion(numbers: Mapping[str, Any], origin: str) -> Table:
    rows = []
    for subset, of in numbers["subsets"].items():
        raw = f"{of['raw']['accuracy']:.1%}" if of["raw"] else "–"
        product = f"{of['product']['accuracy']:.1%}"
        error = f"{of['calibration_error']:.3f}"
        rows.append((subset.replace("+", " + "), raw, *_shown(of["embedding"]), product, error))
    errors = ", ".join(f"{held}: {error:.3f}" for held, error in numbers["calibration"].items())
    return Table(
        f"Classes: {origin}",
        ("modalities", "raw codes", "embedding", "95 % interval", "product of singles", "ECE"),
        rows,
        (f"expected calibration error (ECE) by how many are held: {errors}",),
    )


def _shown(count: Mapping[str, Any]) -> tuple[str, str]:
    return f"{count['accuracy']:.1%}", f"{count['low']:.1%} – {count['high']:.1%}"
