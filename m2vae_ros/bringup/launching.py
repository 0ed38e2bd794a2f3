# SPDX-License-Identifier: Apache-2.0
"""The described system as launch actions; for the files in launch/."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    Shutdown,
    TimerAction,
)
from launch.event import Event
from launch.event_handlers import OnProcessExit, OnProcessStart, OnShutdown
from launch.events import Shutdown as ShutdownEvent
from launch.events import matches_action
from launch.events.process import ProcessExited, ProcessStarted
from launch.launch_context import LaunchContext
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.utilities import AsyncSafeSignalManager
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.ros_adapters import get_ros_node
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import GetState

from m2vae_ros.bringup.processes import environment
from m2vae_ros.bringup.specs import TEAM, NodeSpec
from m2vae_ros.host.resources import PACKAGE, resource
from m2vae_ros.host.shared_memory import remove_abandoned_memory
from m2vae_ros.ros.service_call import ServiceCall
from m2vae_ros.world.suite import AMIRO

RESPAWN_DELAY = 2.0
LOOK_AGAIN_AFTER = 0.2
PATIENCE = 10.0
"""Seconds; the last for a process to end, before it is signalled less politely: on a busy
machine it takes a while."""

ROBOTS = DeclareLaunchArgument(
    "robots",
    default_value=",".join(f"{robot}/{name}" for robot, names in TEAM.items() for name in names),
    description="Which robots there are and what each senses: robot/sensor, with commas. "
    f"Sensors: {', '.join(AMIRO)}.",
)
RVIZ = DeclareLaunchArgument(
    "rviz", default_value="false", description="Show what the robots know in RViz: true or false."
)
TOPICS = tuple(
    DeclareLaunchArgument(
        name,
        default_value="",
        description=f"Topic of its {modality.title} ({modality.type}); empty: {modality.topic}.",
    )
    for name, modality in AMIRO.items()
)
"""One for each modality."""
WEIGHTS = DeclareLaunchArgument(
    "weights",
    default_value="amiro",
    description="Folder of the weights, or a name in the package's models.",
)
CONFIG = DeclareLaunchArgument(
    "config",
    default_value="",
    description="Parameter file of the fusion nodes, for instance with the places of known "
    "objects: a path from the current folder, or one within the package; empty: the package's "
    "config/fusion.yaml.",
)
USE_SIM_TIME = DeclareLaunchArgument(
    "use_sim_time",
    default_value="false",
    description="Whether the time is that of /clock: true with a simulator.",
)
OWN_ODOMETRY = DeclareLaunchArgument(
    "own_odometry",
    default_value="false",
    description="Whether the odometry of each robot is in a frame of its own, ROBOT/odom, as real "
    "robots have it; /tf places it.",
)
PLANNER = DeclareLaunchArgument(
    "planner",
    default_value="false",
    description="Whether a planner sends each robot to the object of which its sensors would tell "
    "most; else each goes its own round.",
)
RESPAWN = DeclareLaunchArgument(
    "respawn",
    default_value="true",
    description="Whether a node that ends is started again, and made active again.",
)


def actions(nodes: Iterable[NodeSpec], respawn: bool = True) -> list[Action]:
    """Start the nodes and keep them running until the launch ends, which leaves nothing behind.

    Those with a lifecycle are configured and activated whenever they have been started. When a
    required one ends, so does the launch, whatever `respawn` says.
    """
    started: list[Action] = []
    for spec in nodes:
        node = _node(spec, respawn and not spec.required)
        # Handlers come first: they must not miss the start.
        if spec.lifecycle:
            started += _Activation(node).handlers()
        started += [required(node, spec.full_name)] if spec.required else []
        started.append(node)
    return clean_end(started)


def command(arguments: Sequence[str]) -> list[Action]:
    """Run `m2vae` with these arguments; the launch ends with it, and fails if it does."""
    process = ExecuteProcess(
        cmd=[sys.executable, "-m", "m2vae_ros.cli", *arguments],
        name="m2vae",
        output="screen",
        additional_env={"PYTHONUNBUFFERED": "1"},  # what it says is seen when it says it
    )
    return clean_end([required(process, " ".join(["m2vae", *arguments[:2]])), process])


def has_gazebo_ros() -> bool:
    """Whether gazebo_ros is installed, the plugins by which Gazebo speaks ROS itself."""
    try:
        get_package_prefix("gazebo_ros")
    except PackageNotFoundError:
        return False
    return True


def gazebo_with_ros(world: str, gui: bool, seed: int) -> list[Action]:
    """Gazebo with gazebo_ros; the launch ends with its server."""
    folder = Path(get_package_share_directory("gazebo_ros"))
    source = PythonLaunchDescriptionSource(str(folder / "launch" / "gazebo.launch.py"))
    arguments = {
        "world": world or str(resource("worlds/amiro.world")),
        "gui": str(gui).lower(),
        "seed": str(seed),
    }

    def is_server(process: Action) -> bool:
        name: str = process.process_details["name"]
        return name.startswith("gzserver")

    # gazebo_ros's own server_required shuts down twice, which launch_ros takes for a failure.
    included = IncludeLaunchDescription(source, launch_arguments=arguments.items())
    return [required(is_server, "gzserver"), included]


def gazebo_alone(world: str, gui: bool, port: int) -> list[Action]:
    """Gazebo without gazebo_ros, its master on `port`; the launch ends with its server.

    It draws on a screen of its own. A window is opened where there is somebody to see it.
    """
    server = ExecuteProcess(
        cmd=[sys.executable, "-m", "m2vae_ros.cli", "gazebo", *([world] if world else [])]
        + ["--port", str(port)],
        name="gazebo",
        output="screen",
        sigterm_timeout=str(2 * PATIENCE),  # it waits for Gazebo's own processes
    )
    started = [required(server, "Gazebo"), server]
    if gui and shutil.which("gzclient") and os.environ.get("DISPLAY"):
        master = {"GAZEBO_MASTER_URI": f"http://127.0.0.1:{port}"}
        started.append(ExecuteProcess(cmd=["gzclient"], additional_env=master))
    return started


def rviz(wanted: bool) -> list[Action]:
    """RViz with the package's layout, if it is wanted.

    Raises:
        ValueError: it is not installed.
    """
    if not wanted:
        return []
    program = shutil.which("rviz2")
    if program is None:
        raise ValueError("rviz: rviz2 is not installed; m2vae view needs none (docs/view.md)")
    return [ExecuteProcess(cmd=[program, "-d", str(resource("config/m2vae.rviz"))])]


def one_machine() -> list[Action]:
    """Set Fast DDS up for images between processes of one machine, unless the user did."""
    settings = environment().items()
    return [SetEnvironmentVariable(n, v) for n, v in settings if os.environ.get(n) != v]


def required(process: Action | Callable[[Action], bool], name: str) -> Action:
    """End the launch when this process ends: as a failure, unless its exit status is 0."""

    def ended(event: ProcessExited, context: LaunchContext) -> Action | None:
        if context.is_shutdown:
            return None
        if event.returncode:
            raise RuntimeError(f"{name} ended with status {event.returncode}")
        return Shutdown(reason=f"{name} has ended")

    return RegisterEventHandler(OnProcessExit(target_action=process, on_exit=ended))


def clean_end(started: Iterable[Action]) -> list[Action]:
    """These actions, which leave no process and no shared memory behind, whatever ends them.

    Two things launch does not do by itself: on SIGTERM it ends at once and its nodes go on; and
    what Fast DDS shares is left in memory by a process that was killed.
    """
    killed: list[int] = []

    def exited(event: ProcessExited, context: LaunchContext) -> None:
        if event.returncode < 0:
            killed.append(event.pid)
        tidy(event, context)

    def tidy(event: Event, context: LaunchContext) -> None:
        # What was shared with others can go only when they have gone, this launch's node, too.
        if killed:
            remove_abandoned_memory()

    # The last to be registered is the first to be called.
    return [
        OpaqueFunction(function=_end_on_sigterm),
        RegisterEventHandler(OnShutdown(on_shutdown=tidy)),  # after the launch's own ROS node
        *started,
        RegisterEventHandler(OnProcessExit(on_exit=exited)),  # nothing must keep it from that
    ]


def _end_on_sigterm(context: LaunchContext) -> None:
    """Let SIGTERM do to this launch what Ctrl-C does, only that it tells the nodes itself."""
    # The manager's `handle` is how launch sets its own handlers, but it keeps the manager to
    # itself; there is no public way: it hands every signal on to those handlers, whoever else
    # handles it. A launch without one, or a program with its own idea of SIGTERM, is left alone.
    manager = getattr(AsyncSafeSignalManager, "_AsyncSafeSignalManager__current", None)
    if manager is None or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def end(_: int) -> None:
        if not context.is_shutdown:
            context.emit_event_sync(ShutdownEvent(reason="SIGTERM", due_to_sigint=False))

    def pass_on(number: int, _: object) -> None:
        # Python tells the manager; after the launch SIGTERM is again what it was.
        if context.asyncio_loop is None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    manager.handle(signal.SIGTERM, end)
    signal.signal(signal.SIGTERM, pass_on)


def _node(spec: NodeSpec, respawn: bool) -> Node:
    kind = LifecycleNode if spec.lifecycle else Node
    return kind(
        package=PACKAGE,
        executable=spec.executable,
        name=spec.name,
        namespace=spec.namespace,
        parameters=[str(resource(spec.config)), dict(spec.parameters)],
        remappings=list(spec.remappings),
        output="screen",
        respawn=respawn,
        respawn_delay=RESPAWN_DELAY,
        sigterm_timeout=str(PATIENCE),
        sigkill_timeout=str(PATIENCE),
    )


class _Activation:
    """Configures and activates a lifecycle node each time its process starts.

    The services of a node that was killed are announced for many seconds more, and launch would
    wait for ever for the answer to what it asks of them. So the node is asked for its state until
    its successor answers; only then the transition is requested.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._pid = 0
        self._state: ServiceCall | None = None

    def handlers(self) -> list[Action]:
        """What has to be registered before the node is started."""
        return [
            RegisterEventHandler(OnProcessStart(target_action=self._node, on_start=self._started)),
            RegisterEventHandler(
                OnStateTransition(
                    target_lifecycle_node=self._node,
                    start_state="configuring",
                    goal_state="inactive",
                    entities=[self._change(Transition.TRANSITION_ACTIVATE)],
                )
            ),
        ]

    def _started(self, event: ProcessStarted, context: LaunchContext) -> list[Action]:
        self._pid = event.pid
        if self._state is None:
            # After launch's own client and subscription: whoever answers this one knows of those.
            service = f"{self._node.node_name}/get_state"
            self._state = ServiceCall(get_ros_node(context).create_client(GetState, service))
        self._state.forget()
        return self._ask(context, event.pid)

    def _ask(self, context: LaunchContext, pid: int) -> list[Action]:
        if pid != self._pid or context.is_shutdown:  # it is another process by now
            return []
        assert self._state is not None  # made when the process started
        found = self._state.answer()
        if found is None:
            self._state.ask(GetState.Request())
            again = OpaqueFunction(function=self._ask, args=[pid])
            return [TimerAction(period=LOOK_AGAIN_AFTER, actions=[again])]
        if found.current_state.id == State.PRIMARY_STATE_UNCONFIGURED:
            return [self._change(Transition.TRANSITION_CONFIGURE)]
        return []  # somebody else leads it

    def _change(self, transition: int) -> Action:
        node = matches_action(self._node)
        return EmitEvent(event=ChangeState(lifecycle_node_matcher=node, transition_id=transition))
