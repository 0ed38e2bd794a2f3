# SPDX-License-Identifier: Apache-2.0
"""Suites as files: nothing of them is believed before it was checked, and soon."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from suites import plain, suites

from m2vae_ros.host.resources import resource
from m2vae_ros.sensors import SensorSuite, SuiteError, read_suite
from m2vae_ros.sensors.suite_file import LARGEST, suite_path
from m2vae_ros.world.suite import AMIRO


def written(folder: Path, text: str | bytes, name: str = "my.yaml") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suites())
def test_what_was_written_is_read(tmp_path, fields) -> None:
    path = written(tmp_path, yaml.safe_dump(fields))
    assert read_suite(path) == read_suite(str(path)) == SensorSuite.from_plain(fields)


@pytest.mark.parametrize("path", sorted(resource("config/suites").glob("*.yaml")))
def test_every_suite_of_the_package_is_read_by_its_name(path) -> None:
    assert suite_path(path.stem) == path
    suite = read_suite(path.stem)
    assert suite.name == path.stem
    assert suite == read_suite(path)


def test_the_worlds_robots_have_the_suite_amiro() -> None:
    assert read_suite("amiro") == AMIRO


def test_a_name_that_is_none_says_where_suites_are() -> None:
    with pytest.raises(SuiteError, match=r"config/suites/rover\.yaml: neither beside"):
        read_suite("rover")


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(20)
)
"""Each line names the one before it nine times."""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a table of fields"),
        ("3", "not a table of fields"),
        ("name: [", "not valid YAML: .*line 1"),
        ("name: a\nname: b", "not valid YAML: 'name' stands there twice.*line 2"),
        ("modalities: {imu: 1, imu: 2}", "'imu' stands there twice"),
        (
            "name: !!python/object/apply:os.system ['true']",
            r"tags \(.*\) are not used here.*line 1",
        ),
        ("name: !my tag", "tags .* are not used here"),
        ("!!map {name: x}", "tags .* are not used here"),
        ("name: !!binary aGVsbG8=", "tags .* are not used here"),
        ("name: &anchor x", "anchors and aliases .* are not used here.*line 1"),
        ("name: *nobody", "anchors and aliases"),
        ("&a {name: x, sampling: {<<: *a}}", "anchors and aliases"),
        (BOMB, "anchors and aliases"),
        ("[" * 10_000, "not valid YAML"),
        ("[" * 30_000 + "]" * 30_000, "not valid YAML"),
        ("{a: " * 15_000, "not valid YAML"),
        ("- " * 30_000, "not valid YAML"),
        ("? " * 5_000 + "a", "not valid YAML|not a table"),
        ("name: " + "9" * 10_000, "not valid YAML"),
        ("name: 2020-13-45", "not valid YAML: month must be"),
        ("name: 2020-01-01", r"name: datetime\.date"),
        ("? [a, b]\n: c", "not valid YAML"),
        ("name: a\n--- \nname: b", "not valid YAML"),
        ("\tname: a", "not valid YAML"),
        ("name: \0", "not valid YAML"),
        (b"name: \xff\xfe", "not valid YAML|codec"),
        ("#" * (LARGEST + 1), f"larger than {LARGEST} bytes"),
        (yaml.safe_dump(plain(name="My")), "name: 'My' must be a name"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value[:20],
)
def test_a_file_that_is_no_suite_is_refused_by_name_and_soon(tmp_path, text, reason) -> None:
    path = written(tmp_path, text)
    begin = time.process_time()
    with pytest.raises(SuiteError, match=reason) as error:
        read_suite(path)
    assert time.process_time() - begin < 3.0
    assert str(error.value).startswith(f"{path}: ")
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("text", ["a: 1\n", "- ", "[1,", "1:", "[[],", "{a: ", "x", "'", "a:\n "])
def test_the_largest_file_of_anything_is_read_in_seconds(tmp_path, text) -> None:
    path = written(tmp_path, (text * LARGEST)[:LARGEST])
    begin = time.process_time()
    with pytest.raises(SuiteError, match=r"my\.yaml: "):
        read_suite(path)
    assert time.process_time() - begin < 3.0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1),
)
def test_a_file_with_wrong_bytes_is_a_suite_or_an_error_that_names_it(tmp_path, flips) -> None:
    content = bytearray(resource("config/suites/amiro.yaml").read_bytes())
    for share, byte in flips:
        content[int(len(content) * share)] = byte
    path = written(tmp_path, bytes(content))
    try:
        read_suite(path)
    except SuiteError as error:
        assert str(error).startswith(f"{path}: ")


def test_what_is_no_file_is_named(tmp_path) -> None:
    for path, reason in (
        (tmp_path / "nowhere.yaml", "No such file"),
        (tmp_path, "Is a directory"),
        (Path("/dev/zero"), "larger than"),
    ):
        with pytest.raises(SuiteError, match=rf"{path}: {reason}"):
            read_suite(path)
    if os.getuid():  # root may read everything
        hidden = written(tmp_path, "name: x")
        hidden.chmod(0)
        with pytest.raises(SuiteError, match="Permission denied"):
            read_suite(hidden)
