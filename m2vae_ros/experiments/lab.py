# SPDX-License-Identifier: Apache-2.0
"""Where experiments run: many trainings at once, each resumable, and where their numbers go."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed
from tqdm import tqdm

import m2vae_ros
from m2vae_ros.host.files import write_json

FIRST_FRESH = 10
"""See `Lab.fresh_seeds`."""


@dataclass(frozen=True)
class Lab:
    """What every experiment is given.

    Attributes:
        out: folder of the results: one JSON per experiment, the figures, and ``reproduce.json``.
        runs: folder of the trainings. A finished one is loaded, an interrupted one resumed.
        quick: a fraction of the samples, epochs and seeds, to see that everything works.
        seeds: how many times a training of the tables is repeated.
        workers: processes; each computes with one thread.
        bags: folder with bags from Gazebo, in ``train`` and ``test``.
        began: when the experiment did, by `time.monotonic`.
    """

    out: Path
    runs: Path
    quick: bool = False
    seeds: int = 5
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    bags: Path = Path("bags")
    began: float = field(default_factory=time.monotonic)

    @property
    def fresh_seeds(self) -> list[int]:
        """Seeds by which nothing was chosen; those below them served for that."""
        return list(range(FIRST_FRESH, FIRST_FRESH + self.seeds))

    def training(self, *names: object, recipe: Any, data: str) -> dict[str, Any]:
        """What `m2vae_ros.training.loop.fit` is given for one training: its checkpoint and its key.

        Args:
            names: of the training, e.g. table, model, seed.
            recipe: a dataclass or mapping that JSON can hold; another recipe is another training.
            data: names the data set and how it was drawn.
        """
        recipe = asdict(recipe) if is_dataclass(type(recipe)) else recipe
        path = self.runs.joinpath(*(str(name).replace(" ", "-") for name in names))
        key = json.dumps([data, recipe])
        return {"checkpoint": path.with_name(f"{path.name}.safetensors"), "key": key, "quiet": True}

    def map(
        self, title: str, job: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]
    ) -> list[Any]:
        """Call ``job(*a)`` for each ``a`` of the arguments in parallel, with a progress bar.

        Args:
            title: beside the progress bar.
            job: a function of a module, so that another process can import it.
            arguments: of the calls.

        Returns:
            The results, in the order of the arguments.
        """
        calls = (delayed(_indexed)(index, job, a) for index, a in enumerate(arguments))
        results: list[Any] = [None] * len(arguments)
        pool = Parallel(n_jobs=min(self.workers, len(arguments)), return_as="generator_unordered")
        with tqdm(total=len(arguments), desc=title, dynamic_ncols=True) as bar:
            for index, result in pool(calls):
                results[index] = result
                bar.update()
        return results

    def publish(self, name: str, numbers: Mapping[str, Any], **facts: Any) -> None:
        """Write ``name``.json, and the same with seeds, versions and times into reproduce.json.

        Args:
            name: of the experiment.
            numbers: what was measured.
            facts: how: settings, seeds.
        """
        write_json(self.out / f"{name}.json", numbers)
        everything = self.out / "reproduce.json"
        known = json.loads(everything.read_text()) if everything.exists() else {}
        known[name] = {
            "numbers": numbers,
            **facts,
            "seconds": round(time.monotonic() - self.began),
            "quick": self.quick,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "versions": {
                "m2vae_ros": m2vae_ros.__version__,
                "python": platform.python_version(),
                **{package: version(package) for package in ("torch", "numpy", "scikit-learn")},
            },
        }
        write_json(everything, known)

    def published(self, name: str) -> Any:
        """The numbers of an experiment, None if it was not run."""
        path = self.out / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None


def summary(values: Sequence[float]) -> dict[str, Any]:
    """A table's cell: the mean and standard deviation over seeds, and the value of each seed."""
    tensor = torch.tensor(values, dtype=torch.float64)
    std = tensor.std(correction=1).item() if len(values) > 1 else 0.0
    return {"mean": tensor.mean().item(), "std": std, "seeds": list(values)}


def over_seeds(measured: Sequence[Any]) -> Any:
    """The same nested mapping with the summary over the seeds in the place of every number."""
    if isinstance(measured[0], Mapping):
        return {key: over_seeds([m[key] for m in measured]) for key in measured[0]}
    return summary(measured)


def _indexed(index: int, job: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[int, Any]:
    torch.set_num_threads(1)  # the processes share the cores already
    return index, job(*arguments)
