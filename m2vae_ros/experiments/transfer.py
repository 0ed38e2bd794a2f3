# SPDX-License-Identifier: Apache-2.0
"""From one simulator to the other: do weights trained in MuJoCo serve in Gazebo, and back?

Only when asked for, because it needs bags that were recorded in Gazebo (`m2vae survey`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from m2vae_ros.bags.worlds import read_bags
from m2vae_ros.datasets.errors import DataError
from m2vae_ros.datasets.samples import Samples
from m2vae_ros.experiments.amiro import evaluate
from m2vae_ros.experiments.camera_lidar import simulated
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.experiments.section import Check, Prose, Section, Table
from m2vae_ros.host.files import replacing
from m2vae_ros.host.resources import resource
from m2vae_ros.training.fine_tuning import Pretrained, fine_tuning
from m2vae_ros.training.suite import WITHOUT_REENCODING, SuiteRecipe, train
from m2vae_ros.training.time_limit import limited
from m2vae_ros.vae.weights import load
from m2vae_ros.world.suite import AMIRO

NAME = "transfer"
WORLDS = {"mujoco": "MuJoCo", "gazebo": "Gazebo"}
MINUTES = 10.0
"""Of fine-tuning."""

LEAST_IN_PLACE = 0.96
MOST_LOST = 0.01

TRAINED = {
    "mujoco": "MuJoCo",
    "gazebo": "Gazebo",
    "mujoco_tuned": f"MuJoCo, {MINUTES:g} min Gazebo",
    "gazebo_tuned": f"Gazebo, {MINUTES:g} min MuJoCo",
}
"""Key of the numbers -> what was trained on, in the order of the table."""

_SEEDS = {"train": 11, "test": 12}


def run(lab: Lab) -> None:
    """Train in each world, and on in the other; evaluate all in both; publish transfer.json.

    Raises:
        DataError: there are no bags from Gazebo, or too few; or samples or weights that are there
            were made of others.
    """
    drawn = {"train": 300, "test": 200} if lab.quick else {"train": 8000, "test": 4000}
    sets = {}
    for part, count in drawn.items():
        kept = lab.runs / NAME / f"mujoco-{count}-{_SEEDS[part]}.npz"
        recorded = _recorded(lab, part)  # which may say that there is none, before any is drawn
        sets[part] = {"gazebo": recorded, "mujoco": simulated(kept, count, _SEEDS[part])}
    shipped = resource("models/amiro")
    folders = {"mujoco": shipped, "gazebo": lab.runs / NAME / "gazebo"}
    _train(folders["gazebo"], sets["train"]["gazebo"], "gazebo", minutes=_limit(lab))
    for world, other in (("mujoco", "gazebo"), ("gazebo", "mujoco")):
        folders[f"{world}_tuned"] = folder = lab.runs / NAME / f"{world}_tuned"
        minutes = _limit(lab) or MINUTES
        _train(folder, sets["train"][other], other, start=folders[world], minutes=minutes)
    numbers: dict[str, Any] = {"trained": {}}
    for name in TRAINED:
        weights = Pretrained.load(folders[name], AMIRO, with_twin=True).trained
        numbers["trained"][name] = {
            world: evaluate(
                weights[""], weights[WITHOUT_REENCODING], samples, source=WORLDS[world]
            ).to_json()
            for world, samples in sets["test"].items()
        }
    numbers["samples"] = {
        part: {world: len(samples) for world, samples in of.items()} for part, of in sets.items()
    }
    numbers["sha256"] = {
        part: {world: samples.digest() for world, samples in of.items()}
        for part, of in sets.items()
    }
    lab.publish(
        NAME,
        numbers,
        settings={"minutes": _limit(lab) or MINUTES},
        seeds=_SEEDS,
    )


def _limit(lab: Lab) -> float | None:
    """Minutes that any training may take, to see that everything works."""
    return 0.05 if lab.quick else None


def _recorded(lab: Lab, part: str) -> Samples:
    """The samples of the bags in a folder, which is read once; beside them lies what it held.

    Raises:
        DataError: there are no bags, or too few, or the samples were made of others.
    """
    path = lab.runs / NAME / f"gazebo-{part}.npz"
    key, folder = path.with_suffix(".key"), lab.bags / part
    state = _state(folder) if folder.is_dir() else None
    if not path.exists():
        if state is None:
            raise DataError(
                f"{folder}: no such folder; `m2vae survey {folder}` records bags in Gazebo, "
                "--bags says where they are"
            )
        key.unlink(missing_ok=True)
        read_bags([folder], seed=_SEEDS[part])[0].save(path)
    if state is not None:
        if not key.exists():
            with replacing(key) as temporary:
                temporary.write_text(state)
        if key.read_text() != state:
            raise DataError(f"{path}: was made of other bags than those in {folder}; remove it")
    return Samples.load(path)


def _state(folder: Path) -> str:
    """Digits that name the files of a folder, as they are now."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    state = [(str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return hashlib.sha256(repr(state).encode()).hexdigest()


def _train(
    folder: Path,
    samples: Samples,
    world: str,
    *,
    start: Path | None = None,
    minutes: float | None = None,
) -> None:
    """Train weights that are not there yet, from `start` or from nothing.

    Raises:
        DataError: those that are there were trained on other samples, or from another start.
    """
    if folder.with_name(folder.name + WITHOUT_REENCODING).exists():
        facts = load(folder).facts
        origin = load(start).fingerprint if start else None
        if facts["data"]["sha256"] != samples.digest() or facts["training"].get("from") != origin:
            raise DataError(
                f"{folder}: was trained on other samples or from other weights; remove it and "
                f"{folder.name}{WITHOUT_REENCODING}"
            )
        return
    recipe, pretrained = SuiteRecipe.of(AMIRO), None
    if start is not None:
        pretrained = Pretrained.load(start, AMIRO, with_twin=True)
        recipe = fine_tuning(recipe)
    recipe = recipe.suited_to(len(samples))
    if minutes is not None:
        recipe, _ = limited(recipe, samples, minutes, folder / ".training" / "plan.json")
    train(samples, folder, recipe, {"source": WORLDS[world]}, pretrained, with_twin=True)


def section(numbers: Mapping[str, Any]) -> Section:
    """The transfer between the worlds for the report."""
    trained = numbers["trained"]
    here, there, own = (
        trained[of][world]["joint"]
        for of, world in (("mujoco", "mujoco"), ("mujoco", "gazebo"), ("gazebo", "gazebo"))
    )
    *_, worst = _rates(trained["mujoco"]["gazebo"])
    say = Prose(NAME, samples=numbers["samples"], least=LEAST_IN_PLACE)
    checks = [
        Check(say("in_place"), f"{worst:.1%}", worst >= LEAST_IN_PLACE),
        Check(say("as_joint"), f"{worst:.1%}, joint {there:.1%}", there - worst <= MOST_LOST),
        Check(
            say("serves_both"),
            f"{there:.1%}, its own {own:.1%}; in MuJoCo {here:.1%}",
            own - there <= MOST_LOST,
        ),
    ]
    quantities = [
        f"{world}: {q}" for world in WORLDS.values() for q in ("raw", "joint", "in place")
    ]
    rows = [
        (
            title + " (shipped)" * (name == "mujoco"),
            *(f"{rate:.1%}" for world in WORLDS for rate in _rates(trained[name][world])),
        )
        for name, title in TRAINED.items()
    ]
    return say.section(checks, [Table(say("caption"), ("trained in", *quantities), rows)])


def _rates(measured: Mapping[str, Any]) -> tuple[float, float, float]:
    """Raw, joint, in place in the worst order."""
    return measured["raw"], measured["joint"], min(measured["in_place"].values())
