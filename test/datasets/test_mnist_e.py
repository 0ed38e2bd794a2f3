# SPDX-License-Identifier: Apache-2.0
"""MNIST-E: a pair's two images come from one latent point, so they vary together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier

from m2vae_ros.datasets.mnist import FASHION_MNIST, MNIST, Images, Source
from m2vae_ros.datasets.mnist_e import draw, superimpose
from m2vae_ros.training.conditional import ConditionalVAERecipe, train_conditional_vae
from m2vae_ros.training.loop import Schedule
from m2vae_ros.vae.conditional import ConditionalVAE, ConditionalVAEConfig

SMALL = ConditionalVAERecipe(
    ConditionalVAEConfig(hidden=(64, 32)), schedule=Schedule(20, 64, learning_rate=3e-3)
)


def drawn_images(count: int, seed: int) -> Images:
    """Stands in where the originals are not: ellipses, placed by class, of any width and height."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(10, size=count)
    width, height = rng.uniform(2, 8, (2, count, 1, 1))
    turn = labels[:, None, None] * 2 * np.pi / 10
    row, column = np.mgrid[:28, :28] - 13.5
    ellipse = ((column - 6 * np.cos(turn)) / width) ** 2 + ((row - 6 * np.sin(turn)) / height) ** 2
    return Images((255 / (1 + ellipse**4)).astype(np.uint8), labels)


def images(source: Source, count: int, seed: int = 0) -> Images:
    folder = next((f for f in source.folders if f.is_dir()), None)
    return source.load(folder)[:count] if folder else drawn_images(count, seed)


def train(recipe: ConditionalVAERecipe, data: Images, title: str) -> ConditionalVAE:
    x, labels = torch.from_numpy(data.x), torch.from_numpy(data.labels)
    return train_conditional_vae(recipe, x, labels, seed=0, title=title)


@pytest.fixture(scope="module")
def originals():
    return {"a": images(MNIST, 2000, seed=1), "b": images(FASHION_MNIST, 2000, seed=2)}


@pytest.fixture(scope="module")
def vaes(originals):
    return [train(SMALL, data, m) for m, data in originals.items()]


@pytest.fixture(scope="module")
def pairs(vaes):
    return draw(*vaes, count=4000, seed=5)


def distances(pairs: dict[str, torch.Tensor], others: dict[str, torch.Tensor], modality: str):
    return (pairs[modality] - others[modality]).norm(dim=1)


def explained(features: np.ndarray, targets: np.ndarray) -> float:
    """The share of the targets' variance that similar features tell of, on the second half."""
    half = len(features) // 2
    guess = KNeighborsRegressor(5).fit(features[:half], targets[:half]).predict(features[half:])
    left = ((targets[half:] - guess) ** 2).sum()
    return 1 - left / ((targets[half:] - targets[half:].mean(0)) ** 2).sum()


def within_classes(x: np.ndarray, labels: np.ndarray) -> float:
    """The variance that the class does not tell of, summed over the pixels."""
    means = np.stack([x[labels == label].mean(0) for label in range(10)])
    return ((x - means[labels]) ** 2).sum(1).mean()


def test_a_pair_is_two_images_in_the_range_of_images(pairs):
    assert pairs.dims == {"a": 784, "b": 784}
    assert len(pairs) == 4000
    for x in pairs.x.values():
        assert x.dtype == np.float32
        assert x.min() >= 0
        assert x.max() <= 1
    assert pairs.labels.dtype == np.int64
    assert np.bincount(pairs.labels, minlength=10).min() > 300


def test_equal_seeds_draw_equal_pairs_and_others_do_not(vaes, pairs):
    again, other = draw(*vaes, count=4000, seed=5), draw(*vaes, count=4000, seed=6)
    for modality in "ab":
        assert np.array_equal(again.x[modality], pairs.x[modality])
        assert not np.array_equal(other.x[modality], pairs.x[modality])
    assert np.array_equal(again.labels, pairs.labels)


def test_more_pairs_than_are_decoded_at_once_are_drawn(vaes):
    assert len(draw(*vaes, count=5000, seed=0).x["a"]) == 5000


def test_one_point_and_class_is_one_pair(vaes):
    z = torch.randn(1, 2, generator=torch.manual_seed(0))
    pair = superimpose(*vaes, z.repeat(7, 1), torch.full((7,), 3))
    for x in pair.values():
        assert torch.allclose(x, x[:1], atol=1e-6)
        assert not x.requires_grad


def test_the_class_decides_what_is_shown(vaes):
    pair = superimpose(*vaes, torch.zeros(10, 2), torch.arange(10))
    for x in pair.values():
        assert torch.pdist(x).min() > 0.5


def test_a_small_change_of_the_point_changes_both_images_in_proportion(vaes):
    generator = torch.manual_seed(1)
    z, way = torch.randn(2, 500, 2, generator=generator)
    labels = torch.randint(10, (500,), generator=generator)
    here, near, twice = (
        superimpose(*vaes, z + step * way / way.norm(dim=1, keepdim=True), labels)
        for step in (0, 0.02, 0.04)
    )
    for modality in "ab":
        change = distances(here, near, modality)
        assert change.median() > 0.01
        ratio = distances(here, twice, modality) / change
        assert ratio.median() == pytest.approx(2, rel=0.05)


def test_points_further_apart_are_images_further_apart_in_both_modalities(vaes):
    generator = torch.manual_seed(2)
    z, other = torch.randn(2, 2000, 2, generator=generator)
    labels = torch.randint(10, (2000,), generator=generator)
    pairs, others = superimpose(*vaes, z, labels), superimpose(*vaes, other, labels)
    apart = [(z - other).norm(dim=1), *(distances(pairs, others, m) for m in "ab")]
    assert torch.corrcoef(torch.stack(apart)).min() > 0.4


def test_one_modality_predicts_the_other_which_unrelated_pairs_of_a_class_do_not(pairs):
    rng = np.random.default_rng(0)
    for label in (2, 8):
        a, b = (pairs.x[m][pairs.labels == label] for m in "ab")
        assert explained(a, b) > 0.6
        assert explained(b, a) > 0.6
        assert explained(a, rng.permutation(b)) < 0.1


def test_latent_spaces_that_do_not_fit_together_are_refused(vaes):
    other = ConditionalVAE(ConditionalVAEConfig(latent_dim=3))
    with pytest.raises(ValueError, match=r"\(2, 10\) of the digits, \(3, 10\) of fashion"):
        draw(vaes[0], other, 1, 0)


@pytest.mark.slow
@pytest.mark.parametrize("source", [MNIST, FASHION_MNIST], ids=lambda source: source.title)
def test_images_drawn_by_the_full_recipe_are_recognised_and_vary(source):
    data = images(source, 10_000)
    drawn = draw(*[train(ConditionalVAERecipe(), data, source.title)] * 2, 2000, 0)
    reader = MLPClassifier((100,), early_stopping=True, random_state=0).fit(data.x, data.labels)
    assert reader.score(drawn.x["a"], drawn.labels) > 0.85
    # and the latent point makes a difference that can be seen
    assert within_classes(drawn.x["a"], drawn.labels) > 0.15 * within_classes(data.x, data.labels)
