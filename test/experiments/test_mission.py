# SPDX-License-Identifier: Apache-2.0
"""Long missions: the evaluation's batches are the robots that run, and what they show holds."""

from __future__ import annotations

import json
from itertools import islice, pairwise

import numpy as np
import pytest
import torch

from m2vae_ros.cli import main
from m2vae_ros.experiments.mission import (
    LastingRobot,
    Objects,
    PlainRobot,
    fly,
    rules,
    schedules,
)
from m2vae_ros.fusion.memory import MIN_GAIN, ObjectMemory
from m2vae_ros.fusion.torch_engine import TorchEngine
from m2vae_ros.host.resources import resource
from m2vae_ros.sim.sampler import sample
from m2vae_ros.training.suite import codes
from m2vae_ros.vae.weights import Weights, load

HERE = (0.0, 0.0, 0.0)
OBJECTS = 80


@pytest.fixture(scope="module")
def weights() -> Weights:
    return load(resource("models/amiro"))


@pytest.fixture(scope="module")
def objects(weights: Weights) -> Objects:
    samples = sample(OBJECTS, seed=4711)
    return Objects(codes(weights.beta_vaes, samples), torch.from_numpy(samples.labels))


def test_there_is_a_schedule_for_each_sensor_and_suites_may_have_any() -> None:
    made = schedules(("sonar", "thermal"))
    assert {"same sonar", "fresh thermal", "alternating sonar"} <= set(made)
    assert {"handed on", "random turns", "long turns", "relay"} <= set(made)
    assert all(set(s.team.values()) == {"sonar", "thermal"} for s in made.values())


def test_turns_are_as_long_as_said() -> None:
    generator = torch.Generator().manual_seed(0)
    who = list(islice(schedules(("a", "b", "c"))["long turns"].turns(generator), 3000))
    changes = [n for n, (x, y) in enumerate(pairwise(who)) if x != y]
    lengths = np.diff(changes)
    assert set(who) == {"robot a", "robot b", "robot c"}
    assert lengths.min() < 10
    assert lengths.max() > 100


def test_fresh_readings_are_of_the_same_class(objects: Objects) -> None:
    generator = torch.Generator().manual_seed(0)
    told = Objects({"camera": objects.labels[:, None].float()}, objects.labels)
    drawn = told.fresh("camera", generator)
    assert torch.equal(drawn[:, 0].long(), objects.labels)


@pytest.mark.parametrize("schedule", ["fresh camera", "alternating lidar", "random turns", "relay"])
@torch.no_grad()
def test_the_batch_does_what_robots_with_a_memory_each_do(
    schedule, weights, objects, monkeypatch
) -> None:
    chosen = schedules(weights.m2vae.modalities)[schedule]
    engine = TorchEngine(weights)
    # Looks at objects of any class are news for every row; the batch knows no contradictions.
    monkeypatch.setattr(engine, "classify", lambda mean: np.empty(0))
    few = {m: x[:6] for m, x in objects.codes.items()}
    generator = torch.Generator().manual_seed(1)
    turns = chosen.turns(generator)

    def newcomer(name: str) -> tuple[LastingRobot, list[ObjectMemory]]:
        return LastingRobot(weights.m2vae, MIN_GAIN), [
            ObjectMemory(engine, name, 0.3) for _ in range(6)
        ]

    def look(robot, modality, code, stamp) -> list:
        robot[0].look({modality: code}, stamp)
        return [
            one.observe("it", HERE, {modality: row.numpy()}, {modality: stamp})
            for one, row in zip(robot[1], code, strict=True)
        ]

    def tell(outcomes, robot, others) -> None:
        for other in others:
            other[0].hear(robot[0].tell())
            for outcome, one in zip(outcomes, other[1], strict=True):
                if outcome.kind == "fused":
                    one.receive(outcome.embedding, 10**6)

    team = {name: newcomer(name) for name in chosen.team}
    stamp = 0
    for name in list(team)[:3]:
        stamp += 1
        outcomes = look(team[name], chosen.team[name], few[chosen.team[name]], stamp)
        tell(outcomes, team[name], [r for other, r in team.items() if other != name])
    who = list(team)[2]
    for _ in range(12):
        stamp += 1
        before, who = who, next(turns)
        if chosen.relay:
            late = newcomer(who)
            late[0].hear(team[before][0].tell())
            for old, one in zip(team[before][1], late[1], strict=True):
                one.receive(old.get("it"), 10**6)
            team = {who: late}
        modality = chosen.team[who]
        drawn = torch.randint(OBJECTS, (6,), generator=generator)
        outcomes = look(team[who], modality, objects.codes[modality][drawn], stamp)
        tell(outcomes, team[who], [r for other, r in team.items() if other != who])
        batch = team[who][0].message.posterior.mean.numpy()
        for row, one in zip(batch, team[who][1], strict=True):
            np.testing.assert_allclose(row, one.get("it").mean, atol=1e-3)


def test_the_lasting_rule_keeps_what_the_plain_one_loses(weights, objects) -> None:
    made = rules(weights, weights, MIN_GAIN)
    assert made["lasting"].make().title != PlainRobot.title
    for name in ("fresh camera", "handed on", "long turns"):
        schedule = schedules(weights.m2vae.modalities)[name]
        lasting, plain = (
            fly(made[rule].make, weights, schedule, objects, 60) for rule in ("lasting", "plain")
        )
        assert sum(lasting.right[60]) >= 0.95 * OBJECTS
        assert lasting.lowest >= 0.93
        assert sum(plain.right[60]) <= 0.85 * OBJECTS
        assert abs(lasting.log_variance[60] - lasting.log_variance[0]) < 0.2


def test_the_same_reading_again_changes_and_sends_nothing(weights, objects) -> None:
    for modality in weights.m2vae.modalities:
        schedule = schedules(weights.m2vae.modalities)[f"same {modality}"]
        rule = rules(weights, weights, MIN_GAIN)["lasting"]
        course = fly(rule.make, weights, schedule, objects, 20)
        assert course.sent == 0.0
        assert all(right == course.right[0] for right in course.right.values())


@pytest.mark.slow
def test_the_command_measures_draws_and_writes_every_number(tmp_path, capsys) -> None:
    numbers, figure = tmp_path / "mission.json", tmp_path / "mission.png"
    command = ["evaluate", "amiro", "--mission", "12", "--count", "80", "--seed", "9"]
    assert main([*command, "--json", str(numbers), "--figure", str(figure)]) == 0
    said = capsys.readouterr().out
    assert "counted re-encodings" in said
    assert "worst" in said
    assert figure.read_bytes().startswith(b"\x89PNG")
    measured = json.loads(numbers.read_text())
    assert measured["n"] == 80
    assert set(measured["missions"]) == set(measured["rules"])
    cell = measured["missions"]["lasting"]["relay"]["steps"]["12"]
    assert cell["right"] / cell["n"] == cell["accuracy"]
    assert cell["low"] <= cell["accuracy"] <= cell["high"]
    assert len(cell["classes"]) == 8
    assert measured["rules"]["lasting"]["bytes_per_look"] == 80
    assert measured["rules"]["codes"]["bytes_to_newcomer"] == 120


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mission", "3", "--count", "4"], "a mission needs every class"),
        (["--mission", "3", "--count", "8", "--rules", "magic"], "rules: ['magic'] are none of"),
        (["--mission", "3", "--count", "8", "--schedules", "x"], "schedules: ['x'] are none of"),
    ],
)
def test_a_mission_that_makes_no_sense_is_refused_in_one_line(options, words, capsys) -> None:
    assert main(["evaluate", "amiro", *options]) == 1
    assert words in capsys.readouterr().err
