# SPDX-License-Identifier: Apache-2.0
"""Kinds of views that installed packages bring: used like our own, and named if they are broken."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from suites import modality, plain

EXAMPLE = Path(__file__).parents[1] / "data/view_package"

READ = """
import json, sys
from types import SimpleNamespace
from m2vae_ros.sensors import PlainError, SensorSuite, view_kinds, view_of
suite, found = json.loads(sys.stdin.read()), {}
for name, kind in (("own", "range"), ("theirs", "loudness")):
    try:
        found[name] = view_of({"kind": kind}).to_card()
    except PlainError as error:
        found[name] = str(error)
try:
    found["all"] = sorted(view_kinds())
except PlainError as error:
    found["all"] = str(error)
try:
    made = SensorSuite.from_plain(suite)
    assert SensorSuite.from_plain(made.to_plain()) == made
    message = SimpleNamespace(data=[1.0, 3.0])
    found["read"] = made["microphone"].view.read(message).tolist()
except PlainError as error:
    found["read"] = str(error)
print(json.dumps(found))
"""

MICROPHONE = {
    "topic": "audio",
    "type": "audio_common_msgs/msg/AudioData",
    "view": {"kind": "loudness", "loudest": 10.0},
    "beta_vae": {"latent_dim": 1, "hidden": [4]},
}


def installed(source: Path, target: Path) -> Path:
    """The folder that pip has installed a package into."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    how = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, *how, str(source)], check=True, capture_output=True)
    return target


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    return installed(shutil.copytree(EXAMPLE, folder / "source"), folder / "site")


def read(*sites: Path, **fields) -> dict:
    """What a Python finds that has these folders of packages."""
    suite = plain(
        modalities={"microphone": {**MICROPHONE, **fields}, "distance": modality("range")}
    )
    path = os.pathsep.join([*map(str, sites), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", READ],
        input=json.dumps(suite),
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_an_installed_view_is_used_like_our_own(example) -> None:
    found = read(example)
    assert found["theirs"] == {"kind": "loudness", "loudest": 1.0}
    assert {"loudness", "image", "window"} <= set(found["all"])
    assert found["read"] == [0.5]


def test_its_types_and_fields_are_checked_like_our_own(example) -> None:
    found = read(example, type="sensor_msgs/msg/Image")
    assert "the view loudness reads audio_common_msgs/msg/AudioData" in found["read"]
    found = read(example, view={"kind": "loudness", "loud": 1})
    assert "modalities.microphone.view.loud: no such field; there are loudest" in found["read"]


def test_without_the_package_the_kind_is_named() -> None:
    found = read()
    assert "kind: 'loudness' is not one of image, " in found["theirs"]
    assert "loudness" not in found["all"]
    assert found["read"].startswith("modalities.microphone.view.kind: 'loudness' is not one of")


def changed(example: Path, folder: Path, module: str, entry: str = "") -> Path:
    """The installed package with another module and entry point."""
    site = shutil.copytree(example, folder / "site")
    (site / "loudness_view.py").write_text(module)
    if entry:
        (points,) = site.glob("*.dist-info/entry_points.txt")
        points.write_text(f"[m2vae_ros.views]\n{entry}\n")
    return site


WHOLE = (EXAMPLE / "loudness_view.py").read_text()


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import no_such_module", "fails: No module named 'no_such_module'"),
        ("1 / 0", "fails: division by zero"),
        ("def LoudnessView(", "fails: "),
        ("", "fails: .*LoudnessView"),
        ("LoudnessView = 3", "is no dataclass of the class View"),
        ("class LoudnessView: kind = 'loudness'", "is no dataclass of the class View"),
        (WHOLE.replace("@dataclass(frozen=True)\n", ""), "is no dataclass of the class View"),
        (WHOLE.replace('= "loudness"', '= "noise"'), "has another kind"),
    ],
)
def test_a_broken_package_is_named_and_hinders_nobody_else(
    example, tmp_path, module, reason
) -> None:
    found = read(changed(example, tmp_path, module))
    named = f"loudness_view:LoudnessView, offered as 'loudness', {reason}"
    for said in (found["theirs"], found["all"], found["read"]):
        assert re.search(named, said)
    assert found["own"] == {"kind": "range", "max_range": 4.0}


def test_no_package_replaces_our_own_kinds(example, tmp_path) -> None:
    entry = "range = loudness_view:LoudnessView"
    found = read(changed(example, tmp_path, WHOLE.replace('= "loudness"', '= "range"'), entry))
    assert found["own"] == {"kind": "range", "max_range": 4.0}


def test_a_kind_that_two_packages_bring_is_nobodys(example, tmp_path) -> None:
    other = changed(example, tmp_path, WHOLE, "loudness = another_view:View")
    (information,) = other.glob("*.dist-info")
    information.rename(other / "another_view-1.0.dist-info")
    metadata = other / "another_view-1.0.dist-info/METADATA"
    metadata.write_text(metadata.read_text().replace("loudness-view", "another-view"))
    found = read(example, other)
    assert "'loudness' is offered by " in found["theirs"]
    assert "another_view:View" in found["theirs"]
    assert found["own"] == {"kind": "range", "max_range": 4.0}
