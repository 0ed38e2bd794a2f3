# SPDX-License-Identifier: Apache-2.0
"""Fig. 5: what re-encoding does to the latent space, in pictures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from torch import Tensor

from m2vae_ros.experiments import reencoding
from m2vae_ros.experiments.contenders import tensors
from m2vae_ros.experiments.figures import PALETTE, image_grid, panels, save
from m2vae_ros.experiments.in_place import trajectory
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.vae.likelihoods import LIKELIHOODS
from m2vae_ros.vae.m2vae import M2VAE, Subset
from m2vae_ros.vae.objectives import beta_of, elbo

SIDE = 3.5
"""The latent plane is drawn from -SIDE to SIDE."""
_PIXELS = 121
_DIGIT = 3  # the class the paper follows
_FOLLOWED = 8
_STEPS = max(reencoding.STEPS)


def draw(lab: Lab) -> None:
    """Draw fig5_*.png from the models of seed 0."""
    settings = reencoding.settings(lab.quick)
    models = {loss: reencoding.trained(lab, "mnist", loss, 0) for loss in reencoding.LOSSES}
    _, test = reencoding.samples("mnist", settings["mnist"], 0)
    x = tensors(test.x)
    beta_norm = settings["mnist"].recipe.beta_norm
    with torch.no_grad():
        surfaces = {
            loss: statistics(model, plane(), model.modalities, beta_norm)
            for loss, model in models.items()
        }
        _draw_embeddings(lab, models, surfaces, x, test.labels)
        _draw_decodings(lab, models, x, test.labels)
        _draw_statistics(lab, surfaces)
        _draw_mog(lab, settings["mog"])


def plane() -> Tensor:
    """The points of the drawn part of the latent plane, row by row from the bottom, (N, 2)."""
    line = torch.linspace(-SIDE, SIDE, _PIXELS)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)


def statistics(model: M2VAE, z: Tensor, held: Subset, beta_norm: float) -> dict[str, Tensor]:
    """The latent statistics of section V-B, each (N,), by unfolding z and encoding it again.

    z_diff is Eq. 21 with the posterior's mean; E_rec the reconstruction loss of what z unfolds to,
    less what a perfect reconstruction would cost; E_KL the divergence of its posterior from the
    prior, E both together, i.e. the negative bound (Eq. 1), and σ the root of the summed variances.
    """
    unfolded = {m: model.decode(m, z) for m in held}
    posterior = model.encode(unfolded)
    perfect = sum(
        LIKELIHOODS[model.config.likelihoods.get(m, "gaussian")](x, x) for m, x in unfolded.items()
    )
    likelihood = model.log_likelihood(unfolded, posterior.mean) - perfect
    beta = beta_of(model, held, beta_norm)
    return {
        "z_diff": (posterior.mean - z).norm(dim=1),
        "E_rec": -likelihood,
        "E": -elbo(likelihood, posterior, beta),
        "σ": posterior.log_variance.exp().sum(1).sqrt(),
        "E_KL": posterior.kl_to_prior(),
    }


def _title(loss: str) -> str:
    return f"{loss} re-encoding loss"


def _draw_embeddings(
    lab: Lab,
    models: Mapping[str, M2VAE],
    surfaces: Mapping[str, Mapping[str, Tensor]],
    x: Mapping[str, Tensor],
    labels: np.ndarray,
) -> None:
    """a) Embeddings by class, and where some of one class end; c) z_diff over the plane."""
    figure, axes = panels(2, 2, (4.2, 3.8), sharex=True, sharey=True)
    top = max(float(np.quantile(surface["z_diff"], 0.98)) for surface in surfaces.values())
    for column, (loss, model) in enumerate(models.items()):
        z = model.encode(x).mean
        above, below = axes[:, column]
        above.scatter(*z.T, c=[PALETTE[c] for c in labels], s=2, linewidths=0)
        for digit in range(10):
            place = z[labels == digit].median(0).values
            above.text(*place, str(digit), weight="bold", ha="center", clip_on=True)
        path = trajectory(model, _followed(z, labels), model.modalities, _STEPS)
        for one in path.unbind(1):
            above.plot(*one.T, color="black", lw=0.8)
        above.scatter(*path[0].T, color="black", s=12, marker="o", zorder=3)
        above.scatter(*path[-1].T, color="black", s=26, marker="x", zorder=3)
        above.set(title=_title(loss), xlim=(-SIDE, SIDE), ylim=(-SIDE, SIDE), aspect="equal")
        image = _heat(below, surfaces[loss]["z_diff"], (0, top))
    figure.colorbar(image, ax=axes[1], label="z_diff after one re-encoding")
    save(figure, lab.out / "fig5_embeddings.png")


def _followed(z: Tensor, labels: np.ndarray) -> Tensor:
    """Some embeddings of one class, spread over it, (M, 2)."""
    of_class = z[labels == _DIGIT]
    order = of_class[:, 0].argsort()
    return of_class[order[torch.linspace(0, len(order) - 1, _FOLLOWED).long()]]


def _draw_decodings(
    lab: Lab, models: Mapping[str, M2VAE], x: Mapping[str, Tensor], labels: np.ndarray
) -> None:
    """b) What the followed embeddings unfold to, before and after."""
    grids = {}
    for loss, model in models.items():
        start = _followed(model.encode(x).mean, labels)
        end = trajectory(model, start, model.modalities, _STEPS)[-1]
        grids[_title(loss)] = [model.decode("a", z).numpy() for z in (start, end)]
    figure = image_grid(grids)
    figure.set_size_inches(8.4, 1.4)
    save(figure, lab.out / "fig5_decodings.png")


def _draw_statistics(lab: Lab, surfaces: Mapping[str, Mapping[str, Tensor]]) -> None:
    """d) The latent statistics over the plane."""
    quantities = ("E_rec", "E", "σ", "E_KL")
    figure, axes = panels(len(surfaces), len(quantities), (2.5, 2.3), sharex=True, sharey=True)
    for row, (loss, found) in zip(axes, surfaces.items(), strict=True):
        for panel, quantity in zip(row, quantities, strict=True):
            image = _heat(panel, found[quantity])
            figure.colorbar(image, ax=panel, shrink=0.85)
            panel.set_title(quantity)
        row[0].set_ylabel(_title(loss), fontsize=8)
    save(figure, lab.out / "fig5_statistics.png")


def _draw_mog(lab: Lab, settings: reencoding.Settings) -> None:
    """e) Trajectories on the loss surface of each encoder, trained without the loss."""
    model = reencoding.trained(lab, "mog", "without", 0)
    _, test = reencoding.samples("mog", settings, 0)
    x = tensors(test.x)
    figure, axes = panels(1, 3, (3.2, 3.0), sharex=True, sharey=True)
    subsets = sorted(model.subsets, key=len, reverse=True)
    for panel, held in zip(axes[0], subsets, strict=True):
        image = _heat(
            panel, statistics(model, plane(), held, settings.recipe.beta_norm)["E_rec"].log()
        )
        z = model.encode({m: x[m][:120] for m in held}).mean
        path = trajectory(model, z, held, 50)
        for one in path.unbind(1):
            panel.plot(*one.T, color="white", lw=0.7)
        panel.scatter(*path[-1].T, color="black", s=9, zorder=3)
        panel.set_title(f"q(z|{','.join(held)})")
    figure.colorbar(image, ax=axes[0], label="log E_rec")
    save(figure, lab.out / "fig5_mog.png")


def _heat(panel: Axes, values: Tensor, limits: tuple[float, float] | None = None) -> AxesImage:
    """One heat map over the plane: blue is low, red is high."""
    extent = (-SIDE, SIDE, -SIDE, SIDE)
    low, high = limits or np.quantile(values, [0.01, 0.99])
    image = values.reshape(_PIXELS, _PIXELS)
    return panel.imshow(image, origin="lower", extent=extent, cmap="turbo", vmin=low, vmax=high)
