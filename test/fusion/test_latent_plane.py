# SPDX-License-Identifier: Apache-2.0
"""The plane shows where what was seen differs most, and does not jump."""

from __future__ import annotations

import numpy as np
import pytest

from m2vae_ros.fusion.latent_plane import LatentPlane

D_Z = 6


def seen(rng: np.random.Generator, count: int) -> np.ndarray:
    """Means that differ much along the axes 3 and 1, little along the others."""
    return rng.normal(size=(count, D_Z)) * [0.1, 2.0, 0.1, 4.0, 0.1, 0.1] + 1.0


def test_axes_are_those_in_which_means_differ_most() -> None:
    plane = LatentPlane(D_Z)
    for mean in seen(np.random.default_rng(1), 300):
        plane.see(mean)
    shares = np.square(plane.axes).sum(axis=0)
    assert shares[[1, 3]] == pytest.approx([1.0, 1.0], abs=0.02)
    assert plane.axes @ plane.axes.T == pytest.approx(np.eye(2), abs=1e-9)


def test_axes_turn_little_from_one_mean_to_the_next() -> None:
    rng = np.random.default_rng(2)
    plane = LatentPlane(D_Z)
    for mean in seen(rng, 100):
        plane.see(mean)
    for mean in seen(rng, 200):
        before = plane.axes
        plane.see(mean)
        assert np.diag(before @ plane.axes.T).min() > 0.98  # cosines: neither flipped nor swapped


def test_distances_in_the_plane_are_kept_whatever_the_axes() -> None:
    plane = LatentPlane(D_Z)
    for mean in seen(np.random.default_rng(3), 50):
        plane.see(mean)
    a, b = plane.axes.T @ [1.0, 2.0] + 5.0, plane.axes.T @ [4.0, 6.0] + 5.0
    assert np.linalg.norm(plane.project(a) - plane.project(b)) == pytest.approx(5.0)


def test_an_ellipse_is_the_projection_of_the_gaussian() -> None:
    rng = np.random.default_rng(4)
    plane = LatentPlane(D_Z)
    for mean in seen(rng, 50):
        plane.see(mean)
    mean, log_variance = rng.normal(size=D_Z), rng.normal(size=D_Z)
    outline = plane.ellipse(mean, log_variance, deviations=2.0)
    drawn = rng.normal(size=(40_000, D_Z)) * np.exp(0.5 * log_variance) + mean
    covariance = np.cov(np.array([plane.project(one) for one in drawn]), rowvar=False)
    apart = outline - plane.project(mean)
    lengths = np.sqrt(np.einsum("ni,ij,nj->n", apart, np.linalg.inv(covariance), apart))
    assert lengths == pytest.approx(2.0, rel=0.03)
    assert outline[0] == pytest.approx(outline[-1])


def test_one_dimension_is_no_plane() -> None:
    with pytest.raises(ValueError, match="latent_dim"):
        LatentPlane(1)
