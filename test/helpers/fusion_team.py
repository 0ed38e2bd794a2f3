# SPDX-License-Identifier: Apache-2.0
"""For the tests of fusion: a small exact engine, and a team of robots that exchange messages."""

from types import SimpleNamespace

import numpy as np
from hypothesis import HealthCheck, settings

from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.engine import Encoding
from m2vae_ros.fusion.memory import ObjectMemory

MODALITIES = ("camera", "lidar", "reflectance")
NOW = 1_000
GATE = 0.5

patient = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For every property: a busy machine proves nothing wrong."""


class LinearGaussianEngine:
    """The exact posterior of z ~ N(0, I), code_m = A_m z + noise of deviation 0.1, D_z = 3.

    Args:
        rounding: added to every mean, as another machine's arithmetic might.
    """

    fingerprint = "linear-gaussian"
    modalities = MODALITIES
    latent_dim = 3
    tells_unknown = False

    def __init__(self, rounding: float = 0.0) -> None:
        random = np.random.default_rng(0)
        self._rounding = rounding
        self._loadings = {m: random.normal(size=(2, 3)) for m in MODALITIES}

    def encode_modality(self, modality, observation):
        """The observation is the code; its surprise is how far it lies from the origin, over 10."""
        code = np.asarray(observation, dtype=np.float32)
        return Encoding(code, float(np.abs(code).max()) / 10)

    def encode(self, codes):
        precision = np.eye(3) + sum(100 * a.T @ a for a in map(self._loadings.get, sorted(codes)))
        weighted = sum(100 * self._loadings[m].T @ codes[m] for m in sorted(codes))
        mean = np.linalg.solve(precision, weighted) + self._rounding
        variance = np.diag(np.linalg.inv(precision))
        return SimpleNamespace(
            mean=mean.astype(np.float32), log_variance=np.log(variance).astype(np.float32)
        )

    def decode(self, modality, mean):
        return (self._loadings[modality] @ mean).astype(np.float32)

    def reconstruct(self, modality, mean):
        return self.decode(modality, mean)

    def classify(self, mean):
        one = 1 / (1 + np.exp(-float(mean[0])))
        return np.array([one, 1 - one], dtype=np.float32)


ENGINE = LinearGaussianEngine()


def code(seed: int) -> np.ndarray:
    """Some observation, (2,)."""
    return np.random.default_rng(seed).normal(size=2).astype(np.float32)


def memory(owner: str = "amiro1", engine=ENGINE, **how) -> ObjectMemory:
    return ObjectMemory(engine, owner, GATE, **{"tolerance_ns": 10, "instance": 1, **how})


def state(robot: ObjectMemory) -> tuple:
    """All that a robot holds."""
    return set(robot.statements()), robot.objects()


def embedding(**fields) -> Embedding:
    """A fit embedding, with some fields replaced."""
    posterior = ENGINE.encode({"camera": code(7)})
    defaults = {
        "object_id": "pillar",
        "position": (1.0, 2.0, 0.0),
        "frame": "map",
        "held": {"camera": 100},
        "mean": posterior.mean,
        "log_variance": posterior.log_variance,
        "sender": "amiro2",
        "fingerprint": ENGINE.fingerprint,
    }
    return Embedding(**{**defaults, **fields})


def nothing(stamp=200, **fields):
    """What a robot says that sees nothing where the pillar stood."""
    prior = np.zeros(3, dtype=np.float32)
    return embedding(held={}, mean=prior, log_variance=prior, vanished=stamp, **fields)


class Team:
    """Robots and every message they ever published; whoever delivers them decides when and whom."""

    def __init__(self, names=("amiro1", "amiro2", "amiro3"), engines=None) -> None:
        engines = engines or [LinearGaussianEngine(rounding=1e-4 * i) for i in range(len(names))]
        self.robots = [memory(name, engine) for name, engine in zip(names, engines, strict=True)]
        self.published: list[Embedding] = []
        self._delivered: set[tuple[int, int]] = set()

    def sense(self, robot, position, observations, stamp, object_id=None, strange=()):
        outcome = self.robots[robot].observe(
            object_id, position, observations, dict.fromkeys(observations, stamp), strange
        )
        self.published.extend(outcome.said)
        return outcome

    def deliver(self, message: int, robot: int) -> None:
        self._delivered.add((message, robot))
        self._tell(self.published[message], robot)

    def deliver_the_rest(self, random) -> None:
        """Every message that a robot has not had yet, in any order, until none is left."""
        everyone = range(len(self.robots))
        while missing := [
            pair
            for pair in ((m, r) for m in range(len(self.published)) for r in everyone)
            if pair not in self._delivered
        ]:
            assert len(self.published) < 5_000, "the robots never stop talking"
            random.shuffle(missing)
            for message, robot in missing:
                self.deliver(message, robot)

    def tell_all_that_is_held(self, random) -> None:
        """Robots tell all that is held, until nobody learns anything; nothing else is delivered."""
        for _ in range(50):
            before = [set(robot.statements()) for robot in self.robots]
            told = [(e, r) for held in before for e in held for r in range(len(self.robots))]
            random.shuffle(told)
            for message, robot in told:
                self._tell(message, robot)
            if [set(robot.statements()) for robot in self.robots] == before:
                return
        raise AssertionError("the robots never agree")

    def _tell(self, message: Embedding, robot: int) -> None:
        self.published.extend(self.robots[robot].receive(message, NOW).said)

    def assert_agreed(self) -> None:
        first, *others = self.robots
        for other in others:
            assert set(other.statements()) == set(first.statements())
            assert other.objects() == first.objects()  # ids, stamps, places, senders, all bytes
