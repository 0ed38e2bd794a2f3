# SPDX-License-Identifier: Apache-2.0
"""Long missions under every rule and schedule, as numbers, tables and a figure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from m2vae_ros.datasets.samples import Samples
from m2vae_ros.experiments.figures import PALETTE, panels, save
from m2vae_ros.experiments.mission import Objects, fly, rules, schedules, to_json
from m2vae_ros.experiments.section import Table
from m2vae_ros.fusion.memory import MIN_GAIN
from m2vae_ros.training.suite import codes
from m2vae_ros.vae.weights import Weights


def evaluate(
    weights: Weights,
    twin: Weights,
    samples: Samples,
    steps: int,
    seed: int | None = None,
    source: str = "",
    only_rules: Collection[str] = (),
    only_schedules: Collection[str] = (),
) -> dict[str, Any]:
    """Send every object of the samples on every mission, with a progress bar.

    Args:
        weights: trained with the re-encoding loss.
        twin: trained without it.
        samples: that nobody trained on; at least one of each class.
        steps: looks after the first sensings.
        seed: the samples were drawn with, for the record.
        source: where they come from, for the record; by default the simulator.
        only_rules, only_schedules: names; all if empty.

    Returns:
        Everything measured, ready for JSON: ``rules`` and ``schedules`` tell what is what,
        ``missions`` holds rule -> schedule -> `to_json`.

    Raises:
        ValueError: a class of the weights has no sample, or there is no such rule or schedule.
    """
    all_rules = _chosen("rules", rules(weights, twin, MIN_GAIN), only_rules)
    all_schedules = _chosen("schedules", schedules(weights.m2vae.modalities), only_schedules)
    labels = torch.from_numpy(samples.labels)
    per_class = torch.bincount(labels, minlength=len(weights.suite.classes)).tolist()
    for name, members in zip(weights.suite.classes, per_class, strict=True):
        if not members:
            raise ValueError(f"samples: none is a {name}; a mission needs every class")
    objects = Objects(codes(weights.beta_vaes, samples), labels)
    # the twin has β-VAEs of its own only where they were trained apart
    twins = Objects(codes(twin.beta_vaes, samples), labels)
    missions: dict[str, dict[str, Any]] = {}
    total = len(all_rules) * len(all_schedules) * steps
    with tqdm(total=total, desc="missions", unit="look", dynamic_ncols=True) as bar:
        for rule_name, rule in all_rules.items():
            missions[rule_name] = {}
            for name, schedule in all_schedules.items():
                bar.set_postfix_str(f"{rule_name}: {name}")
                seen = objects if rule.weights is weights else twins
                course = fly(rule.make, rule.weights, schedule, seen, steps, progress=bar.update)
                missions[rule_name][name] = to_json(course, per_class)
    return {
        "n": len(samples),
        "looks": steps,
        "seed": seed,
        "source": source or f"simulator, seed {seed}",
        "fingerprint": weights.fingerprint,
        "min_gain": MIN_GAIN,
        "rules": {
            name: {
                "title": rule.title,
                "bytes_per_look": rule.per_look,
                "bytes_to_newcomer": rule.to_newcomer,
            }
            for name, rule in all_rules.items()
        },
        "schedules": {name: schedule.title for name, schedule in all_schedules.items()},
        "missions": missions,
    }


def _chosen(what: str, every: dict[str, Any], only: Collection[str]) -> dict[str, Any]:
    if unknown := set(only) - set(every):
        raise ValueError(f"{what}: {sorted(unknown)} are none of {', '.join(every)}")
    return {name: entry for name, entry in every.items() if name in only or not only}


def tables(measured: Mapping[str, Any]) -> Iterator[Table]:
    """The missions for people: one table for each rule, one row for each schedule."""
    for name, rule in measured["rules"].items():
        courses = measured["missions"][name]
        steps = list(next(iter(courses.values()))["steps"])
        shown = [step for step in steps if step.strip("0") in ("", "1") or step == steps[-1]]
        rows = []
        for schedule, course in courses.items():
            last = course["steps"][shown[-1]]
            rows.append(
                (
                    schedule,
                    *(_percent(course["steps"][step]["accuracy"]) for step in shown),
                    f"{_percent(last['low'])}–{_percent(last['high'])}",
                    _percent(min(last["classes"])),
                    _percent(course["lowest"]),
                    f"{100 * course['sent']:.0f}",
                )
            )
        yield Table(
            f"{rule['title']}: {measured['n']} objects, {measured['source']}, weights "
            f"{measured['fingerprint']}; in %, after so many further looks; numbers sent of an "
            f"object: {rule['bytes_per_look']} bytes a look, {rule['bytes_to_newcomer']} to a "
            "newcomer",
            ("schedule", *shown, "95 %", "worst class", "lowest", "sent"),
            rows,
        )


def _percent(rate: float) -> str:
    """Halves are rounded up, however they are represented: .9925 is 99.3."""
    return f"{100 * rate + 1e-9:.1f}"


def draw(measured: Mapping[str, Any], path: Path) -> None:
    """Accuracy over further looks, one panel for each schedule, one line for each rule, as PNG."""
    names = list(measured["schedules"])
    columns = 4
    rows = -(-len(names) // columns)
    figure, axes = panels(rows, columns, (2.9, 2.2), sharex=True, sharey=True)
    for panel in axes.flat[len(names) :]:
        panel.set_axis_off()
    for panel in axes.flat[max(0, len(names) - columns) : len(names)]:
        panel.tick_params(labelbottom=True)  # also above a place that stays empty
    for panel, schedule in zip(axes.flat, names, strict=False):
        for colour, rule in zip(PALETTE, measured["rules"], strict=False):
            course = measured["missions"][rule][schedule]["steps"]
            looks = [int(step) for step in course]
            panel.plot(
                [
                    max(step, 0.5) for step in looks
                ],  # before the first look, on an axis of logarithms
                [100 * cell["accuracy"] for cell in course.values()],
                color=colour,
                linewidth=2.0 if rule == "lasting" else 1.1,
                linestyle="--" if rule.endswith("without") else "-",
                zorder=3 if rule == "lasting" else 2,
                label=measured["rules"][rule]["title"],
            )
        panel.set_title(measured["schedules"][schedule].replace(": ", ":\n"), fontsize=8)
        panel.set_xscale("log")
        panel.set_ylim(0, 102)
        panel.grid(color="0.9", linewidth=0.5)
    figure.supxlabel("further looks at the object (0.5: none)", fontsize=9)
    figure.supylabel("objects classified right, %", fontsize=9)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=8, frameon=False)
    save(figure, path)
