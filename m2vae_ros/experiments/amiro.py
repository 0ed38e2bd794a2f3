# SPDX-License-Identifier: Apache-2.0
"""Section V-D: can an object be classified from an embedding that three robots fused in place?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import torch
from torch import Tensor

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.experiments.counts import Count
from m2vae_ros.experiments.section import Table
from m2vae_ros.training.suite import codes
from m2vae_ros.vae.baselines import product_of_experts
from m2vae_ros.vae.in_place import sensed_in_turn
from m2vae_ros.vae.weights import Weights
from m2vae_ros.world.suite import AMIRO

PAPER = {"raw": 0.971, "joint": 0.962, "in_place": 0.943, "in_place_without_reencoding": 0.658}
"""The paper's classification rates, section V-D."""

IN_PLACE = {
    "in_place": "in place",
    "in_place_without_reencoding": "in place, no re-encoding loss",
}
"""Field of `Evaluation` -> what it is called."""


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
        measured = dict(vars(self))
        origin = {key: measured.pop(key) for key in ("seed", "fingerprint", "source")}
        accuracies = _each(lambda count: count.accuracy, measured)
        return {**accuracies, "n": self.raw.n, **origin, "counts": _each(Count.to_json, measured)}


def _each(of: Callable[[Count], Any], counts: Any) -> Any:
    """The same nested mapping with a function of each count in its place."""
    if isinstance(counts, Count):
        return of(counts)
    return {key: _each(of, entry) for key, entry in counts.items()}


def evaluate(
    weights: Weights,
    twin: Weights,
    samples: Samples,
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


def _in_place(
    weights: Weights, inputs: Mapping[str, Tensor], labels: Tensor
) -> Iterator[tuple[str, Count]]:
    for order in permutations(inputs):
        *_, mean = sensed_in_turn(weights.m2vae, inputs, order)
        yield ",".join(order), _count(weights.classifiers["embedding"](mean), labels)


def _count(probabilities: Tensor, labels: Tensor) -> Count:
    return Count(int((probabilities.argmax(-1) == labels).sum()), len(labels))


def tables(numbers: Mapping[str, Any]) -> list[Table]:
    """An evaluation for people, from its JSON: the table of section V-D and the premise."""
    origin = f"{numbers['n']} samples, {numbers['source']}, weights {numbers['fingerprint']}"
    alone = [
        (sensor, *(f"{accuracy:.1%}" for accuracy in of.values()))
        for sensor, of in numbers["single"].items()
    ]
    return [
        fusion_table(f"Section V-D: {origin}", numbers),
        Table("The premise: what one sensor alone tells", ("sensor", *AMIRO.attributes), alone),
    ]


def fusion_table(caption: str, numbers: Mapping[str, Any], ends_alone: bool = False) -> Table:
    """The table of section V-D beside the paper's rates.

    Args:
        caption: of the table.
        numbers: of `Evaluation.to_json`.
        ends_alone: shows the best and the worst order instead of all.
    """
    counts = numbers["counts"]
    found = [
        ("raw: the β-VAE codes of all sensors", counts["raw"], "raw"),
        ("joint: M²VAE, all sensors at once", counts["joint"], "joint"),
        ("joint, trained without the re-encoding loss", counts["joint_without_reencoding"], ""),
        (
            "product of the three single posteriors, no fusion encoder",
            counts["product_of_experts"],
            "",
        ),
    ]
    for kind, title in IN_PLACE.items():
        path = {order: order.replace(",", " → ") for order in numbers[kind]}
        named = [(f"{title}: {path[order]}", order) for order in path]
        if ends_alone:
            ends = {
                end: of(path, key=numbers[kind].get) for end, of in (("best", max), ("worst", min))
            }
            named = [(f"{title}, {e} of six orders ({path[o]})", o) for e, o in ends.items()]
        found += [(name, counts[kind][order], kind) for name, order in named]
    rows = [
        (
            name,
            f"{count['right'] / count['n']:.1%}",
            f"{count['low']:.1%} – {count['high']:.1%}",
            f"{PAPER[paper]:.1%}" if paper else "",
        )
        for name, count, paper in found
    ]
    return Table(caption, ("what the classifier reads", "right", "95 % interval", "paper"), rows)
