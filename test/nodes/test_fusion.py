# SPDX-License-Identifier: Apache-2.0
"""What robots make of their sensors and of each other, over real topics."""

from __future__ import annotations

import re

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from m2vae_ros.msg import LatentEmbedding
from m2vae_ros.srv import Decode, Imagine, ResetObject
from rclpy.lifecycle import TransitionCallbackReturn
from ros_team import OBJECT, Team, image, reflectance, scan, team
from rosgraph_msgs.msg import Clock
from untrained import untrained_weights

from m2vae_ros.fusion.imagination import imagine
from m2vae_ros.ros import diagnostics, listening, messages, qos

pytestmark = pytest.mark.ros

SUCCESS = TransitionCallbackReturn.SUCCESS


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return untrained_weights(tmp_path_factory.mktemp("weights"))


def test_an_observation_becomes_an_embedding_and_a_classification(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: bool(t.embeddings and t.classifications))
        embedding, classification = t.embeddings[0], t.classifications[0]
        assert embedding.sender == classification.sender == "amiro1"
        assert embedding.object_id == classification.object_id == OBJECT
        assert embedding.modalities == classification.modalities == ["camera"]
        assert embedding.fingerprint == node._engine.fingerprint
        assert embedding.header.frame_id == "map"
        assert embedding.position.x == 0.5
        assert len(embedding.mean) == len(embedding.log_variance) == 10
        assert classification.classes[0] == "red cylinder mat"
        assert sum(classification.probabilities) == pytest.approx(1.0, abs=1e-5)


def test_observations_of_one_tick_are_encoded_together(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera", "lidar", "reflectance"], join_time=0.5)
        t.sense("amiro1", image(), "camera")
        t.sense("amiro1", scan(), "lidar")
        t.sense("amiro1", reflectance(), "reflectance")
        t.until(lambda: bool(t.embeddings))
        assert t.embeddings[0].modalities == ["camera", "lidar", "reflectance"]
        engine = node._engine
        readings = {"camera": image(), "lidar": scan(), "reflectance": reflectance()}
        codes = {
            m: engine.encode_modality(m, engine.suite[m].view.read(reading)).code
            for m, reading in readings.items()
        }
        np.testing.assert_allclose(t.embeddings[0].mean, engine.encode(codes).mean, atol=1e-5)


def test_a_moving_robot_does_not_sense(weights) -> None:
    with team() as t:
        t.active_robot("amiro1", weights, ["camera"])
        before = t.counted("amiro1", "received odom")
        t.stand("amiro1", speed=0.3)
        t.until(lambda: t.counted("amiro1", "received odom") > before)
        t.sense("amiro1", image(), "camera")
        t.until(lambda: t.counted("amiro1", "unused: moving") == 1)
        t.settle()
        assert not t.embeddings


def test_without_odometry_of_its_time_an_observation_has_no_place(weights) -> None:
    with team() as t:
        t.active_robot("amiro1", weights, ["camera"], odometry_tolerance=0.2)
        t.settle(0.4)
        t.sense("amiro1", image(), "camera")
        t.until(lambda: t.counted("amiro1", "unused: no odometry of that time") == 1)
        t.send_odometry("amiro1")
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)


def test_an_object_is_not_sensed_again_within_the_refresh_period(weights) -> None:
    parameters = {"camera.refresh_period": 60.0}
    with team() as t:
        t.active_robot("amiro1", weights, ["camera"], **parameters)
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        t.sense("amiro1", image(50), "camera")
        t.settle()
        assert len(t.embeddings) == 1
        assert t.counted("amiro1", "received front_camera/image_raw") == 1  # not even read


def test_what_stands_too_near_or_out_of_view_is_not_looked_at(weights) -> None:
    parameters = {"camera.min_distance": 0.6}
    with team() as t:
        t.active_robot("amiro1", weights, ["camera"], **parameters)
        t.sense("amiro1", image(), "camera")
        t.until(lambda: t.counted("amiro1", "unused: nothing to look at") == 1)
        assert not t.embeddings


def test_without_a_map_the_lidar_finds_the_object(weights) -> None:
    no_map = {"objects.names": [], "objects.x": [], "objects.y": []}
    with team() as t:
        t.active_robot("amiro1", weights, ["lidar"], **no_map)
        pillar = scan(value=float("inf"))
        for beam in range(325, 358):  # 17 cm wide at 0.5 m
            pillar.ranges[beam] = 0.5
        t.sense("amiro1", pillar, "lidar")
        t.until(lambda: len(t.embeddings) == 1)
        assert t.embeddings[0].position.x == pytest.approx(0.6, abs=0.02)
        assert t.embeddings[0].position.y == pytest.approx(0.0, abs=0.02)


def test_two_robots_with_different_sensors_end_with_the_same_bytes(weights) -> None:
    with team() as t:
        one = t.active_robot("amiro1", weights, ["camera"])
        two = t.active_robot("amiro2", weights, ["lidar"])
        # At the same time, so that each knows only its own when the other's arrives.
        t.sense("amiro1", image(), "camera")
        t.sense("amiro2", scan(), "lidar")

        def both_hold_both() -> bool:
            held = [node._memory.get(OBJECT) for node in (one, two)]
            return all(e and set(e.held) == {"camera", "lidar"} for e in held)

        t.until(both_hold_both)
        t.settle(0.5)
        a, b = one._memory.get(OBJECT), two._memory.get(OBJECT)
        assert a == b
        assert a.mean.tobytes() == b.mean.tobytes()


def test_a_look_that_tells_nothing_new_is_classified_and_not_sent(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"])
        for looks in range(1, 4):
            t.sense("amiro1", image(), "camera")
            t.until(lambda looks=looks: len(t.classifications) == looks)
            assert list(t.classifications[-1].sensed) == ["camera"]
        t.settle()
        assert len(t.embeddings) == 1
        (held,) = node._memory.objects()
        first, *_, last = (messages.nanoseconds(c.header.stamp) for c in t.classifications)
        assert held.newest == first < last
        assert t.counted("amiro1", "confirmed camera") == 2


def test_who_joins_late_gets_the_latest_of_each_object_and_nothing_else(weights) -> None:
    three = {"objects.names": ["a", "b", "c"], "objects.x": [0.5, 5.5, 9.5]}
    three["objects.y"] = [0.0, 0.0, 0.0]
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"], min_gain=0.0, **three)
        for x, name in ((0.0, "a"), (5.0, "b"), (9.0, "c"), (5.0, "b")):
            t.stand("amiro1", x)
            for value in (10, 200):
                before = len(t.embeddings)
                t.settle(0.1)  # the odometry before the image
                t.sense("amiro1", image(value), "camera")
                t.until(lambda before=before: len(t.embeddings) == before + 1)
                assert t.embeddings[-1].object_id == name
        late: list[LatentEmbedding] = []
        t.listen(LatentEmbedding, "/embeddings", late.append, qos.EMBEDDINGS)
        t.until(lambda: len(late) >= 3)
        t.settle()
        held = {e.object_id: e for e in node._memory.objects()}
        assert sorted(message.object_id for message in late) == ["a", "b", "c"]
        assert all(messages.embedding(m) == held[m.object_id] for m in late)


def test_in_simulated_time_a_late_joiner_waits_for_the_time_and_then_learns_all(weights) -> None:
    with team() as t:
        t.active_robot("amiro1", weights, ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        late = t.robot("amiro2", weights, ["lidar"], use_sim_time=True)
        assert late.trigger_configure() == SUCCESS
        assert late.trigger_activate() == SUCCESS
        t.settle()
        assert not late._memory.objects()
        t.send("/clock", Clock(clock=t.tester.get_clock().now().to_msg()))
        t.until(lambda: bool(late._memory.objects()))
        assert late._drops.dropped == 0


def test_what_is_known_outlives_deactivation_but_not_cleanup(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        assert node.trigger_deactivate() == SUCCESS
        assert node.count_publishers("/embeddings") == 0
        before = t.counted("amiro1", "received odom")
        t.settle()
        assert t.counted("amiro1", "received odom") == before
        assert node._memory.get(OBJECT) is not None
        assert node.trigger_activate() == SUCCESS
        t.until(lambda: len(t.embeddings) == 2)  # told again
        assert t.embeddings[0] == t.embeddings[1]
        assert node.trigger_deactivate() == SUCCESS
        assert node.trigger_cleanup() == SUCCESS
        assert node._memory is None
        assert node.trigger_configure() == SUCCESS
        assert node._memory.objects() == []


def test_a_reset_object_is_forgotten_until_it_is_sensed_anew(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        old = t.embeddings[0]
        answer = call(t, ResetObject, "reset_object", ResetObject.Request(object_id=OBJECT))
        assert answer.success, answer.message
        assert node._memory.get(OBJECT) is None
        old.sender = "amiro2"
        t.send("/embeddings", old)
        t.until(lambda: t.counted("amiro1", "embeddings known") == 1)
        assert node._memory.get(OBJECT) is None
        late: list[LatentEmbedding] = []
        t.listen(LatentEmbedding, "/embeddings", late.append, qos.EMBEDDINGS)
        t.until(lambda: bool(late))
        assert [m.sender for m in late] == ["amiro2"]
        t.sense("amiro1", image(), "camera")
        t.until(lambda: node._memory.get(OBJECT) is not None)
        answer = call(t, ResetObject, "reset_object", ResetObject.Request(object_id="unheard of"))
        assert not answer.success
        assert "unheard of" in answer.message


def test_an_embedding_is_decoded_to_what_a_sensor_would_see(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        request = Decode.Request(embedding=t.embeddings[0], modality="lidar")
        answer = call(t, Decode, "decode", request)
        assert answer.success, answer.message
        assert list(answer.shape) == [227]
        shown = node._engine.reconstruct("lidar", np.array(t.embeddings[0].mean, np.float32))
        np.testing.assert_array_equal(np.array(answer.data, np.float32), shown)

        request.modality = "sonar"
        answer = call(t, Decode, "decode", request)
        assert not answer.success
        assert "sonar" in answer.message
        request.modality, request.embedding.fingerprint = "lidar", "another"
        answer = call(t, Decode, "decode", request)
        assert not answer.success
        assert "fingerprint" in answer.message


def test_of_an_object_it_is_told_what_each_sensor_would_read(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["lidar"])
        t.sense("amiro1", scan(), "lidar")
        t.until(lambda: len(t.embeddings) == 1)
        answer = call(t, Imagine, "imagine", Imagine.Request(object_id=OBJECT))
        assert answer.success, answer.message
        suite, held = node._engine.suite, node._memory.get(OBJECT)
        assert [one.modality for one in answer.readings] == list(suite)
        assert [one.modality for one in answer.readings if one.held] == ["lidar"]
        for one in answer.readings:
            view, told = suite[one.modality].view, imagine(node._engine, held, one.modality)
            assert tuple(one.shape) == view.shape
            assert one.unit == view.unit.symbol
            scale = view.unit.scale
            assert np.array(one.mean) == pytest.approx(scale * told.mean.ravel(), rel=1e-5)
            assert np.array(one.standard_deviation) == pytest.approx(
                scale * told.spread.ravel(), rel=1e-5
            )

        for wrong in (
            Imagine.Request(object_id="unheard of"),
            Imagine.Request(object_id=OBJECT, modalities=["lidar", "sonar"]),
        ):
            answer = call(t, Imagine, "imagine", wrong)
            assert not answer.success
            assert not answer.readings
            assert "unheard of" in answer.message or "'sonar' is not one of" in answer.message


def test_diagnostics_count_what_came_and_what_became_of_it(weights) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        t.until(lambda: t.diagnostics["amiro1/fusion"].get("fused camera") == "1")
        told = t.diagnostics["amiro1/fusion"]
        assert told["objects held"] == "1"
        assert told["received front_camera/image_raw"] == "1"
        assert told["fingerprint"] == node._engine.fingerprint
        assert told["state"] == "active"
        assert told["last error"] == ""


def test_the_log_tells_what_a_node_does(weights, capfd) -> None:
    with team() as t:
        node = t.active_robot("amiro1", weights, ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: t.counted("amiro1", "fused camera") == 1)
        t.until(lambda: t.diagnostics["amiro1/fusion"].get("objects held") == "1")
        assert node.trigger_deactivate() == SUCCESS
        assert node.trigger_cleanup() == SUCCESS
    said = capfd.readouterr().err
    topics = ["/embeddings", "/amiro1/odom", "/amiro1/front_camera/image_raw"]
    for line in (
        *("inactive", "active", "unconfigured"),
        f"listens to /tf, /tf_static, {', '.join(topics)}",
        *(f"first message of {topic}" for topic in topics),
    ):
        assert len(re.findall(rf"\[amiro1.fusion\]: {line}$", said, re.MULTILINE)) >= 1, line
    known = r"\w+ \w+ \w+, \d+ %|[\w?]+ · [\w?]+ · [\w?]+"
    assert re.search(rf"\[amiro1.fusion\]: {OBJECT}: ({known}), by camera\n", said)


def test_a_topic_that_is_not_heard_stands_in_the_diagnostics(weights, monkeypatch) -> None:
    monkeypatch.setattr(listening, "PATIENCE", 0.5)
    reports: list[DiagnosticArray] = []
    with team() as t:
        t.listen(DiagnosticArray, "/diagnostics", reports.append, 10)
        t.active_robot("amiro1", weights, ["lidar"])

        def told(level: bytes, message: str) -> bool:
            return any(
                (r.status[0].level, r.status[0].message) == (level, message) for r in reports
            )

        t.until(lambda: told(diagnostics.WARN, "nothing has come on /amiro1/laser_scan"))
        assert t.diagnostics["amiro1/fusion"]["received laser_scan"] == "0"
        reports.clear()
        t.sense("amiro1", scan(), "lidar")
        t.until(lambda: told(diagnostics.OK, "active"))
        late = t.robot("amiro2", weights, ["lidar"], use_sim_time=True)
        assert late.trigger_configure() == late.trigger_activate() == SUCCESS
        t.until(lambda: told(diagnostics.WARN, "nothing has come on /clock"))


def call(t: Team, kind: type, name: str, request):
    """The answer of a service of the one robot."""
    client = t.tester.create_client(kind, f"/amiro1/fusion/{name}")
    t.until(client.service_is_ready)
    future = client.call_async(request)
    t.until(future.done)
    t.tester.destroy_client(client)
    return future.result()
