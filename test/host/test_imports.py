# SPDX-License-Identifier: Apache-2.0
"""Imports are tried where whatever they do harms nobody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from m2vae_ros.host.imports import Attempt, try_imports


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which Python finds the modules that a test writes to tmp_path."""
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def test_each_module_is_told_apart_by_how_it_fails(tmp_path, environment):
    sources = {
        "works": "print('and is noisy')",
        "crashes": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "leaves": "import os; os._exit(7)",
        "refuses": "raise ImportError('built for\\nanother numpy')",
        "lacks": "import nowhere_at_all",
        "works_too": "",
    }
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    attempts = try_imports([*sources, "nowhere_at_all.inside"], environment=environment)
    assert attempts == {
        "works": Attempt(""),
        "crashes": Attempt("importing it ends Python with signal 11"),
        "leaves": Attempt("importing it ends Python with status 7"),
        "refuses": Attempt("ImportError: built for another numpy"),
        "lacks": Attempt("ModuleNotFoundError: No module named 'nowhere_at_all'"),
        "works_too": Attempt(""),
        "nowhere_at_all.inside": Attempt(
            "ModuleNotFoundError: No module named 'nowhere_at_all'", missing=True
        ),
    }


def test_a_module_that_never_returns_costs_its_own_time_only(tmp_path, environment):
    (tmp_path / "hangs.py").write_text("import time; time.sleep(600)")
    attempts = try_imports(["hangs", "json"], timeout=1.0, environment=environment)
    assert attempts == {"hangs": Attempt("importing it takes more than 1 s"), "json": Attempt("")}


def test_a_folder_one_happens_to_stand_in_is_no_module(tmp_path, environment, monkeypatch):
    (tmp_path / "here/launch").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert try_imports(["launch"], environment=environment)["launch"].missing
