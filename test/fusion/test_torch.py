# SPDX-License-Identifier: Apache-2.0
"""The exchange with a real M2VAE in torch, its weights drawn at random."""

import random

import numpy as np
from fusion_team import Team
from untrained import random_weights, small

from m2vae_ros.fusion.torch_engine import TorchEngine
from m2vae_ros.vae.in_place import unfold
from m2vae_ros.world.suite import AMIRO


def random_engine() -> TorchEngine:
    return TorchEngine(random_weights(small(), familiar_error=1.0))


def test_robots_with_one_sensor_each_agree_on_what_all_three_sensed():
    engine = random_engine()
    observations = {
        m: np.random.default_rng(i).random(AMIRO[m].view.shape, dtype=np.float32)
        for i, m in enumerate(AMIRO)
    }
    codes = {m: engine.encode_modality(m, observations[m]).code for m in AMIRO}
    for seed in range(10):
        order = random.Random(seed)
        team = Team(engines=[engine] * 3)
        for stamp, robot in enumerate(order.sample(range(6), 6)):
            modality = tuple(AMIRO)[robot % 3]
            place = (0.1 * stamp, 0.0, 0.0)
            team.sense(robot % 3, place, {modality: codes[modality]}, stamp)
            for message in range(len(team.published)):
                if order.random() < 0.3:
                    team.deliver(message, order.randrange(3))
        team.deliver_the_rest(order)
        team.assert_agreed()
        (one,) = team.robots[0].objects()
        assert set(one.held) == set(AMIRO)
        assert np.isclose(engine.classify(one.mean).sum(), 1.0)


def test_messages_that_arrive_one_by_one_give_eq_18_with_each_modality_from_its_best_source():
    engine = random_engine()
    codes = {m: np.random.default_rng(i).normal(size=4) for i, m in enumerate(AMIRO)}
    team = Team(engines=[engine] * 3)
    unfolded: dict[str, np.ndarray] = {}
    for robot, modality in enumerate(AMIRO):
        told = team.sense(robot, (0.0, 0.0, 0.0), {modality: codes[modality]}, robot).embedding
        for other in range(3):
            team.deliver(robot, other)
        expected = engine.encode({**unfolded, modality: codes[modality]})
        assert np.array_equal(told.mean, expected.mean)
        assert np.array_equal(told.log_variance, expected.log_variance)
        assert told.reencodings == {**dict.fromkeys(unfolded, 1), modality: 0}
        unfolded[modality] = unfold(engine, told.mean, told.held)[modality]
    assert len(team.published) == 3  # nothing had to be merged
