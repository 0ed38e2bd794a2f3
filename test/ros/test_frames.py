# SPDX-License-Identifier: Apache-2.0
"""Our buffer of transforms says what tf2's does, and a node's goes by the node's clock."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from hypothesis import given
from hypothesis import strategies as st
from rclpy.node import Node
from ros_team import team
from rosgraph_msgs.msg import Clock
from tf2_msgs.msg import TFMessage

from m2vae_ros.robot.frames import NoTransform, TransformBuffer
from m2vae_ros.ros.drop_log import DropLog
from m2vae_ros.ros.frames import BufferCore, FrameListener, Tf2Buffer
from m2vae_ros.ros.messages import stamp

SECOND = 1_000_000_000
metres, radians = st.floats(-50, 50), st.floats(-0.5, 0.5)
moves = st.tuples(metres, metres, radians)


def transform(parent: str, child: str, move, seconds: float) -> TransformStamped:
    made = TransformStamped(child_frame_id=child)
    made.header.frame_id, made.header.stamp = parent, stamp(round(seconds * SECOND))
    made.transform.translation.x, made.transform.translation.y, yaw = move
    made.transform.rotation.z, made.transform.rotation.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return made


def answers(buffer, target: str, source: str, at: int) -> np.ndarray | None:
    try:
        return buffer.transform(target, source, at)
    except NoTransform:
        return None


@pytest.mark.skipif(BufferCore is None, reason="tf2_py is not installed")
@given(
    st.lists(
        st.tuples(moves, st.integers(12, 20)), min_size=1, max_size=6, unique_by=lambda d: d[1]
    ),
    moves,
    st.floats(11, 21),
)
def test_both_place_a_sensor_alike(drives, mount, at) -> None:
    ours, theirs = TransformBuffer(), Tf2Buffer()
    for buffer in (ours, theirs):
        for move, seconds in drives:
            buffer.add(transform("map", "base", move, seconds), False)
        buffer.add(transform("base", "laser", mount, 0.0), True)
    for target, source in (("map", "laser"), ("laser", "map"), ("base", "laser"), ("map", "x")):
        mine, tf2s = (answers(b, target, source, round(at * SECOND)) for b in (ours, theirs))
        assert (mine is None) == (tf2s is None)
        if mine is not None:
            np.testing.assert_allclose(mine, tf2s, atol=1e-4)
    assert theirs.knows("/laser")
    for buffer in (ours, theirs):  # a bag played again
        buffer.begin_anew()
        buffer.add(transform("map", "base", drives[0][0], 0.0), False)
    assert answers(ours, "map", "laser", 0) is not None
    assert answers(theirs, "map", "laser", 0) is not None
    assert not theirs.knows("x")


@pytest.mark.ros
def test_of_before_the_clock_went_back_nothing_that_moves_is_remembered() -> None:
    """A world that is reset after some seconds, or a bag that is played in a loop."""
    with team() as t:
        node = t.add(partial(Node, "listener"), use_sim_time=True)
        listener = FrameListener(node, DropLog(node.get_logger()))

        def time_is(seconds: float) -> None:
            t.send("/clock", Clock(clock=stamp(round(seconds * SECOND))))
            t.until(lambda: node.get_clock().now().nanoseconds == round(seconds * SECOND))

        take = {topic: callback for topic, _, callback in listener.sources()}
        time_is(5.0)
        take["/tf_static"](TFMessage(transforms=[transform("base", "laser", (1, 0, 0), 0.0)]))
        for seconds in (1.0, 5.0):
            take["/tf"](TFMessage(transforms=[transform("map", "base", (seconds, 0, 0), seconds)]))
        assert answers(listener, "map", "laser", 3 * SECOND)[0, 3] == pytest.approx(4.0)
        time_is(2.0)
        assert answers(listener, "map", "laser", 2 * SECOND) is None
        take["/tf"](TFMessage(transforms=[transform("map", "base", (7, 0, 0), 2.0)]))
        assert answers(listener, "map", "laser", 2 * SECOND)[0, 3] == pytest.approx(8.0)
