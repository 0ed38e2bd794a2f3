# SPDX-License-Identifier: Apache-2.0
"""What a launch file was given, read: every argument is text, and may be wrong."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from m2vae_ros.bringup.specs import Robots
from m2vae_ros.gazebo.address import address_of
from m2vae_ros.gazebo.errors import GazeboError
from m2vae_ros.host.resources import resource, weights_folder
from m2vae_ros.sensors import SensorSuite
from m2vae_ros.sensors.card import CARD, Card
from m2vae_ros.world.suite import AMIRO

T = TypeVar("T")

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class LaunchArguments:
    """The arguments of a launch file by name; an error names the argument and what it was.

    Args:
        texts: name -> text, for instance the launch context's configurations.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def text(self, name: str) -> str:
        """As it is, without the blanks around it; nothing if it was not given."""
        return self._texts.get(name, "").strip()

    def words(self, name: str, among: Sequence[str] = ()) -> list[str]:
        """What stands between commas; nothing if there is nothing.

        Raises:
            ValueError: a word is not `among` those that may be, if they are given.
        """
        words = [word.strip() for word in self.text(name).split(",") if word.strip()]
        for word in words:
            if among and word not in among:
                raise ValueError(f"{name}: {word!r} is not one of {', '.join(among)}")
        return words

    def path(self, name: str, there: bool = True) -> str:
        """A file or folder, or nothing; ~ is the user's home.

        Raises:
            ValueError: it is not there, but should be.
        """
        path = os.path.expanduser(self.text(name))
        if there and path and not os.path.exists(path):
            raise ValueError(f"{name}: {path!r} is not there")
        return path

    def paths(self, name: str) -> list[str]:
        """Files or folders between commas, as `path`."""
        return [LaunchArguments({name: word}).path(name) for word in self.words(name)]

    def packaged(self, name: str, default: str) -> str:
        """A file: a path from the current folder, or else one within the package.

        Args:
            name: of the argument.
            default: within the package, if none was given.

        Raises:
            ValueError: it is in neither.
        """
        path = os.path.expanduser(self.text(name))
        if os.path.isfile(path):
            return os.path.abspath(path)
        try:
            return str(resource(path or default))
        except FileNotFoundError:
            where = "is neither in the current folder nor in the package"
            raise ValueError(f"{name}: {path!r} {where}") from None

    def weights(self, name: str) -> str:
        """A folder of weights, or one of the package's models by its name, or nothing.

        Raises:
            ValueError: it is not there.
        """
        text = self.text(name)
        try:
            folder = weights_folder(text) if text else ""
        except FileNotFoundError:
            folder = text
        if text and not os.path.isdir(folder):
            raise ValueError(
                f"{name}: {text!r} is neither a folder nor one of the package's models"
            )
        return str(folder)

    def suite(self, name: str) -> SensorSuite:
        """The suite of a folder of weights, or of a name in the package's models.

        Weights that are not there yet may come later, as nodes allow; until then they are taken for
        the AMiRo's.

        Raises:
            ValueError: the card of the weights makes no sense.
        """
        try:
            folder = weights_folder(self.text(name))
            return Card.read(folder).suite if (folder / CARD).exists() else AMIRO
        except FileNotFoundError:
            return AMIRO
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    def flag(self, name: str) -> bool:
        """Whether it is true.

        Raises:
            ValueError: it is neither true nor false.
        """
        return self._read(name, lambda text: _TRUTH[text.lower()], "true or false")

    def whole(self, name: str, minimum: int) -> int:
        """A whole number, `minimum` or above.

        Raises:
            ValueError: it is none.
        """

        def read(text: str) -> int:
            number = int(text)
            if number < minimum:
                raise ValueError
            return number

        return self._read(name, read, f"a whole number from {minimum} up")

    def positive(self, name: str) -> float:
        """A finite number above zero.

        Raises:
            ValueError: it is none.
        """
        return self._read(name, _positive, "a positive number")

    def _read(self, name: str, reader: Callable[[str], T], expected: str) -> T:
        text = self.text(name)
        try:
            return reader(text)
        except (ValueError, KeyError):
            raise ValueError(f"{name}: {text!r} is not {expected}") from None


def _positive(text: str) -> float:
    number = float(text)
    if not 0.0 < number < math.inf:
        raise ValueError
    return number


def robots_of(entries: Iterable[str]) -> Robots | None:
    """Robot -> sensors of "amiro1/camera", ...; None, which is all, if there are no entries.

    Raises:
        ValueError: an entry is not of that form.
    """
    robots: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        robot, slash, sensor = entry.partition("/")
        if not (robot and slash and sensor):
            raise ValueError(f"robots: {entry!r} is not of the form robot/sensor")
        robots[robot] = (*robots.get(robot, ()), sensor)
    return robots or None


def team_of(entries: Iterable[str], suite: SensorSuite = AMIRO) -> Robots:
    """As `robots_of`, for robots that have no world which knows them, and sensors of a suite.

    Raises:
        ValueError: there is none, a name is none ROS allows, or a sensor is unknown.
    """
    robots = robots_of(entries)
    if not robots:
        raise ValueError("robots: there has to be at least one robot/sensor")
    for robot, sensors in robots.items():
        check_robot(robot, "robots")
        for sensor in sensors:
            if sensor not in suite:
                known = ", ".join(suite)
                raise ValueError(f"robots: {sensor!r} of {robot} is not one of {known}")
    return robots


def check_robot(name: str, argument: str = "robot", nested: bool = False) -> str:
    """The name of a robot, if it can be a namespace.

    Args:
        name: to check.
        argument: it came from, which the message names.
        nested: whether it may be within the namespace of a fleet, as in fleet/robot.

    Raises:
        ValueError: it cannot.
    """
    word = r"[A-Za-z_]\w*"
    if not re.fullmatch(rf"{word}(/{word})*" if nested else word, name, re.ASCII):
        raise ValueError(
            f"{argument}: {name!r} cannot be a robot's name: letters, digits and underscores, "
            "not beginning with a digit"
        )
    return name


def bridges(wanted: str, master: str, has_gazebo_ros: bool) -> bool:
    """Whether a team in Gazebo needs the bridge.

    Args:
        wanted: the argument `bridge` of a launch file: auto, true or false.
        master: its argument `master`: of a Gazebo that runs already, for the bridge; "" is none.
        has_gazebo_ros: whether Gazebo can speak ROS itself.

    Raises:
        ValueError: that cannot be; names the argument.
    """
    if master:
        try:
            address_of(master)
        except GazeboError as error:
            raise ValueError(f"master: {error}") from None
    if wanted == "auto":
        return bool(master) or not has_gazebo_ros
    if wanted == "false" and master:
        raise ValueError("bridge: cannot be false with a master, which is for the bridge alone")
    if wanted == "false" and not has_gazebo_ros:
        raise ValueError("bridge: cannot be false, for gazebo_ros is not installed")
    return wanted == "true"
