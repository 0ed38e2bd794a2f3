# SPDX-License-Identifier: Apache-2.0
"""The package as ROS 2, colcon and pip see it."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from catkin_pkg.changelog import Changelog, populate_changelog_from_rst
from catkin_pkg.package import parse_package
from catkin_pkg.package_version import get_forthcoming_label, rename_section
from packaging.requirements import Requirement

import m2vae_ros

ROOT = Path(__file__).resolve().parents[2]


def _checkout_copy(target: Path) -> Path:
    """A copy of what a clone would hold, without what was built or installed here."""
    keep = (
        "CMakeLists.txt LICENSE MANIFEST.in README.md cmake config launch m2vae_ros models msg "
        "package.xml pyproject.toml requirements setup.py srv worlds"
    )
    target.mkdir(parents=True)
    for path in (ROOT / name for name in keep.split()):
        if path.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", ".training")
            shutil.copytree(path, target / path.name, ignore=ignore)
        elif path.exists():
            shutil.copy2(path, target)
    return target


def _clean_environment() -> dict[str, str]:
    """This process's environment without what ./run put into it."""
    dropped = {"PYTHONPATH", "LD_LIBRARY_PATH", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"}
    return {name: value for name, value in os.environ.items() if name not in dropped}


def test_colcon_takes_it_for_a_ros_package_built_by_cmake():
    colcon = [sys.executable, "-m", "colcon", "list", "--base-paths", str(ROOT)]
    listed = subprocess.run(colcon, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert [line.split("\t")[::2] for line in listed.splitlines()] == [
        ["m2vae_ros", "(ros.ament_cmake)"]
    ]


def test_package_xml_is_valid_and_says_the_version_of_the_code():
    warnings: list[str] = []
    package = parse_package(ROOT / "package.xml", warnings=warnings)
    assert warnings == []
    assert package.version == m2vae_ros.__version__


def test_the_changelog_is_one_that_catkin_can_release_and_read():
    text = (ROOT / "CHANGELOG.rst").read_text()
    if forthcoming := get_forthcoming_label(text):  # as catkin_prepare_release does
        text = rename_section(text, forthcoming, f"{m2vae_ros.__version__} (2027-01-31)")
    changelog = populate_changelog_from_rst(Changelog("m2vae_ros"), text)
    newest, date, content = next(iter(changelog.foreach_version(reverse=True)))
    assert newest == m2vae_ros.__version__
    assert date is not None
    entries = [bullet.to_txt() for block in content for bullet in block]
    assert len(entries) > 20
    assert all(entry.strip() for entry in entries)
    # Markdown says something else here, or nothing.
    marked = re.findall(r"``[^`]+``|`[^`]+`_?|\]\(", text)
    assert [each for each in marked if not each.startswith("``") and not each.endswith("_")] == []


GAZEBO_CLASSIC = {"gazebo_ros", "gazebo_plugins"}
GZ_SIM = {"ros_gz_sim", "ros_gz_bridge", "tf2_ros"}


@pytest.mark.parametrize(
    ("distribution", "there", "gone"),
    [
        ("humble", GAZEBO_CLASSIC, GZ_SIM),
        *((later, GZ_SIM, GAZEBO_CLASSIC) for later in ("jazzy", "kilted", "lyrical")),
    ],
)
def test_each_distribution_is_asked_for_the_gazebo_it_has(distribution, there, gone):
    package = parse_package(ROOT / "package.xml")
    package.evaluate_conditions({"ROS_DISTRO": distribution})
    needed = {each.name for each in package.exec_depends if each.evaluated_condition}
    assert there <= needed
    assert not gone & needed
    assert {"rclpy", "sensor_msgs", "launch_ros"} <= needed


def _imports(path: Path) -> set[str]:
    """Full names of the modules a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_only_rooms_that_need_ros_import_the_messages():
    # import-linter cannot see generated modules, so this rule is checked here.
    allowed = {"ros", "nodes", "apps"}
    package = ROOT / "m2vae_ros"
    offenders = [
        str(path.relative_to(ROOT))
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in allowed
        and any(re.match(r"m2vae_ros\.(msg|srv)\b", name) for name in _imports(path))
    ]
    assert offenders == []


def _executables() -> list[str]:
    text = (ROOT / "CMakeLists.txt").read_text()
    return re.findall(r"^install_executable\(\w+ ([\w.]+) ", text, re.MULTILINE)


@pytest.mark.parametrize("module", _executables())
def test_every_installed_command_has_a_main(module):
    assert callable(importlib.import_module(module).main)


@pytest.mark.parametrize("distribution", ["jazzy", "kilted"])
def test_direct_requirements_are_locked_and_say_what_they_are_for(distribution: str) -> None:
    locked = {
        Requirement(line).name.lower()
        for name in ("lock", distribution)
        for line in (ROOT / f"requirements/{name}.txt").read_text().splitlines()
        if not line.startswith("#")
    }
    for name in ("base", "dev", "ros", "train", "view"):
        for line in (ROOT / f"requirements/{name}.txt").read_text().splitlines():
            requirement = line.split("#")[0].strip()
            if requirement:
                assert Requirement(requirement).name.lower() in locked, line
    assert "torch" in locked


def _link_dependencies(site: Path) -> None:
    """Makes what the library needs, and nothing of ROS, importable from another site folder."""
    wanted = [
        line.split("#")[0].strip()
        for part in ("base", "train")
        for line in (ROOT / f"requirements/{part}.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    queue = [*wanted, "setuptools"]
    seen = set()
    while queue:
        requirement = Requirement(queue.pop())
        name = requirement.name.lower().replace("_", "-")
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        distribution = importlib.metadata.distribution(requirement.name)
        queue += distribution.requires or []
        for top in {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            link = site / top
            if not link.exists():
                link.symlink_to(distribution.locate_file(top))


@pytest.mark.slow
def test_pip_installs_library_and_command_where_there_is_no_ros(tmp_path):
    environment = _clean_environment()
    # What the library needs is linked in from here: torch alone would be a download of minutes.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    (site,) = (tmp_path / "venv/lib").glob("python3.*/site-packages")
    _link_dependencies(site)

    source = _checkout_copy(tmp_path / "source")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    install += ["--disable-pip-version-check", "--no-deps", "--no-build-isolation", source]
    subprocess.run(install, check=True, env=environment)
    shutil.rmtree(source)

    script = """if True:
        import importlib.util
        from m2vae_ros import cli
        from m2vae_ros.host import resources
        from m2vae_ros.datasets import samples
        from m2vae_ros.experiments import evaluation
        from m2vae_ros.experiments.section import Prose
        from m2vae_ros.fusion import engine, memory

        from m2vae_ros.sim import sampler
        from m2vae_ros.training import suite
        from m2vae_ros.vae import m2vae
        assert importlib.util.find_spec("rclpy") is None
        from m2vae_ros.sensors import read_suite
        assert Prose("table1")("title").startswith("Table I:")
        assert read_suite("amiro").name == "amiro"
        print(resources.resource("config/suites/amiro.yaml"))
        print(resources.resource("worlds/amiro.world"))
    """
    run = {"env": environment, "cwd": tmp_path, "capture_output": True, "text": True}
    result = subprocess.run([python, "-c", script], **run)
    assert result.returncode == 0, result.stderr
    share = tmp_path / "venv/share/m2vae_ros"
    shared = [share / "config/suites/amiro.yaml", share / "worlds/amiro.world"]
    assert result.stdout.split() == list(map(str, shared))
    result = subprocess.run([tmp_path / "venv/bin/m2vae", "--help"], **run)
    assert result.returncode == 0, result.stderr
    assert "evaluate" in result.stdout


SMALL_TESTS = """if True:
    import pytest
    from m2vae_ros.msg import LatentEmbedding
    def test_which_is_fast(): pass
    @pytest.mark.slow
    def test_which_is_slow(): pass
    def test_which_fails(): assert LatentEmbedding is None
"""


def _check_colcon_test(workspace: Path, environment: dict[str, str]) -> None:
    """`colcon test` runs the tests that are not slow, with the messages of the workspace."""
    run = {"cwd": workspace, "env": environment, "capture_output": True, "text": True}
    subprocess.run([sys.executable, "-m", "colcon", "test"], **run)
    result = subprocess.run([sys.executable, "-m", "colcon", "test-result", "--verbose"], **run)
    assert result.returncode == 1, result.stderr
    assert "assert LatentEmbedding is None" in result.stdout
    (report,) = workspace.glob("build/m2vae_ros/test_results/**/*.xunit.xml")
    assert 'tests="2"' in report.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--symlink-install"]], ids=["copied", "symlinked"])
def test_an_ordinary_workspace_builds_and_runs_it(tmp_path, options):
    source = _checkout_copy(tmp_path / "src/m2vae_ros")
    # Once is enough, and needs a package that not every set-up has.
    testing = not options and (Path(sys.prefix) / "share/ament_cmake_pytest").is_dir()
    if testing:
        (source / "test").mkdir()
        (source / "test/test_it.py").write_text(SMALL_TESTS)
    colcon = [sys.executable, "-m", "colcon", "build", *options, "--cmake-args"]
    colcon += [f"-DBUILD_TESTING={testing:d}", f"-DPython3_EXECUTABLE={sys.executable}"]
    build_environment = {**os.environ, "PYTHONPATH": "", "AMENT_PREFIX_PATH": sys.prefix}
    build_environment["CMAKE_PREFIX_PATH"] = sys.prefix
    result = subprocess.run(
        colcon, cwd=tmp_path, env=build_environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    if testing:
        _check_colcon_test(tmp_path, build_environment)

    script = """if True:
        import pathlib, m2vae_ros.sensors
        from m2vae_ros.host import resources
        from m2vae_ros.msg import LatentEmbedding
        from rclpy.serialization import serialize_message
        from m2vae_ros.sensors import read_suite
        serialize_message(LatentEmbedding())
        assert read_suite("amiro").name == "amiro"
        print(resources.resource("config/suites/amiro.yaml"))
        print(resources.resource("worlds/amiro.world"))
    """
    result = subprocess.run(
        [
            "bash",
            "-c",
            '. install/local_setup.bash && m2vae --help && cd / && python3 -c "$0"',
            script,
        ],
        cwd=tmp_path,
        env=build_environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    *_, suite, world = result.stdout.split()
    for path, end in ((suite, "config/suites/amiro.yaml"), (world, "worlds/amiro.world")):
        assert path.startswith(str(tmp_path))
        assert path.endswith(end)
    for name in ("fusion_node", "amiro_sim", "patrol", "planner"):
        path = tmp_path / "install/m2vae_ros/lib/m2vae_ros" / name
        assert os.access(path, os.X_OK), f"`ros2 run m2vae_ros {name}` would not find it"
