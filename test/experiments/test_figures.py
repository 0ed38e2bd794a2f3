# SPDX-License-Identifier: Apache-2.0
"""Figures come whole to disk, and show every image they are given."""

import numpy as np
import pytest
from PIL import Image

from m2vae_ros.experiments.figures import DPI, image_grid, panels, save


def test_a_figure_becomes_a_png_of_its_size(tmp_path):
    figure, axes = panels(2, 3, (1.0, 0.5))
    assert axes.shape == (2, 3)
    save(figure, tmp_path / "folder" / "figure.png")
    with Image.open(tmp_path / "folder" / "figure.png") as image:
        assert (image.format, image.size) == ("PNG", (3 * DPI, DPI))


def test_a_figure_that_fails_leaves_the_old_picture_alone(tmp_path):
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")
    figure, axes = panels(1, 1, (1.0, 1.0))
    axes[0, 0].set_title("$\\nonsense$")
    with pytest.raises(ValueError, match="nonsense"):
        save(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_image_grid_shows_every_image_upright_and_in_its_place():
    rng = np.random.default_rng(0)
    rows = [rng.random((5, 9)), rng.random((5, 9))]
    figure = image_grid({"left": rows, "right": rows[:1]}, side=3)
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("left", "right")
    shown = left.images[0].get_array()
    assert shown.shape == (2 * 5, 5 * 5)  # a seam of one pixel around every image
    for row in range(2):
        for column in range(5):
            image = shown[5 * row + 1 : 5 * row + 4, 5 * column + 1 : 5 * column + 4]
            np.testing.assert_array_equal(image, rows[row][column].reshape(3, 3))
    assert left.images[0].get_clim() == (0, 1)


@pytest.mark.parametrize(
    "rows", [[], [np.zeros((2, 9)), np.zeros((3, 9))], [np.zeros((2, 8))], [np.zeros((2, 3, 3))]]
)
def test_image_grid_names_the_rows_it_cannot_stack(rows):
    with pytest.raises(ValueError, match="the pairs: rows of"):
        image_grid({"the pairs": rows}, side=3)
