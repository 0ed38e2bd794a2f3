# SPDX-License-Identifier: Apache-2.0
"""The latent space as a plane to look at: the two directions in which what was seen differs most.

They are the principal components of all means so far [Pearson 1901]. More is seen all the time, so
each time the axes are turned within their plane to be as near as can be to those of before
(orthogonal Procrustes [Schönemann 1966]): what is drawn moves because it changed, not because an
eigenvector changed its sign.
"""

from __future__ import annotations

from collections import deque

import numpy as np

MOST_SEEN = 2000
"""Means that count, the newest."""


class LatentPlane:
    """Two directions of a latent space.

    Args:
        latent_dim: D_z, at least 2.

    Attributes:
        axes: float64 (2, D_z), orthonormal rows.
        centre: float64 (D_z,), which is drawn at the origin.
    """

    def __init__(self, latent_dim: int) -> None:
        if latent_dim < 2:
            raise ValueError(f"latent_dim: must be at least 2, not {latent_dim}")
        self.axes = np.eye(2, latent_dim)
        self.centre = np.zeros(latent_dim)
        self._seen: deque[np.ndarray] = deque(maxlen=MOST_SEEN)

    def see(self, mean: np.ndarray) -> None:
        """Take in a mean (D_z,); the axes follow."""
        self._seen.append(np.asarray(mean, dtype=np.float64))
        seen = np.stack(self._seen)
        self.centre = seen.mean(axis=0)
        if len(self._seen) < 3:  # fewer span no plane
            return
        _, directions = np.linalg.eigh(np.cov(seen, rowvar=False))  # the greatest last
        newest = directions[:, :-3:-1].T
        left, _, right = np.linalg.svd(self.axes @ newest.T)
        self.axes = left @ right @ newest

    def project(self, mean: np.ndarray) -> np.ndarray:
        """Where a mean (D_z,) lies: float64 (2,)."""
        placed: np.ndarray = (np.asarray(mean, dtype=np.float64) - self.centre) @ self.axes.T
        return placed

    def ellipse(
        self, mean: np.ndarray, log_variance: np.ndarray, deviations: float = 2.0, points: int = 48
    ) -> np.ndarray:
        """The outline of a diagonal Gaussian, projected.

        Args:
            mean, log_variance: (D_z,).
            deviations: from its middle, standard deviations.
            points: of the outline, the last is the first.

        Returns:
            float64 (points, 2).
        """
        covariance = (self.axes * np.exp(np.asarray(log_variance, dtype=np.float64))) @ self.axes.T
        turn = np.linspace(0.0, 2.0 * np.pi, points)
        circle = np.stack([np.cos(turn), np.sin(turn)])
        apart = np.linalg.cholesky(covariance) @ circle
        outline: np.ndarray = self.project(mean) + deviations * apart.T
        return outline
