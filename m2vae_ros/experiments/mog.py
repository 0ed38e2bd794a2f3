# SPDX-License-Identifier: Apache-2.0
"""Figures 3a and 4: the Mixture of Gaussians, and where each model embeds it in the plane.

The paper reads three things off its Fig. 4, and they are measured here: an unambiguous object has
one embedding, whatever was observed of it; where an observation is ambiguous, the evidence lower
bound goes down; and there the divergence from the prior behaves inversely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure as Drawing
from scipy.stats import spearmanr
from sklearn.naive_bayes import GaussianNB

from m2vae_ros.datasets.labelled import Labelled
from m2vae_ros.datasets.mog import CLASSES, MEANS
from m2vae_ros.experiments import table1
from m2vae_ros.experiments.contenders import COLUMNS, MODALITIES, embeddings, tensors
from m2vae_ros.experiments.figures import PALETTE, panels, save
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.experiments.section import Check, Prose, Section, Table
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.m2vae import Subset
from m2vae_ros.vae.objectives import beta_of, elbo

NAME = "mog"
MODEL = "M2VAE"
OTHERS = ("JMVAE-Zero", "tVAE", "JMVAE")
SEED = 0
POSTERIOR_SAMPLES = 20

_BY_CLASS: dict[str, Any] = {"cmap": ListedColormap(PALETTE), "vmin": -0.5, "vmax": CLASSES - 0.5}
_DOTS: dict[str, Any] = {"s": 2.0, "linewidths": 0, "rasterized": True}


@dataclass(frozen=True)
class Embedded:
    """The test set in the latent space of one model, each as column -> array.

    Attributes:
        z: the embeddings (N, 2).
        elbo: the bound of training for all modalities from what the column observes (N,), in nats:
            E_q(z|S)[log p(a, b|z)] - β D_KL(q(z|S) ‖ p(z)), which is Eq. 20 with the β of training.
            Only with both decoded can it tell an ambiguous observation.
        kl: D_KL(q(z|S) ‖ p(z)) (N,), in nats.
        classifier: the naive Bayes of Table I, fitted to the training set's embeddings.
    """

    z: Mapping[str, np.ndarray]
    elbo: Mapping[str, np.ndarray]
    kl: Mapping[str, np.ndarray]
    classifier: GaussianNB


def ambiguous(subset: Subset) -> list[int]:
    """The classes that share their means with another one in all modalities of the subset."""
    means = np.concatenate([MEANS[m] for m in subset], axis=1)
    distances = np.linalg.norm(means[:, None] - means[None], axis=-1)
    shared: list[int] = np.flatnonzero((distances < 1e-9).sum(1) > 1).tolist()
    return shared


def settings(quick: bool) -> table1.Settings:
    """Those of Table I: the models are the same."""
    return table1.settings(quick)


def run(lab: Lab) -> None:
    """Embed the test set with every model, draw fig3a.png, fig4.png and fig4_others.png."""
    setting = settings(lab.quick)
    names = (MODEL, *OTHERS)
    results = lab.map("Figure 4", embed, [(lab, setting, name) for name in names])
    embedded = dict(zip(names, results, strict=True))
    _, test = table1.samples(setting, SEED)
    save(draw_inputs(test), lab.out / "fig3a.png")
    save(draw_embeddings(embedded[MODEL], test.labels), lab.out / "fig4.png")
    others = {name: embedded[name] for name in OTHERS}
    save(draw_others(others, test.labels), lab.out / "fig4_others.png")
    lab.publish(
        NAME,
        {name: statistics(of_model, test.labels) for name, of_model in embedded.items()},
        settings=asdict(setting),
        seeds=[SEED],
    )


def embed(lab: Lab, setting: table1.Settings, name: str) -> Embedded:
    """Train or load one model of Table I and embed the test set."""
    train, test = table1.samples(setting, SEED)
    model = table1.trained(lab, setting, name, SEED)
    x = tensors(test.x)
    beta = beta_of(model, model.modalities, setting.recipe.beta_norm)
    bounds, divergences = {}, {}
    torch.manual_seed(SEED)
    with torch.no_grad():
        for column, subset in COLUMNS.items():
            posterior = model.encode({m: x[m] for m in subset})
            assert isinstance(posterior, Gaussian)  # none of these models mixes
            draws = [
                elbo(model.log_likelihood(x, posterior.sample()), posterior, beta)
                for _ in range(POSTERIOR_SAMPLES)
            ]
            bounds[column] = torch.stack(draws).mean(0).numpy()
            divergences[column] = posterior.kl_to_prior().numpy()
    return Embedded(
        embeddings(model, test.x),
        bounds,
        divergences,
        table1.one_classifier(embeddings(model, train.x), train.labels),
    )


def statistics(embedded: Embedded, labels: np.ndarray) -> dict[str, Any]:
    """What is read off the figure, for each column.

    Args:
        embedded: the test set.
        labels: its classes, (N,).

    Returns:
        Column -> mean ``elbo`` and ``kl`` of its ``ambiguous`` (None if there are no such) and
        ``unambiguous`` samples, and ``kl_by_all`` of the same samples by all modalities;
        ``correlation``: Spearman's, of the two over all samples; and ``distance`` of the
        unambiguous embeddings to those of all modalities, on average, in units of their spread
        (the root mean square distance to their centre).
    """
    whole = next(iter(COLUMNS))
    spread = np.sqrt(np.square(embedded.z[whole] - embedded.z[whole].mean(0)).sum(1).mean())
    result: dict[str, dict[str, Any]] = {}
    for column, subset in COLUMNS.items():
        shared = np.isin(labels, ambiguous(subset))
        distances = np.linalg.norm(embedded.z[column] - embedded.z[whole], axis=1)
        result[column] = {
            group: {
                "elbo": float(embedded.elbo[column][members].mean()),
                "kl": float(embedded.kl[column][members].mean()),
                "kl_by_all": float(embedded.kl[whole][members].mean()),
                "samples": int(members.sum()),
            }
            if members.any()
            else None
            for group, members in (("ambiguous", shared), ("unambiguous", ~shared))
        }
        result[column]["correlation"] = float(
            spearmanr(embedded.elbo[column], embedded.kl[column]).statistic
        )
        result[column]["distance"] = float(distances[~shared].mean() / spread)
    return result


def draw_inputs(samples: Labelled) -> Drawing:
    """Fig. 3a: both input signals, coloured by class."""
    figure, axes = panels(1, 2, (3.4, 3.2))
    for panel, (modality, x) in zip(axes[0], samples.x.items(), strict=True):
        _classes(panel, x, samples.labels)
        panel.set_title(f"modality {modality}")
        panel.set_box_aspect(1)
        panel.set_aspect("equal", adjustable="datalim")
    return figure


def draw_embeddings(embedded: Embedded, labels: np.ndarray) -> Drawing:
    """Fig. 4: rows a) classes, b) ELBO, c) divergence from the prior, d) the classifier."""
    figure, axes = panels(4, len(COLUMNS), (2.7, 2.4), sharex=True, sharey=True)
    _head(axes)
    for row, name in enumerate(
        ("a) class", "b) ELBO", "c) $D_{KL}$ to the prior", "d) classifier")
    ):
        axes[row, 0].set_ylabel(name)
    for panel, z in zip(axes[0], embedded.z.values(), strict=True):
        _classes(panel, z, labels)
    for row, values in ((1, embedded.elbo), (2, embedded.kl)):
        _values(figure, axes[row], embedded.z, values)
    _decisions(axes[3], embedded, labels)
    return figure


def draw_others(others: Mapping[str, Embedded], labels: np.ndarray) -> Drawing:
    """Rows a) and d) of Fig. 4 in one, for other models; each in its own latent space."""
    figure, axes = panels(len(others), len(COLUMNS), (2.7, 2.4), sharex="row", sharey="row")
    _head(axes)
    for row, (name, embedded) in zip(axes, others.items(), strict=True):
        row[0].set_ylabel(name)
        _decisions(row, embedded, labels)
        for panel, z in zip(row, embedded.z.values(), strict=True):
            _name(panel, z, labels)
    return figure


def section(numbers: Mapping[str, Any]) -> Section:
    """Figures 3a and 4 for the report."""
    ours = numbers[MODEL]
    say = Prose(
        NAME,
        numbers=numbers,
        model=MODEL,
        seed=SEED,
        columns=COLUMNS,
        ambiguous={m: _listed(ambiguous((m,))) for m in MODALITIES},
    )
    checks = []
    for column in ("a", "b"):
        shared, alone = ours[column]["ambiguous"], ours[column]["unambiguous"]
        checks += [
            Check(
                say("lower_elbo", column=column),
                f"{shared['elbo']:.3f}, elsewhere {alone['elbo']:.3f} nats",
                shared["elbo"] < alone["elbo"],
            ),
            Check(
                say("higher_kl", column=column),
                f"{shared['kl']:.2f}, elsewhere {alone['kl']:.2f} nats",
                shared["kl"] > alone["kl"],
            ),
        ]
    for other in ("JMVAE-Zero", "tVAE"):
        near, far = ([of[c]["distance"] for c in ("a", "b")] for of in (ours, numbers[other]))
        pairs = list(zip(near, far, strict=True))
        measured = " and ".join(f"{n:.3f} to {f:.3f}" for n, f in pairs)
        checks.append(Check(say("coherent", other=other), measured, all(n < f for n, f in pairs)))
    coherence = [
        (name, *(f"{of[c]['distance']:.3f}" for c in ("a", "b"))) for name, of in numbers.items()
    ]
    header = ("observed", "classes", "samples", "ELBO", "D_KL")
    tables = [
        Table(say("ambiguity"), header, _ambiguity(ours)),
        Table(say("coherence"), ("model", "a", "b"), coherence),
    ]
    return say.section(checks, tables, ("fig3a.png", "fig4.png", "fig4_others.png"))


def _ambiguity(ours: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for column, subset in COLUMNS.items():
        unclear = ambiguous(subset)
        clear = [label for label in range(CLASSES) if label not in unclear]
        for group, classes in (("ambiguous", unclear), ("unambiguous", clear)):
            if cell := ours[column][group]:
                observed = f"{' & '.join(subset)}, {group}"
                measured = (f"{cell['samples']}", f"{cell['elbo']:.3f}", f"{cell['kl']:.2f}")
                rows.append((observed, _listed(classes), *measured))
    return rows


def _listed(classes: Sequence[int]) -> str:
    return ", ".join(map(str, classes))


def _head(axes: np.ndarray) -> None:
    for panel, subset in zip(axes[0], COLUMNS.values(), strict=True):
        panel.set_title(f"$q(z \\mid {', '.join(subset)})$")


def _classes(panel: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    x, y = points.T
    panel.scatter(x, y, c=labels, **_BY_CLASS, **_DOTS)
    _name(panel, points, labels)


def _name(panel: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    """Write each class's number where it lies; those in one place stand together."""
    centres = np.array([np.median(points[labels == label], axis=0) for label in range(CLASSES)])
    near = 0.04 * np.ptp(panel.get_xlim())
    unnamed = list(range(CLASSES))
    while unnamed:
        here = centres[unnamed[0]]
        together = [k for k in unnamed if np.linalg.norm(centres[k] - here) < near]
        unnamed = [k for k in unnamed if k not in together]
        x, y = here
        name = panel.text(x, y, ",".join(map(str, together)), ha="center", va="center", size=7)
        name.set_bbox({"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75})


def _values(
    figure: Drawing,
    row: Sequence[Axes],
    z: Mapping[str, np.ndarray],
    values: Mapping[str, np.ndarray],
) -> None:
    """Points coloured by a quantity, on one scale for the row that leaves out the outermost 1 %."""
    low, high = np.percentile(np.concatenate(list(values.values())), (1, 99))
    for panel, column in zip(row, COLUMNS, strict=True):
        x, y = z[column].T
        dots = panel.scatter(x, y, c=values[column], vmin=low, vmax=high, cmap="viridis", **_DOTS)
    figure.colorbar(dots, ax=list(row), label="nats", extend="both", aspect=15)


def _decisions(row: Sequence[Axes], embedded: Embedded, labels: np.ndarray) -> None:
    """Where one classifier decides for which class, under the points of all columns."""
    every = np.concatenate(list(embedded.z.values()))
    margin = 0.05 * np.ptp(every, axis=0)
    (left, bottom), (right, top) = every.min(0) - margin, every.max(0) + margin
    x, y = np.meshgrid(np.linspace(left, right, 400), np.linspace(bottom, top, 400))
    decided = embedded.classifier.predict(np.stack([x.ravel(), y.ravel()], 1)).reshape(x.shape)
    for panel, z in zip(row, embedded.z.values(), strict=True):
        panel.pcolormesh(x, y, decided, alpha=0.35, rasterized=True, **_BY_CLASS)
        for label in np.unique(decided):
            panel.contour(x, y, decided == label, levels=[0.5], colors="black", linewidths=0.4)
        panel.scatter(z[:, 0], z[:, 1], c=labels, **_BY_CLASS, **_DOTS)
        panel.set(xlim=(left, right), ylim=(bottom, top))
