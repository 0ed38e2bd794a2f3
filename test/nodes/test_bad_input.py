# SPDX-License-Identifier: Apache-2.0
"""Whatever arrives, the node goes on, says once why it drops it, and changes nothing it holds."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
from m2vae_ros.msg import LatentEmbedding
from nav_msgs.msg import Odometry
from ros_team import READINGS, Team, image, reflectance, scan, team
from untrained import untrained_weights

from m2vae_ros.ros import messages
from m2vae_ros.world.suite import AMIRO

pytestmark = pytest.mark.ros

NAN = float("nan")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return untrained_weights(tmp_path_factory.mktemp("weights"))


def short_image():
    message = image()
    message.data = message.data[:-1]
    return message


def empty_image():
    message = image()
    message.width = message.height = message.step = 0
    message.data = message.data[:0]
    return message


def narrow_step():
    message = image()
    message.step = 640
    message.data = message.data[: 640 * 480]
    return message


BAD_READINGS = {
    "an encoding that is not supported": ("camera", lambda: image(encoding="yuv9"), "yuv9"),
    "an image without colour": ("camera", lambda: image(encoding="mono8"), "mono8"),
    "an image that is too short": ("camera", short_image, "921599 bytes"),
    "an image of no size": ("camera", empty_image, "0×0"),
    "rows shorter than their pixels": ("camera", narrow_step, "step"),
    "a scan that does not cover the view": ("lidar", lambda: scan(100, half_angle=0.3), "cover"),
    "a scan of nothing but NaN": ("lidar", lambda: scan(value=NAN), "NaN"),
    "a scan without beams": ("lidar", lambda: scan(beams=2, half_angle=NAN), "angle"),
    "proximity sensors without intensities": (
        "reflectance",
        lambda: scan(beams=8, half_angle=3.0),
        "intensities: empty",
    ),
    "too few proximity sensors": ("reflectance", lambda: reflectance(rays=5), "5 values"),
    "proximity sensors that all read NaN": ("reflectance", lambda: reflectance(NAN), "NaN"),
}


@pytest.mark.parametrize("case", BAD_READINGS)
def test_a_reading_that_cannot_be_used_is_dropped_and_said_once(case: str, weights, capfd) -> None:
    modality, bad, reason = BAD_READINGS[case]
    with team() as t:
        t.active_robot("amiro1", weights, [modality])
        t.sense("amiro1", READINGS[modality](), modality)
        t.until(lambda: len(t.embeddings) == 1)
        before = held(t)

        for _ in range(3):
            wait_for_drop(t, lambda: t.sense("amiro1", bad(), modality))
        t.settle()
        assert held(t) == before
        assert len(t.embeddings) == 1
        warning = only_warning(capfd)
        assert reason in warning
        assert AMIRO[modality].topic in warning

        t.sense("amiro1", READINGS[modality](), modality)
        t.until(lambda: t.counted("amiro1", f"confirmed {modality}") == 1)


def test_a_scan_of_other_beams_that_covers_the_view_is_interpolated(weights) -> None:
    with team() as t:
        t.active_robot("amiro1", weights, ["lidar"], min_gain=0.0)
        t.sense("amiro1", scan(beams=683), "lidar")
        t.until(lambda: len(t.classifications) == 1)
        t.sense("amiro1", scan(beams=360, half_angle=math.pi / 2), "lidar")
        t.until(lambda: len(t.classifications) == 2)
        assert drops(t) == 0
        t.settle()
        np.testing.assert_allclose(t.embeddings[0].mean, t.embeddings[-1].mean, atol=1e-5)


@pytest.mark.parametrize("ahead", [3.0, -1e9])
def test_a_reading_whose_stamp_is_no_time_of_now_is_not_fused_unless_it_is_old(
    ahead: float, weights, capfd
) -> None:
    with team() as t:
        t.active_robot("amiro1", weights, ["reflectance"])
        message = reflectance()
        now = t.tester.get_clock().now().nanoseconds
        taken = now + int(ahead * 1e9)
        message.header.stamp = messages.stamp(taken)
        if ahead > 0:
            t.send("/amiro1/reflectance", message)
            t.until(lambda: drops(t) == 1)
            assert "header.stamp" in only_warning(capfd)
        else:  # in a world whose clock was set back, odometry, too
            for before in (3, 2, 1):
                t.stand("amiro1", stamp=taken - before)
            t.send("/amiro1/reflectance", message)
            t.until(lambda: t.counted("amiro1", "received reflectance") == 1)
            t.stand("amiro1", stamp=taken + 1)
            t.until(lambda: len(t.embeddings) == 1)


def test_odometry_that_is_not_finite_is_dropped(weights, capfd) -> None:
    with team() as t:
        t.active_robot("amiro1", weights, ["reflectance"])
        bad = Odometry()
        bad.pose.pose.position.x = NAN
        bad.pose.pose.orientation.w = 1.0
        t.send("/amiro1/odom", bad)
        t.until(lambda: drops(t) == 1)
        assert "odom" in only_warning(capfd)
        t.sense("amiro1", reflectance(), "reflectance")
        t.until(lambda: len(t.embeddings) == 1)


def test_an_observation_unlike_all_training_data_is_counted_and_not_fused(tmp_path, capfd) -> None:
    with team() as t:
        t.active_robot("amiro1", untrained_weights(tmp_path, familiar_error=1e-6), ["camera"])
        for _ in range(2):
            wait_for_drop(t, lambda: t.sense("amiro1", image(), "camera"))
        assert "trained on" in only_warning(capfd)
        t.settle()
        assert not t.embeddings


def other_fingerprint(message: LatentEmbedding) -> None:
    message.fingerprint = "0123456789abcdef"


def wrong_length(message: LatentEmbedding) -> None:
    message.mean = message.mean[:-1]


def not_a_number(message: LatentEmbedding) -> None:
    message.mean[3] = NAN


def infinite(message: LatentEmbedding) -> None:
    message.log_variance[0] = float("inf")


def impossible_variance(message: LatentEmbedding) -> None:
    message.log_variance[0] = 80.0


def unknown_modality(message: LatentEmbedding) -> None:
    message.modalities = ["sonar"]


def repeated_modality(message: LatentEmbedding) -> None:
    message.modalities = [message.modalities[0]] * 2
    message.stamps = [message.stamps[0]] * 2
    message.reencodings = [0, 0]


def no_modality(message: LatentEmbedding) -> None:
    message.modalities, message.stamps, message.reencodings = [], [], []


def a_stamp_short(message: LatentEmbedding) -> None:
    message.stamps = []


def a_count_short(message: LatentEmbedding) -> None:
    message.reencodings = []


def from_the_future(message: LatentEmbedding) -> None:
    message.stamps[0].sec += 3600


def nowhere(message: LatentEmbedding) -> None:
    message.position.x = NAN


def other_frame(message: LatentEmbedding) -> None:
    message.header.frame_id = "odom"


def nameless(message: LatentEmbedding) -> None:
    message.object_id = ""


UNFIT = {
    other_fingerprint: "fingerprint",
    wrong_length: "shape",
    not_a_number: "NaN",
    infinite: "infinite",
    impossible_variance: "log-variance",
    unknown_modality: "sonar",
    repeated_modality: "more than once",
    no_modality: "no modality",
    a_stamp_short: "stamps",
    a_count_short: "reencodings",
    from_the_future: "future",
    nowhere: "position",
    other_frame: "odom",
    nameless: "object id",
}


@pytest.mark.parametrize("spoil", UNFIT, ids=lambda spoil: spoil.__name__)
def test_an_embedding_that_does_not_fit_is_dropped_and_said_once(
    spoil: Callable[[LatentEmbedding], None], weights, capfd
) -> None:
    with team() as t:
        t.active_robot("amiro1", weights, ["camera"])
        t.sense("amiro1", image(), "camera")
        t.until(lambda: len(t.embeddings) == 1)
        before = held(t)

        # What would replace it if it fitted: newer, of another sender.
        bad = copy.deepcopy(t.embeddings[0])
        bad.sender = "stranger"
        bad.stamps[0] = bad.header.stamp = t.tester.get_clock().now().to_msg()
        good = copy.deepcopy(bad)
        spoil(bad)
        for _ in range(3):
            wait_for_drop(t, lambda: t.send("/embeddings", bad))
        t.settle()
        assert held(t) == before
        assert len(t.classifications) == 1
        warning = only_warning(capfd)
        assert UNFIT[spoil] in warning
        assert "/embeddings" in warning
        t.until(lambda: t.diagnostics["amiro1/fusion"].get("last error", "") != "")
        assert UNFIT[spoil] in t.diagnostics["amiro1/fusion"]["last error"]

        t.send("/embeddings", good)
        t.until(lambda: held(t) != before)


def drops(t: Team) -> int:
    """How many messages the robot's node has dropped."""
    return t.nodes[1]._drops.dropped


def wait_for_drop(t: Team, send: Callable[[], None]) -> None:
    """Send something that is dropped."""
    count = drops(t) + 1
    send()
    t.until(lambda: drops(t) == count)


def held(t: Team) -> list:
    """All that the robot's node holds."""
    return t.nodes[1]._memory.objects()


def only_warning(capfd: pytest.CaptureFixture[str]) -> str:
    """The one warning that the node logged; rcl has its own when nodes of one name come and go."""
    logged = capfd.readouterr().err.splitlines()
    (line,) = [line for line in logged if "[WARN]" in line and "[amiro1.fusion]" in line]
    return line
