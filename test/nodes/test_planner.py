# SPDX-License-Identifier: Apache-2.0
"""A planner and patrols over real topics: who is sent where, and what becomes of it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from m2vae_ros.msg import ObjectClassification
from ros_team import Team, team
from rosgraph_msgs.msg import Clock
from running import asking, bring_up, until
from std_msgs.msg import String

from m2vae_ros.bringup.processes import Processes
from m2vae_ros.bringup.specs import TEAM, simulated_team, world_objects
from m2vae_ros.fusion.embedding import Embedding
from m2vae_ros.fusion.onnx_engine import OnnxEngine
from m2vae_ros.fusion.planning import CERTAIN
from m2vae_ros.host.resources import resource
from m2vae_ros.nodes.patrol_node import PatrolNode
from m2vae_ros.nodes.planner_node import PlannerNode
from m2vae_ros.ros import messages, qos
from m2vae_ros.sim.sampler import sample

pytestmark = pytest.mark.ros

PLACES = {"objects.names": ["a", "b"], "objects.x": [3.0, -3.0], "objects.y": [0.0, 0.0]}
ROBOTS = {"amiro1": "camera", "amiro2": "lidar", "amiro3": "reflectance"}


@pytest.fixture(scope="module")
def engine() -> OnnxEngine:
    return OnnxEngine.load(resource("models/amiro"))


@pytest.fixture(scope="module")
def codes(engine: OnnxEngine) -> dict[str, Any]:
    samples = sample(8, seed=4713)
    of = {m: engine.encode_modality(m, samples.observations(m)[0]).code for m in engine.modalities}
    assert engine.classify(engine.encode(of).mean).max() > 0.95  # a clear case
    return of


class Planned:
    """A planner, the patrols of some robots, and a tester who plays their fusion nodes."""

    def __init__(self, t: Team, engine: OnnxEngine, codes, robots, **parameters: Any) -> None:
        self.t, self.engine, self.codes = t, engine, codes
        self.sent: dict[str, list[str]] = defaultdict(list)
        self.patrols = {
            robot: t.add(PatrolNode, namespace=f"/{robot}", modalities=[ROBOTS[robot]], **PLACES)
            for robot in robots
        }
        for robot in robots:
            note = lambda m, to=self.sent[robot]: to.append(m.data)  # noqa: E731
            t.listen(String, f"/{robot}/patrol/wanted", note, qos.EVERY_ONE)
        team = [f"{robot}/{sensor}" for robot, sensor in ROBOTS.items()]
        self.node = t.add(PlannerNode, robots=team, period=0.05, **PLACES, **parameters)

    def tell(self, name: str, *modalities: str, by: str) -> None:
        """What is held of an object, and who has looked at it last."""
        t, now = self.t, self.t.tester.get_clock().now().nanoseconds
        posterior = self.engine.encode({m: self.codes[m] for m in modalities})
        place = (PLACES["objects.x"][PLACES["objects.names"].index(name)], 0.0, 0.0)
        numbers = (posterior.mean, posterior.log_variance)
        held = dict.fromkeys(modalities, now)
        said = Embedding(name, place, "map", held, *numbers, by, self.engine.fingerprint)
        t.send("/embeddings", messages.embedding_message(said))
        t.until(lambda: (e := self.node._memory.get(name)) and set(e.held) == set(modalities))
        look = ObjectClassification(object_id=name, sensed=[ROBOTS[by]])
        look.header.stamp = messages.stamp(now)
        t.send(f"/{by}/classification", look)


def test_who_senses_what_is_missing_is_sent_and_nobody_to_what_is_known(engine, codes) -> None:
    with team() as t:
        p = Planned(t, engine, codes, ROBOTS, patience=1.0)
        t.until(lambda: sum(map(bool, p.sent.values())) == 2)  # no two to one object
        p.tell("a", *ROBOTS.values(), by="amiro1")
        p.tell("b", "camera", "reflectance", by="amiro3")
        t.until(lambda: p.sent["amiro2"][-1:] == ["b"])
        t.until(lambda: p.patrols["amiro2"]._asked == "b")
        assert p.patrols["amiro2"]._waiting[0] == ("b", "lidar")
        p.tell("b", *ROBOTS.values(), by="amiro2")
        for sent in p.sent.values():
            sent.clear()
        t.settle()
        assert not any(p.sent.values())


def test_a_robot_that_does_not_get_there_is_not_waited_for_and_one_that_is_not_there_not_sent(
    engine, codes
) -> None:
    with team() as t:
        p = Planned(t, engine, codes, ["amiro1", "amiro2"], patience=0.3)
        p.tell("a", *ROBOTS.values(), by="amiro1")
        p.tell("b", "reflectance", by="amiro3")
        p.sent["amiro1"].clear()
        p.sent["amiro2"].clear()
        t.until(lambda: p.sent["amiro1"].count("b") > 0 and p.sent["amiro2"].count("b") > 0)
        assert not p.sent.get("amiro3")


def test_what_nobody_has_seen_for_long_is_looked_at_again(engine, codes) -> None:
    with team() as t:
        p = Planned(t, engine, codes, ROBOTS, forget_after=0.2)
        p.tell("a", *ROBOTS.values(), by="amiro1")

        def only_b_is_seen() -> bool:
            p.tell("b", *ROBOTS.values(), by="amiro3")
            return p.node._memory.get("a") is None

        t.until(only_b_is_seen)
        for sent in p.sent.values():
            sent.clear()
        t.until(lambda: any("a" in sent for sent in p.sent.values()))


def test_when_time_jumps_back_what_is_known_is_heard_anew(engine, codes) -> None:
    with team() as t:
        p = Planned(t, engine, codes, ["amiro1"], use_sim_time=True)
        t.send("/clock", Clock(clock=messages.stamp(t.tester.get_clock().now().nanoseconds)))
        p.tell("a", *ROBOTS.values(), by="amiro1")
        p.tell("b", *ROBOTS.values(), by="amiro1")
        t.send("/clock", Clock(clock=messages.stamp(0)))
        t.until(lambda: p.node._memory.get("a") is None)
        p.sent["amiro1"].clear()
        t.send("/clock", Clock(clock=messages.stamp(10**9)))
        t.until(lambda: bool(p.sent["amiro1"]))


def test_it_says_whom_it_has_asked_for_what_and_why_nobody(engine, codes) -> None:
    with team() as t:
        p = Planned(t, engine, codes, ["amiro1"])

        def told(key: str) -> str | None:
            return t.diagnostics["planner"].get(key)

        t.until(lambda: told("asked amiro1") in ("a", "b"))
        assert told("plan") == f"amiro1 to {told('asked amiro1')}"
        assert told("patrols heard") == "amiro1"
        assert told("fingerprint") == engine.fingerprint
        p.tell("a", *ROBOTS.values(), by="amiro1")
        p.tell("b", *ROBOTS.values(), by="amiro1")
        t.until(lambda: told("plan") == "nobody is asked: all objects are known")
        assert told("objects") == told("objects held") == told("objects known") == "2"
    with team() as alone:
        Planned(alone, engine, codes, [])
        why = "nobody is asked: no patrol of the team is heard"
        alone.until(lambda: alone.diagnostics["planner"].get("plan") == why)


def test_what_a_robot_has_said_that_is_gone_a_late_planner_hears_of_the_others(
    engine, codes
) -> None:
    with team() as t:
        other = t.active_robot("amiro2", resource("models/amiro"), [""])
        posterior = engine.encode(codes)
        now = t.tester.get_clock().now().nanoseconds
        numbers = (posterior.mean, posterior.log_variance, "amiro1", engine.fingerprint)
        held = dict.fromkeys(codes, now)
        said = Embedding("a", (3.0, 0.0, 0.0), "map", held, *numbers)
        t.send("/embeddings", messages.embedding_message(said))
        t.until(lambda: other._memory.get("a") is not None)
        t.tester.destroy_publisher(t._publishers.pop("/embeddings"))
        planner = t.add(PlannerNode, robots=["amiro1/camera"], **PLACES)
        t.until(lambda: planner._memory.get("a") is not None)
        assert planner._planner.is_known(planner._memory.get("a"))


@pytest.mark.slow
def test_a_planned_team_in_the_simulator_finds_out_every_object() -> None:
    sure: dict[str, float] = {}
    taken: dict[str, str] = {}

    def note(m: ObjectClassification) -> None:
        sure[m.object_id] = max(m.probabilities)
        taken[m.object_id] = m.classes[list(m.probabilities).index(sure[m.object_id])]

    specs = simulated_team(planned=True, real_time_factor=4.0)
    with asking() as (node, executor), Processes(specs) as processes:
        for robot in TEAM:
            topic = f"/{robot}/classification"
            node.create_subscription(ObjectClassification, topic, note, qos.EVERY_ONE)
        bring_up(processes, node, executor)
        until(lambda: len(sure) == 8 and min(sure.values()) >= CERTAIN, executor)
    assert taken == {item.name: item.class_name for item in world_objects()}


def test_a_planner_needs_a_team_of_sensors_that_its_weights_know() -> None:
    with team() as t, pytest.raises(ValueError, match="robots: there has to be at least one"):
        t.add(PlannerNode)
