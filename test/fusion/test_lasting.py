# SPDX-License-Identifier: Apache-2.0
"""The law of repeated fusion: what a team knows stays what it is, however often it looks again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from fusion_team import ENGINE, MODALITIES, NOW, code, embedding, memory, patient
from hypothesis import given
from hypothesis import strategies as st

from m2vae_ros.fusion.sources import Source, best, fold, information_gain, received
from m2vae_ros.fusion.torch_engine import TorchEngine
from m2vae_ros.host.resources import resource
from m2vae_ros.vae.gaussian import Gaussian
from m2vae_ros.vae.in_place import fuse_in_place, unfold

HERE = (1.0, 2.0, 0.0)
seeds = st.integers(0, 2**32 - 1)
subsets = st.sets(st.sampled_from(MODALITIES), min_size=1)
looks = st.lists(st.tuples(st.sampled_from(MODALITIES), seeds), min_size=1, max_size=30)


@pytest.fixture(scope="module")
def shipped() -> TorchEngine:
    return TorchEngine.load(resource("models/amiro"))


def shipped_codes(engine: TorchEngine, seed: int) -> dict[str, np.ndarray]:
    """Codes that some embedding stands for: what the model itself imagines of a point."""
    point = np.random.default_rng(seed).normal(size=engine.latent_dim).astype(np.float32)
    return {m: engine.decode(m, point) for m in engine.modalities}


def look(robot, modality, stamp, seed):
    return robot.observe(None, HERE, {modality: code(seed)}, {modality: stamp})


class TestNothingNewNothingChanged:
    @given(subsets, seeds)
    @patient
    def test_a_look_that_shows_what_the_embedding_says_leaves_it_bit_by_bit(self, held, seed):
        robot = memory(min_gain=0.0)
        posterior = ENGINE.encode({m: code(seed + i) for i, m in enumerate(sorted(held))})
        told = embedding(
            held=dict.fromkeys(held, 100),
            mean=posterior.mean,
            log_variance=posterior.log_variance,
        )
        robot.receive(told, NOW)
        for stamp, (modality, seen) in enumerate(unfold(ENGINE, told.mean, sorted(held)).items()):
            outcome = robot.observe(None, HERE, {modality: seen}, {modality: 200 + stamp})
            assert outcome.kind == "confirmed"
            assert robot.objects() == [told]

    def test_a_look_within_the_stated_gain_changes_nothing_and_one_beyond_it_does(self):
        robot = memory(min_gain=1.0)
        first = look(robot, "camera", 1, seed=0).embedding
        near, far = code(0) + np.float32(0.01), code(0) + np.float32(1.0)
        gain = information_gain(ENGINE.encode({"camera": near}), first)
        assert 0 < gain < 1 < information_gain(ENGINE.encode({"camera": far}), first)
        assert robot.observe(None, HERE, {"camera": near}, {"camera": 2}).kind == "confirmed"
        assert robot.objects() == [first]
        assert robot.observe(None, HERE, {"camera": far}, {"camera": 3}).kind == "fused"

    def test_small_changes_do_not_add_up_unseen(self):
        robot = memory(min_gain=1.0)
        first = look(robot, "camera", 1, seed=0).embedding
        kinds = [
            robot.observe(
                None, HERE, {"camera": code(0) + np.float32(0.01 * n)}, {"camera": 1 + n}
            ).kind
            for n in range(1, 60)
        ]
        assert "fused" in kinds  # compared with what is held, not with the look before
        assert robot.objects() != [first]

    def test_an_object_that_looks_the_same_elsewhere_is_news(self):
        robot = memory()
        look(robot, "camera", 1, seed=0)
        moved = (HERE[0] + 0.2, *HERE[1:])
        outcome = robot.observe(None, moved, {"camera": code(0)}, {"camera": 2})
        assert outcome.kind == "fused"
        assert outcome.embedding.position == moved

    def test_what_is_looked_at_is_not_dropped_for_an_object_heard_of_later(self):
        robot = memory(max_objects=1)
        looked = look(robot, "camera", 1, seed=0).embedding
        for n in range(2, 9):
            told = embedding(object_id=f"far {n}", position=(9 * n, 9, 0), held={"lidar": n})
            robot.receive(told, NOW)
        assert robot.nearest(HERE) == looked
        assert [e.object_id for e in robot.objects()] == [looked.object_id, "far 8"]


class TestReplacedNeverCountedTwice:
    @given(looks)
    @patient
    def test_after_any_looks_it_is_as_if_only_the_last_of_each_sensor_had_been(self, looks):
        robot, last = memory(min_gain=0.0), {}
        for stamp, (modality, seed) in enumerate(looks):
            look(robot, modality, stamp, seed)
            last[modality] = code(seed)
        (held,) = robot.objects()
        at_once = ENGINE.encode(last)
        assert np.array_equal(held.mean, at_once.mean)
        assert np.array_equal(held.log_variance, at_once.log_variance)


class TestWhatOthersSensedStays:
    @given(looks, seeds)
    @patient
    def test_however_often_a_robot_looks_again(self, looks, seed):
        robot = memory(min_gain=0.0)
        told = embedding(held={"lidar": 0}, mean=ENGINE.encode({"lidar": code(seed)}).mean)
        robot.receive(told, NOW)
        unfolded = unfold(ENGINE, told.mean, ["lidar"])["lidar"]
        for stamp, (modality, seed) in enumerate(looks, start=1):
            if modality != "lidar":
                held = look(robot, modality, stamp, seed).embedding
                assert held.reencodings["lidar"] == 1
        (one,) = robot.objects()
        assert np.array_equal(robot.sources(one.object_id)["lidar"].code, unfolded)

    @given(st.lists(st.tuples(st.integers(0, 1), seeds), max_size=30))
    @patient
    def test_when_two_robots_with_the_same_sensor_take_turns(self, turns):
        teller = memory("amiro3")
        first = look(teller, "lidar", 1, seed=5).embedding
        team = [memory(f"amiro{n}", min_gain=0.0) for n in range(2)]
        for robot in team:
            robot.receive(first, NOW)
        for stamp, (who, seed) in enumerate(turns, start=2):
            held = look(team[who], "camera", stamp, seed).embedding
            assert held.reencodings["lidar"] <= 1
            team[1 - who].receive(held, NOW)
        unfolded = unfold(ENGINE, first.mean, ["lidar"])["lidar"]
        for robot in team:
            (one,) = robot.objects()
            assert np.array_equal(robot.sources(one.object_id)["lidar"].code, unfolded)

    def test_a_better_source_that_comes_late_is_taken(self):
        lidar, camera, late = memory("a"), memory("b"), memory("c")
        first = look(lidar, "lidar", 1, seed=1).embedding
        camera.receive(first, NOW)
        second = look(camera, "camera", 2, seed=2).embedding
        assert late.receive(second, NOW).kind == "new"
        assert late.receive(first, NOW).kind == "known"  # it says nothing new, but says it better
        assert look(late, "reflectance", 3, seed=3).embedding.reencodings == {
            "camera": 1,
            "lidar": 1,
            "reflectance": 0,
        }


class TestMerging:
    @given(subsets, subsets, seeds)
    @patient
    def test_it_can_be_repeated_in_any_order(self, x_held, y_held, seed):
        several = []
        for n, held in enumerate((x_held, y_held)):
            posterior = ENGINE.encode({m: code(seed + n) for m in held})
            stamps = dict.fromkeys(held, 100 + n)
            several.append(embedding(held=stamps, mean=posterior.mean, sender=f"b{n}"))
        results = []
        for order in itertools.permutations([*several, *several]):
            robot = memory()
            for told in order:
                robot.receive(told, NOW)
            (held,) = robot.objects()
            results.append(held)
        assert all(held == results[0] for held in results)

    def test_one_with_itself_is_itself(self):
        robot, told = memory(), embedding()
        robot.receive(told, NOW)
        assert robot.receive(told, NOW).embedding == told


class TestUnfolding:
    @given(seeds)
    @patient
    def test_what_was_unfolded_folds_into_the_embedding_again(self, shipped, seed):
        mean = shipped.encode(shipped_codes(shipped, seed)).mean
        for held in (("camera",), ("camera", "lidar"), shipped.modalities):
            told = fold_of(shipped, shipped_codes(shipped, seed), held)
            plain = shipped.encode({m: shipped.decode(m, told.mean) for m in held})
            again = shipped.encode(unfold(shipped, told.mean, held))
            deviation = np.exp(0.5 * told.log_variance)
            assert distance(again.mean, told.mean) <= distance(plain.mean, told.mean)
            assert np.abs(again.mean - told.mean).max() < 1.0 * deviation.max()
        assert mean.shape == (shipped.latent_dim,)

    @given(seeds)
    @patient
    def test_it_is_never_farther_off_than_decoding_alone(self, seed):
        mean = (1e3 * np.random.default_rng(seed).normal(size=3)).astype(np.float32)
        for held in (("camera",), MODALITIES):
            plain = fuse_in_place(ENGINE, mean, held, {}).mean
            again = ENGINE.encode(unfold(ENGINE, mean, held)).mean
            assert distance(again, mean) <= distance(plain, mean) * (1 + 1e-5)

    def test_no_rounds_are_the_papers_decoding(self, shipped):
        mean = np.linspace(-1, 1, shipped.latent_dim, dtype=np.float32)
        for modality, seen in unfold(shipped, mean, shipped.modalities, rounds=0).items():
            assert np.array_equal(seen, shipped.decode(modality, mean))

    def test_a_batch_of_tensors_unfolds_as_each_of_its_rows(self, shipped):
        from m2vae_ros.vae.weights import load

        model = load(resource("models/amiro")).m2vae
        means = torch.randn(5, 10, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            batch = unfold(model, means, model.modalities)
        for row, mean in enumerate(means.numpy()):
            for modality, seen in unfold(shipped, mean, shipped.modalities).items():
                assert np.allclose(batch[modality][row].numpy(), seen, atol=1e-4)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=6))
@patient
def test_the_newest_source_counts_and_of_one_age_the_one_reencoded_least(stamped):
    sources: dict[str, Source] = {}
    for stamp, reencodings in stamped:
        sources = best(sources, {"camera": Source(code(0), stamp, reencodings)})
    newest = max(stamp for stamp, _ in stamped)
    assert sources["camera"].stamp == newest
    assert sources["camera"].reencodings == min(n for stamp, n in stamped if stamp == newest)


def test_nothing_is_unfolded_of_an_embedding_that_brings_no_better_source():
    class Untouchable:
        """Whoever decodes or encodes with this fails."""

    known = {"camera": Source(code(0), 5, 0)}
    held, reencodings = {"camera": 5}, {"camera": 0}
    assert received(Untouchable(), np.zeros(3), held, reencodings, known) == known


@given(seeds)
@patient
def test_the_gain_is_the_divergence_of_the_posteriors(seed):
    random = np.random.default_rng(seed)
    p, q = (Gaussian(*torch.tensor(random.normal(size=(2, 3)))) for _ in range(2))
    arrays = [Gaussian(g.mean.numpy(), g.log_variance.numpy()) for g in (p, q)]
    assert information_gain(*arrays) == pytest.approx(float(p.kl(q)))
    assert information_gain(arrays[0], arrays[0]) == 0.0


def fold_of(engine, codes, held):
    return fold(engine, {m: Source(codes[m], 0) for m in held})


def distance(x, y) -> float:
    return float(np.linalg.norm(x - y))
