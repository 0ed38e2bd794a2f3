# SPDX-License-Identifier: Apache-2.0
"""What is believed of a Gazebo that answers late, changes by itself or dies; without a Gazebo."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from gazebo_master import needs_gazebo

from m2vae_ros.gazebo import world as module
from m2vae_ros.gazebo.drive import Drive
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.gazebo.messages import PACKAGE, message
from m2vae_ros.gazebo.transport import Client
from m2vae_ros.gazebo.world import GazeboWorld, pose_message

pytestmark = needs_gazebo()


@pytest.fixture
def world(monkeypatch) -> Iterator[GazeboWorld]:
    """Of nobody: what Gazebo would tell, the tests tell."""
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    with GazeboWorld("http://127.0.0.1:9") as made:
        yield made


def tell_models(world: GazeboWorld, *names: str, number: int = 0) -> None:
    models = [{"name": name, "pose": pose_message(0.0, 0.0, 0.0, 0.0)} for name in names]
    scene = message("Scene")(name="small", model=models)
    world._on_response(
        message("Response")(
            id=number,
            request="scene_info",
            response="success",
            type=f"{PACKAGE}.Scene",
            serialized_data=scene.SerializeToString(),
        )
    )


def test_what_is_no_longer_there_has_no_pose(world: GazeboWorld) -> None:
    tell_models(world, "here", "gone")
    tell_models(world, "here")
    assert set(world.poses) == world.models == {"here"}
    with pytest.raises(GazeboError, match="no model gone"):
        world.pose("gone")


def test_if_gazebo_dies_while_something_is_placed_that_is_said(world, monkeypatch) -> None:
    tell_models(world, "amiro1")
    monkeypatch.setattr(world, "_ready_for", lambda topic: world._on_lost())
    with pytest.raises(GazeboError, match="not all get to where they were put: amiro1"):
        world.place("amiro1", 1.0, 0.0, 0.0)


def test_who_leaves_waits_for_the_answers_to_its_own_questions(world, monkeypatch) -> None:
    monkeypatch.setattr(Client, "connected", property(lambda client: True))
    monkeypatch.setattr(world, "_ready_for", lambda topic: None)
    told = []
    monkeypatch.setattr(world.client, "publish", lambda topic, content: told.append(content))
    world._request("scene_info")
    leaving = threading.Thread(target=world.close)
    leaving.start()
    tell_models(world, "amiro1", number=told[0].id + 1)  # the answer to somebody else
    leaving.join(0.3)
    assert leaving.is_alive()
    tell_models(world, "amiro1", number=told[0].id)
    leaving.join(module.ANSWERED_WITHIN)
    assert not leaving.is_alive()


def test_poses_that_come_all_at_once_push_once(monkeypatch) -> None:
    pushes = []
    drive = Drive(SimpleNamespace(time=0.0), "amiro1")
    monkeypatch.setattr(drive, "_push", lambda lacking, elapsed: pushes.append(lacking))
    drive.command(0.3, 0.0)
    for step in range(10):  # they waited while the machine was busy
        drive.update(0.016 * step, (0.0, 0.0, 0.0))
    assert len(pushes) == 1
