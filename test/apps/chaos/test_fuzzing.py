# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes arrive: a refused message changes nothing, and nothing else goes wrong."""

from __future__ import annotations

import functools
import random

import pytest
from m2vae_ros.msg import LatentEmbedding

from m2vae_ros.apps.chaos import fuzzing
from m2vae_ros.apps.chaos.fuzzing import fuzz, refused_messages
from m2vae_ros.fusion.memory import ObjectMemory
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.fusion.validation import UnfitEmbedding
from m2vae_ros.host.resources import weights_folder
from m2vae_ros.ros import serialised
from m2vae_ros.ros.messages import embedding
from m2vae_ros.sensors import ObservationError


def test_mutated_messages_are_refused_for_many_reasons_and_change_nothing_then() -> None:
    found = fuzz(3_000, seed=1)
    assert found.changed == []
    assert found.unexpected == []
    assert sum(found.outcomes.values()) == 3_000
    refusals = [kind for kind in found.outcomes if kind.startswith("refused: ")]
    assert len(refusals) >= 8  # they get far
    assert {"known", "merged"} & set(found.outcomes)


@pytest.mark.slow
def test_a_hundred_thousand_take_no_more_memory_than_some() -> None:
    found = fuzz(100_000, seed=2)
    assert found.changed == found.unexpected == []
    assert found.growth < 20e6


def test_a_robot_whose_refusals_change_something_is_found_out(monkeypatch) -> None:
    receive = fuzzing.ObjectMemory.receive

    def careless(self, embedding, now_ns):
        try:
            return receive(self, embedding, now_ns)
        except ValueError:
            self.reset(self.objects()[0].object_id, now_ns)
            raise

    monkeypatch.setattr(fuzzing.ObjectMemory, "receive", careless)
    assert fuzz(500, seed=0).changed


def test_an_error_that_is_no_refusal_is_told(monkeypatch) -> None:
    def fails(self, embedding, now_ns):
        raise IndexError("why")

    monkeypatch.setattr(fuzzing.ObjectMemory, "receive", fails)
    assert any("IndexError('why')" in words for words in fuzz(500, seed=0).unexpected)


def test_messages_that_must_be_refused_are(monkeypatch) -> None:
    # what Fast CDR leaves between fields is whatever the memory held
    monkeypatch.setattr(fuzzing, "_bytes", functools.cache(fuzzing._bytes))
    robot = ObjectMemory(OnnxEngine.load(weights_folder("amiro")), "robot", 0.3)
    held = fuzzing.known_objects(robot, random.Random(0))
    made = refused_messages(held, 200, 0, fuzzing.NOW)
    assert len(made) == 200
    assert made == refused_messages(held, 200, 0, fuzzing.NOW)
    for data in made:
        with pytest.raises((UnfitEmbedding, ObservationError)):
            robot.receive(embedding(serialised.message(data, LatentEmbedding)), fuzzing.NOW)
    assert robot.objects() == held
