# SPDX-License-Identifier: Apache-2.0
"""Section V-D: can an object be classified from an embedding that three robots fused in place?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import torch
from rich.table import Table
from scipy.stats import binomtest
from torch import Tensor

from m2vae_ros.datasets.amiro import AmiroSamples
from m2vae_ros.sensors import AMIRO
from m2vae_ros.training.amiro import codes
from m2vae_ros.vae.baselines import product_of_experts
from m2vae_ros.vae.in_place import fuse_in_place
from m2vae_ros.vae.m2vae import M2VAE
from m2vae_ros.vae.weights import Weights

PAPER = {"raw": 0.971, "joint": 0.962, "in_place": 0.943, "in_place_without_reencoding": 0.658}
"""The paper's classification rates, section V-D."""


@dataclass(frozen=True)
class Count:
    """How many of n samples were classified right."""

    right: int
    n: int

    @property
    def accuracy(self) -> float:
        """The share of right ones."""
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the accuracy, by Wilson's score."""
        interval = binomtest(self.right, self.n).proportion_ci(0.95, "wilson")
        return interval.low, interval.high


@dataclass(frozen=True)
class Evaluation:
    """The table of section V-D, measured.

    Attributes:
        raw: the β-VAE codes of all sensors, read by an MLP.
        joint: the M2VAE's embedding of all sensors at once.
        in_place: order of the sensors -> sensed one after the other, fused in place.
        in_place_without_reencoding: the same with weights trained without the re-encoding loss.
        joint_without_reencoding: what those weights reach with all sensors at once.
        product_of_experts: the product of the three single posteriors instead of a fusion.
        single: sensor -> attribute -> read from that sensor's code alone.
        seed: of the samples, if they were drawn with one.
        fingerprint: of the weights.
        source: of the samples, for people.
    """

    raw: Count
    joint: Count
    in_place: Mapping[str, Count]
    in_place_without_reencoding: Mapping[str, Count]
    joint_without_reencoding: Count
    product_of_experts: Count
    single: Mapping[str, Mapping[str, Count]]
    seed: int | None
    fingerprint: str
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """Accuracies under the keys of the attributes, and the counts and intervals behind them."""

        def accuracies(value: Any) -> Any:
            if isinstance(value, Count):
                return value.accuracy
            return {key: accuracies(entry) for key, entry in value.items()}

        def details(value: Any) -> Any:
            if isinstance(value, Count):
                low, high = value.interval
                return {"right": value.right, "n": value.n, "low": low, "high": high}
            return {key: details(entry) for key, entry in value.items()}

        measured = {k: v for k, v in vars(self).items() if k not in _NAMES}
        return {
            **{key: accuracies(value) for key, value in measured.items()},
            "n": self.raw.n,
            **{key: getattr(self, key) for key in _NAMES},
            "counts": {key: details(value) for key, value in measured.items()},
        }


_NAMES = ("seed", "fingerprint", "source")


def evaluate(
    weights: Weights,
    twin: Weights,
    samples: AmiroSamples,
    seed: int | None = None,
    source: str = "",
) -> Evaluation:
    """Measure the table of section V-D.

    Args:
        weights: trained with the re-encoding loss.
        twin: trained without it.
        samples: that nobody trained on.
        seed: they were drawn with, for the record.
        source: where they come from, for the record; by default the simulator.
    """
    labels = torch.from_numpy(samples.labels)
    inputs = codes(weights.beta_vaes, samples)
    classify = weights.classifiers["embedding"]
    experts = [weights.m2vae.encode({m: x}) for m, x in inputs.items()]
    return Evaluation(
        raw=_count(weights.classifiers["raw"](torch.cat(list(inputs.values()), 1)), labels),
        joint=_count(classify(weights.m2vae.encode(inputs).mean), labels),
        in_place=dict(_in_place(weights, inputs, labels)),
        in_place_without_reencoding=dict(_in_place(twin, codes(twin.beta_vaes, samples), labels)),
        joint_without_reencoding=_count(
            twin.classifiers["embedding"](twin.m2vae.encode(inputs).mean), labels
        ),
        product_of_experts=_count(classify(product_of_experts(experts).mean), labels),
        single={
            modality: {
                attribute: _count(
                    weights.classifiers[f"{modality}/{attribute}"](x),
                    torch.from_numpy(samples.attributes[:, column]),
                )
                for column, attribute in enumerate(AMIRO.attributes)
            }
            for modality, x in inputs.items()
        },
        seed=seed,
        fingerprint=weights.fingerprint,
        source=source or f"simulator, seed {seed}",
    )


def sense_in_turn(model: M2VAE, inputs: Mapping[str, Tensor], order: tuple[str, ...]) -> Tensor:
    """Fuse one modality after the other in place (Eq. 18): the final embedding's mean (N, D_z)."""
    mean: Tensor | None = None
    held: list[str] = []
    for modality in order:
        mean = fuse_in_place(model, mean, held, {modality: inputs[modality]}).mean
        held.append(modality)
    assert mean is not None
    return mean


def _in_place(
    weights: Weights, inputs: Mapping[str, Tensor], labels: Tensor
) -> Iterator[tuple[str, Count]]:
    for order in permutations(inputs):
        mean = sense_in_turn(weights.m2vae, inputs, order)
        yield ",".join(order), _count(weights.classifiers["embedding"](mean), labels)


def _count(probabilities: Tensor, labels: Tensor) -> Count:
    return Count(int((probabilities.argmax(-1) == labels).sum()), len(labels))


def tables(evaluation: Evaluation) -> list[Table]:
    """The evaluation for people: the table of section V-D and the premise, for `rich`."""
    return [_fusion_table(evaluation), _premise_table(evaluation)]


def _fusion_table(evaluation: Evaluation) -> Table:
    table = Table(
        title=f"Section V-D: {evaluation.raw.n} samples, {evaluation.source}, "
        f"weights {evaluation.fingerprint}"
    )
    table.add_column("what the classifier reads")
    for column in ("right", "95 % interval", "paper"):
        table.add_column(column, justify="right")

    def row(name: str, count: Count, paper: float | None = None) -> None:
        low, high = count.interval
        table.add_row(
            name,
            f"{count.accuracy:.1%}",
            f"{low:.1%} – {high:.1%}",
            f"{paper:.1%}" if paper else "",
        )

    row("raw: the β-VAE codes of all sensors", evaluation.raw, PAPER["raw"])
    row("joint: M2VAE, all sensors at once", evaluation.joint, PAPER["joint"])
    row("joint, trained without re-encoding loss", evaluation.joint_without_reencoding)
    row("product of the three single posteriors", evaluation.product_of_experts)
    for title, field in (
        ("in place", "in_place"),
        ("in place, no re-encoding loss", "in_place_without_reencoding"),
    ):
        table.add_section()
        for order, count in getattr(evaluation, field).items():
            row(f"{title}: {order.replace(',', ' → ')}", count, PAPER[field])
    return table


def _premise_table(evaluation: Evaluation) -> Table:
    table = Table(title="The premise: what one sensor alone tells")
    table.add_column("sensor")
    for attribute in AMIRO.attributes:
        table.add_column(attribute, justify="right")
    for modality, counts in evaluation.single.items():
        table.add_row(modality, *(f"{count.accuracy:.1%}" for count in counts.values()))
    return table
