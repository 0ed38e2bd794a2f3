# SPDX-License-Identifier: Apache-2.0
"""How cost grows with modalities, latent dimensions and robots: `make growth`.

Writes growth.json and growth.png. An exponent p is that of cost ~ size^p, fitted to the upper half
of the sizes, where the constant part counts least.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rclpy.serialization import serialize_message

from m2vae_ros.experiments.figures import PALETTE, panels, save
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.host.files import replacing
from m2vae_ros.ros.messages import embedding_message
from m2vae_ros.training.loop import Schedule
from m2vae_ros.training.m2vae import M2VAERecipe, train_m2vae
from m2vae_ros.vae.in_place import fuse_in_place
from tools.bench.grown import CODE, code, engine
from tools.bench.machine import machine
from tools.bench.teams import exchange
from tools.bench.timing import compare

SIZES = {
    "modalities": (2, 3, 4, 5, 6),
    "latent dimensions": (2, 4, 8, 16, 32, 64, 128),
    "robots": (1, 2, 4, 8, 16, 32),
}
SAMPLES = 1024
"""Of an epoch of training, in batches of 256."""

FUSION, TRAINING, REENCODING, MESSAGE = (
    "fusion step (µs)",
    "training, 1000 samples (ms)",
    "training with re-encoding loss (ms)",
    "message (bytes)",
)
RECEIVED, SENT, HEARD, SENT_BYTES = (
    "to take a message in (µs)",
    "messages sent per look",
    "messages received per look of each",
    "bytes sent per look",
)
TIMES = (FUSION, TRAINING, REENCODING, RECEIVED)

Curves = Mapping[str, Mapping[int, float]]
"""Quantity -> size -> value."""


def main() -> None:
    """Measure, fit, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("reports"), help="folder")
    out: Path = parser.parse_args().out
    torch.set_num_threads(1)
    curves = {
        "modalities": _of_models(SIZES["modalities"], lambda n: (n, 10)),
        "latent dimensions": _of_models(SIZES["latent dimensions"], lambda d: (3, d)),
        "robots": _of_teams(SIZES["robots"]),
    }
    numbers = {
        "machine": machine(),
        **{
            axis: {
                name: {"values": values, "exponent": exponent(values)}
                for name, values in of_axis.items()
            }
            for axis, of_axis in curves.items()
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "growth.json") as temporary:
        temporary.write_text(json.dumps(numbers, indent=1, ensure_ascii=False) + "\n")
    save(picture(curves), out / "growth.png")
    for axis, of_axis in curves.items():
        for name, values in of_axis.items():
            print(f"{axis:18} {name:38} exponent {exponent(values):5.2f}")


def exponent(values: Mapping[int, float]) -> float:
    """The p of value ~ size^p, by least squares on logarithms over the upper half of the sizes."""
    sizes = sorted(size for size, value in values.items() if value > 0)
    upper = sizes[len(sizes) // 2 - 1 :]
    slope, _ = np.polyfit(np.log(upper), np.log([values[size] for size in upper]), 1)
    return round(float(slope), 2)


def _of_models(sizes: Sequence[int], shape: Callable[[int], tuple[int, int]]) -> Curves:
    """Curves over sizes, each of which stands for numbers of modalities and latent dimensions."""
    curves: dict[str, dict[int, float]] = {
        name: {} for name in (FUSION, TRAINING, REENCODING, MESSAGE)
    }
    steps = {}
    for size in sizes:
        modalities, latent_dim = shape(size)
        steps[size], curves[MESSAGE][size] = _running(modalities, latent_dim)
    measured = compare({f"{size}": {"engine": step} for size, step in steps.items()})
    for size, figure in zip(sizes, measured.figures, strict=True):
        curves[FUSION][size] = 1e6 * figure.own.median
    for name, alpha in ((TRAINING, 0.0), (REENCODING, M2VAERecipe.alpha)):
        for size in sizes:
            curves[name][size] = _training(*shape(size), alpha)
    return curves


def _running(modalities: int, latent_dim: int) -> tuple[Callable[[], object], int]:
    """A fusion step, of the last modality into all others; and the bytes of an embedding of all."""
    model = engine(modalities, latent_dim)
    observed = {name: code(i) for i, name in enumerate(model.modalities)}
    *held, last = model.modalities
    mean = model.encode({name: observed[name] for name in held}).mean
    memory = ObjectMemory(model, "robot1", 0.3)
    outcome = memory.observe("it", (0.0, 0.0, 0.0), observed, dict.fromkeys(observed, 1))
    size = len(serialize_message(embedding_message(outcome.embedding)))
    return lambda: fuse_in_place(model, mean, held, {last: observed[last]}), size


def _training(modalities: int, latent_dim: int, alpha: float) -> float:
    """Milliseconds of training for a thousand samples, the median of three epochs."""
    x = {f"m{i}": torch.randn(SAMPLES, CODE) for i in range(modalities)}
    recipe = M2VAERecipe(latent_dim, alpha=alpha, warm_up=(0, 0), schedule=Schedule(epochs=1))
    seconds = []
    for _ in range(4):
        begin = time.perf_counter()
        train_m2vae(recipe, x, 0, quiet=True)
        seconds.append(time.perf_counter() - begin)
    return 1e3 * median(seconds[1:]) / (SAMPLES / 1000)


def _of_teams(sizes: Sequence[int]) -> Curves:
    found = {size: exchange(size) for size in sizes}
    assert all(one.agreed for one in found.values())
    return {
        RECEIVED: {n: 1e6 * one.seconds for n, one in found.items() if n > 1},
        SENT: {n: one.sent for n, one in found.items()},
        HEARD: {n: one.sent * (n - 1) for n, one in found.items() if n > 1},
        SENT_BYTES: {n: one.sent_bytes for n, one in found.items()},
    }


def picture(curves: Mapping[str, Curves]) -> Figure:
    """Times above, messages below; a column for each thing that grows."""
    drawing, axes = panels(2, len(curves), (3.7, 3.1))
    for column, (axis, of_axis) in zip(axes.T, curves.items(), strict=True):
        _draw(column[0], axis, {n: v for n, v in of_axis.items() if n in TIMES})
        _draw(column[1], axis, {n: v for n, v in of_axis.items() if n not in TIMES})
    return drawing


def _draw(panel: Axes, axis: str, curves: Curves) -> None:
    for index, (name, values) in enumerate(curves.items()):
        panel.plot(
            list(values),
            list(values.values()),
            marker="os^"[index],
            markersize=4,
            linewidth=1.2,
            color=PALETTE[(0, 2, 4)[index]],
            label=f"{name}, ∝ n^{exponent(values):.2f}",
        )
    sizes = sorted({size for values in curves.values() for size in values})
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xticks(sizes, [f"{size}" for size in sizes])
    panel.minorticks_off()
    low = min(min(values.values()) for values in curves.values())
    high = max(max(values.values()) for values in curves.values())
    panel.set_ylim(low / 2, high * 8)  # room for the legend
    panel.grid(color="0.9", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.set_xlabel(axis)
    panel.legend(loc="upper left", frameon=False, fontsize=7.5)


if __name__ == "__main__":
    main()
