# SPDX-License-Identifier: Apache-2.0
"""Set-up: what it says when it cannot go on, and what ./run hands to a command."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy
import pytest

ROOT = Path(__file__).resolve().parents[2]

# What set-up calls besides compilers and Python.
COMMON_TOOLS = [
    "awk",
    "bash",
    "cat",
    "df",
    "dirname",
    "env",
    "flock",
    "grep",
    "head",
    "id",
    "mkdir",
    "rm",
    "sha256sum",
    "tail",
    "tee",
    "touch",
    "uname",
]
BUILD_TOOLS = ["cc", "c++", "gcc", "g++", "make", "cmake"]


class BareMachine:
    """A copy of the checkout that was never set up, on a machine with a few commands only."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.commands = folder / "bin"
        self.commands.mkdir()
        self.checkout.mkdir()
        for name in ("tools", "requirements", "cmake", "msg", "srv"):
            shutil.copytree(ROOT / name, self.checkout / name)
        for name in ("run", "package.xml", "CMakeLists.txt"):
            shutil.copy2(ROOT / name, self.checkout)
        for name in COMMON_TOOLS + BUILD_TOOLS:
            self.link(name)
        self.command("python3", f'exec "{_base_python()}" "$@"')

    def link(self, name: str) -> None:
        path = shutil.which(name)
        assert path, f"this test needs {name}"
        (self.commands / name).symlink_to(path)

    def command(self, name: str, script: str) -> None:
        path = self.commands / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.commands / name).unlink()

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.commands), "HOME": os.environ.get("HOME", "/"), **variables}
        return subprocess.run(
            ["bash", *command],
            cwd=self.checkout,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )

    def explains(self, *part: str, **variables: str) -> str:
        """Runs set-up, which must fail without a traceback; returns its last sentence."""
        result = self.run("tools/setup.sh", *part, **variables)
        assert result.returncode == 1, result.stderr
        assert "Traceback" not in result.stderr + result.stdout
        assert result.stdout == ""
        last = result.stderr.rstrip().splitlines()[-1]
        assert last.startswith("set-up: ")
        return last


def _base_python() -> str:
    return getattr(sys, "_base_executable", sys.executable)


@pytest.fixture
def machine(tmp_path: Path) -> BareMachine:
    return BareMachine(tmp_path)


def test_a_python_that_is_too_old_is_named_with_its_version(machine):
    machine.command("python3", "echo 3.9 /usr/bin/python3.9")
    sentence = machine.explains()
    assert "needs Python 3.10 to 3.13" in sentence
    assert "python3 is 3.9" in sentence
    assert "PYTHON=" in sentence


def test_a_chosen_python_that_does_not_run_is_named(machine):
    assert "/nowhere/python3 does not run" in machine.explains(PYTHON="/nowhere/python3")


def test_a_python3_that_is_a_dangling_shim_is_passed_over(machine):
    machine.command("python3", "echo 'shim: command not found' >&2; exit 127")
    machine.command("python3.12", f'exec "{_base_python()}" "$@"')
    machine.remove("cmake")  # stops set-up after the choice of Python
    assert "missing cmake;" in machine.explains()


def test_a_missing_compiler_is_named_with_the_command_that_installs_it(machine):
    machine.remove("cc", "gcc", "c++", "g++")
    sentence = machine.explains()
    assert "missing a C compiler, a C++ compiler;" in sentence
    assert sentence.endswith("apt-get install -y --no-install-recommends gcc libc6-dev g++")


def test_without_root_nothing_is_installed_and_the_command_is_shown(machine):
    machine.remove("cmake")
    machine.command("id", "echo 1000")
    machine.command("apt-get", "touch apt-get-was-called")
    sentence = machine.explains()
    assert "run this as root" in sentence
    assert sentence.endswith("apt-get install -y --no-install-recommends cmake")
    assert not (machine.checkout / "apt-get-was-called").exists()


def test_root_gets_what_is_missing_from_apt(machine):
    machine.remove("cmake")
    machine.command("id", "echo 0")
    cmake = shutil.which("cmake")
    machine.link("ln")
    machine.command("apt-get", f'[ "$1" = update ] || ln -s "{cmake}" "{machine.commands}/cmake"')
    machine.command("df", "echo; echo dev 1 1 1024 99% /")  # stops set-up after the packages
    sentence = machine.explains()
    assert "free disk space" in sentence
    assert (machine.commands / "cmake").exists()


def test_an_apt_that_fails_is_quoted(machine):
    machine.remove("cmake")
    machine.command("id", "echo 0")
    machine.command("apt-get", "echo 'E: Unable to fetch some archives'; exit 100")
    assert machine.explains().endswith("install cmake: E: Unable to fetch some archives")


def test_root_gets_fashion_mnist_from_apt(machine):
    machine.command("id", "echo 0")
    machine.command("apt-get", 'echo "$*" >>apt-get-was-called')
    machine.command("df", "echo; echo dev 1 1 1024 99% /")  # stops set-up after the packages
    assert "free disk space" in machine.explains("all", M2VAE_FASHION_MNIST="/nowhere")
    called = (machine.checkout / "apt-get-was-called").read_text()
    assert called.endswith("install -y --no-install-recommends dataset-fashion-mnist\n")


@pytest.mark.parametrize(
    ("user", "apt"), [(1000, "exit 0"), (0, "echo 'E: no such package'; exit 100")]
)
def test_without_fashion_mnist_set_up_goes_on_and_says_so(machine, user, apt):
    machine.command("id", f"echo {user}")
    machine.command("apt-get", apt)
    machine.command("df", "echo; echo dev 1 1 1024 99% /")  # stops set-up after the packages
    result = machine.run("tools/setup.sh", "all", M2VAE_FASHION_MNIST="/nowhere")
    *_, said, last = result.stderr.splitlines()
    assert "without Fashion-MNIST" in said
    assert said.endswith("apt-get install -y --no-install-recommends dataset-fashion-mnist")
    assert "free disk space" in last


def test_a_machine_that_has_fashion_mnist_hears_nothing_of_it(machine, tmp_path):
    machine.command("df", "echo; echo dev 1 1 1024 99% /")  # stops set-up after the packages
    result = machine.run("tools/setup.sh", "all", M2VAE_FASHION_MNIST=str(tmp_path))
    assert "Fashion" not in result.stderr
    assert "free disk space" in result.stderr


def test_another_processor_is_pointed_to_an_installed_ros(machine):
    machine.command("uname", "echo Linux aarch64")
    sentence = machine.explains()
    assert "Linux aarch64" in sentence
    assert "installed ROS 2" in sentence


def test_a_full_disk_is_reported_before_anything_is_written(machine):
    machine.command("df", "printf 'Filesystem\\ndev 9 9 102400 99%% /\\n'")
    assert "needs 1500 MB of free disk space" in machine.explains()
    sentence = machine.explains("all")
    assert "needs 5000 MB of free disk space" in sentence
    assert "there are 100 MB" in sentence
    assert not (machine.checkout / ".venv").exists()


def test_run_stops_with_the_same_sentence(machine):
    machine.remove("cmake")
    machine.command("id", "echo 1000")
    result = machine.run("run", "true")
    assert result.returncode == 1
    assert "missing cmake" in result.stderr


@pytest.mark.slow
def test_a_missing_network_is_named_and_the_next_call_does_not_take_it_for_done(machine):
    unreachable = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_RETRIES": "1",
    }
    for _ in range(2):
        assert "no connection to the Python package index" in machine.explains(**unreachable)
        assert not (machine.checkout / ".venv/set-up").exists()


def test_another_ros_than_those_two_is_named_before_anything_is_made(machine):
    sentence = machine.explains(ROS_WHEELS="humble")
    assert sentence == "set-up: ROS_WHEELS must be jazzy or kilted, not humble"
    assert not list(machine.checkout.glob(".venv*"))


PRETENDED_PYTHON = """
case "$*" in
*_base_executable*) echo "3.11 $0" ;;
"-m venv "*)
    mkdir -p "$3/bin"
    ln -s "$0" "$3/bin/python"
    ln -s "{commands}/colcon" "$3/bin/colcon"
    echo "#!$3/bin/python" >"$3/bin/pip" ;;
"-m pip "*) echo "pip $*" >>{log} ;;
"-c "*) exec "{python}" "$@" ;;
esac
"""
PRETENDED_COLCON = """
while [ "$1" != --install-base ]; do shift; done
mkdir -p "$2"
echo "colcon $2" >>{log}
"""


class PretendingMachine(BareMachine):
    """One on which pip and colcon only note what they are called for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.log = folder / "called"
        names = {"log": self.log, "commands": self.commands, "python": _base_python()}
        self.link("ln")
        self.command("python3", PRETENDED_PYTHON.format(**names))
        self.command("colcon", PRETENDED_COLCON.format(**names))
        self.command("df", "echo; echo dev 9 9 99999999 9% /")

    def called(self, *part: str, **variables: str) -> str:
        """What set-up, which must succeed, calls."""
        self.log.write_text("")
        result = self.run("tools/setup.sh", *part, M2VAE_FASHION_MNIST="/", **variables)
        assert result.returncode == 0, result.stderr
        assert bool(result.stderr) == bool(self.log.read_text())  # says so if it does something
        return self.log.read_text()

    def replace(self, requirements: str) -> None:
        with (self.checkout / "requirements" / requirements).open("a") as file:
            file.write("ros-something==1.0.0\n")


@pytest.fixture
def pretending(tmp_path: Path) -> PretendingMachine:
    return PretendingMachine(tmp_path)


def test_two_ros_are_set_up_side_by_side(pretending):
    for wheels, suffix in [("jazzy", ""), ("kilted", "-kilted")]:
        called = pretending.called(ROS_WHEELS=wheels)
        assert f"requirements/{wheels}.txt" in called
        assert f"colcon {pretending.checkout}/install{suffix}\n" in called
        for folder in (".venv", "install"):
            assert (pretending.checkout / f"{folder}{suffix}/set-up").exists()
    assert pretending.called(ROS_WHEELS="kilted") == ""
    assert pretending.called() == ""  # Jazzy, which is as it was


def test_other_wheels_of_one_ros_make_it_anew_and_leave_the_other(pretending):
    for wheels in ("jazzy", "kilted"):
        pretending.called(ROS_WHEELS=wheels)
    of_before = [pretending.checkout / f"{folder}/of-before" for folder in (".venv", "install")]
    for path in of_before:
        path.touch()
    pretending.replace("jazzy.txt")
    assert pretending.called(ROS_WHEELS="kilted") == ""
    assert "requirements/jazzy.txt" in pretending.called()
    assert not any(path.exists() for path in of_before)


def test_another_requirement_is_added_to_what_is_there(pretending):
    pretending.called()
    of_before = pretending.checkout / ".venv/of-before"
    of_before.touch()
    pretending.replace("base.txt")
    assert "requirements/base.txt" in pretending.called()
    assert of_before.exists()


def test_what_only_training_needs_is_added_when_it_is_first_needed(pretending):
    of_training = ("requirements/train.txt", "requirements/dev.txt", "requirements/comparison.txt")
    called = pretending.called()
    assert not any(name in called for name in of_training)
    of_before = pretending.checkout / ".venv/of-before"
    of_before.touch()
    called = pretending.called("all")
    assert all(name in called for name in of_training)
    assert "colcon" not in called  # the package is built already
    assert of_before.exists()
    assert pretending.called("all") == pretending.called() == ""
    pretending.replace("train.txt")
    assert pretending.called() == ""
    assert "requirements/train.txt" in pretending.called("all")


def test_the_viewer_is_added_when_it_is_first_needed(pretending):
    assert "requirements/view.txt" not in pretending.called()
    called = pretending.called("view")
    assert "requirements/view.txt" in called
    assert "requirements/train.txt" not in called
    assert pretending.called("view") == pretending.called() == ""
    assert "requirements/view.txt" in pretending.called("all")
    assert pretending.called("view") == ""


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("m2vae", "base"),
        ("m2vae demo --stay 20", "base"),
        ("m2vae record bag", "base"),
        ("m2vae view --headless", "view"),
        ("m2vae demo --view", "view"),
        ("m2vae train amiro", "all"),
        ("m2vae reproduce --quick", "all"),
        ("python -m m2vae_ros.nodes.gazebo_bridge_node", "base"),
        ("python -m pytest", "all"),
        ("ruff check .", "all"),
    ],
)
def test_run_sets_up_what_the_command_needs(pretending, command, part):
    (pretending.checkout / "tools/setup.sh").write_text('echo "set up: $1"; exit 1\n')
    ended = pretending.run("run", *command.split())
    assert ended.stdout == f"set up: {part}\n"


def test_run_becomes_the_command_so_that_signals_reach_it():
    with subprocess.Popen(
        [ROOT / "run", "sh", "-c", "echo $$; exec sleep 60"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == -signal.SIGTERM


def test_run_needs_a_command():
    result = subprocess.run([ROOT / "run"], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("usage: ./run CMD")


def test_run_keeps_its_output_to_the_command_and_works_from_any_folder(tmp_path):
    result = subprocess.run(
        [ROOT / "run", "python", "-c", "import m2vae_ros.msg; print(m2vae_ros.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.stderr == ""
    assert result.stdout == f"{ROOT}/m2vae_ros/__init__.py\n"  # code from the checkout


def test_run_leaves_out_a_ros_that_was_sourced_before():
    sourced = {
        "AMENT_PREFIX_PATH": "/opt/ros/other",
        "PYTHONPATH": "/opt/ros/other/python",
        "LD_LIBRARY_PATH": "/opt/ros/other/lib",
        "RMW_IMPLEMENTATION": "rmw_other_cpp",
    }
    result = subprocess.run(
        [ROOT / "run", "env"], env={**os.environ, **sourced}, capture_output=True, text=True
    )
    assert "other" not in "".join(
        line for line in result.stdout.splitlines() if line.split("=")[0] in sourced
    )


@pytest.mark.parametrize("wheels", ["jazzy", "kilted"])
def test_run_within_the_environment_of_another_ros_is_all_of_its_own(machine, wheels):
    """Nothing is set up here: only what a command would find in its environment counts."""
    other = {"jazzy": "kilted", "kilted": "jazzy"}[wheels]
    shutil.copytree(ROOT / "config", machine.checkout / "config")
    script = """root=$PWD; for ROS_WHEELS in "$@"; do . tools/environment.sh; done; env"""

    def environment(*distributions: str) -> dict[str, str]:
        told = machine.run("-euc", script, "bash", *distributions)
        assert told.returncode == 0, told.stderr
        values = dict(line.split("=", 1) for line in told.stdout.splitlines())
        # What is ahead counts; the commands of the other are only behind.
        values["PATH"] = values["PATH"].split(":")[0]
        return values

    assert environment(other, wheels) == environment(wheels)


def test_wheels_are_fitted_to_this_machines_include_folders():
    spec = importlib.util.spec_from_file_location("fit_wheels", ROOT / "tools/fit_wheels.py")
    fit_wheels = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fit_wheels)
    line = (
        'INTERFACE_INCLUDE_DIRECTORIES "{};{}"\n  INTERFACE_LINK_LIBRARIES "${{_IMPORT_PREFIX}}"\n'
    )
    built_with = "/build/cp311/include/python3.11", "/build/cp311/numpy/_core/include"
    fitted = fit_wheels.fit(line.format(*built_with))
    assert fitted == line.format(sysconfig.get_path("include"), numpy.get_include())
    assert fit_wheels.fit(fitted) == fitted
