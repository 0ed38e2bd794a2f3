# SPDX-License-Identifier: Apache-2.0
"""What the documentation says can be done can be done, and its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from m2vae_ros.cli import main, parser
from tools.suite_keys import tables

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> Iterator[tuple[int, str]]:
    """Each line of each block of commands, continued ones joined, without comments."""
    block: list[str] = []
    inside, begins = False, 0
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            inside = not inside and line.strip("`") in ("", "bash", "console")
            continue
        if not inside:
            continue
        begins = begins if block else number
        block.append(line.rstrip("\\|").strip())
        if not line.rstrip().endswith(("\\", "|")):
            yield begins, " ".join(block)
            block = []


def told(program: str) -> list[object]:
    """The arguments of each call of a program in the documentation."""
    found = []
    for page in PAGES:
        for number, line in commands(page):
            try:
                words = shlex.split(line.partition(" #")[0])
            except ValueError:  # a drawing
                continue
            for at, word in enumerate(words):
                if word == program and (
                    at == 0 or "=" in words[at - 1] or words[at - 1] == "./run"
                ):
                    ends = [k for k, w in enumerate(words) if w in ("&&", ";", "|") and k > at]
                    arguments = words[at + 1 : min(ends, default=len(words))]
                    where = f"{page.relative_to(ROOT)}:{number}"
                    found.append(pytest.param(arguments, id=f"{where} {program}"))
    assert found
    return found


@pytest.mark.parametrize("arguments", told("m2vae"))
def test_a_command_and_its_options_exist(arguments: list[str]) -> None:
    if arguments[-1] in ("--help", "--version"):
        with pytest.raises(SystemExit, match="0"):
            parser().parse_args(arguments)
    else:
        parser().parse_args(arguments)


@pytest.mark.parametrize("arguments", told("make"))
def test_a_target_exists(arguments: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {word for word in arguments if "=" not in word} <= {*targets}


@cache
def launch_arguments(file: str) -> str:
    return (ROOT / "launch" / file).read_text() + (
        ROOT / "m2vae_ros/bringup/launching.py"
    ).read_text()


@pytest.mark.parametrize("arguments", told("ros2"))
def test_a_launch_file_and_its_arguments_exist(arguments: list[str]) -> None:
    if arguments[0] != "launch":
        return
    _, package, file, *given = arguments
    if package != "m2vae_ros":
        return
    modalities = {"lidar"}  # each of the weights is an argument, too
    for name, _, _ in (word.partition(":=") for word in given):
        assert name in modalities or f'"{name}"' in launch_arguments(file)


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(
        r"\]\((?!https?:|mailto:)([^)#]*)#?([^)]*)\)", page.read_text()
    ):
        there = (page.parent / target) if target else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), f"{target}#{anchor}"


def test_every_key_of_a_suite_is_in_the_tables_and_means_what_the_code_says() -> None:
    page = (ROOT / "docs/own-sensors.md").read_text()
    for table in tables().split("\n\n"):
        assert table in page, "python -m tools.suite_keys prints them"


def test_the_suite_that_is_shown_is_the_one_that_is_drafted(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/own-sensors.md").read_text(), re.S)
    drafted = tmp_path / "watch.yaml"
    bags = str(ROOT / "test/data/motions/train")
    assert main(["suite", "new", str(drafted), "--bags", bags]) == 0
    assert yaml.safe_load(drafted.read_text()) == yaml.safe_load(shown)


def test_readme_can_be_read_in_two_minutes() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


@pytest.mark.slow
def test_the_site_is_made_without_a_warning_and_tells_what_the_code_does(tmp_path: Path) -> None:
    pytest.importorskip("mkdocstrings", reason="the site takes Python 3.11")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    made = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    pages = {page.relative_to(tmp_path).as_posix(): page for page in tmp_path.rglob("*.html")}
    for page, word in {
        "reference/parameters.html": "odometry_tolerance",
        "reference/suites.html": "front_camera/image_raw",
        "reference/commands.html": "m2vae survey",
        "reference/messages.html": "log_variance",
        "reference/vae.html": "Eq. 20",
    }.items():
        assert word in pages[page].read_text()
    assert "https://" not in "".join(
        re.findall(r"<(?:script|link)[^>]*", pages["index.html"].read_text())
    ), "the site fetches nothing from others"
