# SPDX-License-Identifier: Apache-2.0
"""What the report says stands in templates: all of it is said, and nothing is left open."""

import json
import shutil
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from m2vae_ros.experiments import multivae_library, report, reproduce, section
from m2vae_ros.experiments.lab import Lab
from m2vae_ros.experiments.section import Check, Prose

REPORTS = Path(__file__).parents[2] / "reports"
LITTLE_DRIFT = json.loads((REPORTS / "reencoding.json").read_text())


@pytest.mark.skipif(bool(multivae_library.installed()), reason="the report compares with multivae")
def test_the_committed_page_is_what_templates_and_committed_numbers_say(tmp_path, monkeypatch):
    said = set()
    render = Prose._render

    def heard(self, block, values):
        said.add((self._name, block))
        return render(self, block, values)

    monkeypatch.setattr(Prose, "_render", heard)
    out = shutil.copytree(REPORTS, tmp_path / "reports")
    page = report.write(out, reproduce.sections(Lab(out, tmp_path / "runs")))
    assert page.read_text() == (REPORTS / "index.html").read_text()
    there = {
        (name, block)
        for name in reproduce.EXPERIMENTS
        for block in section._TEMPLATES.get_template(f"{name}.j2").blocks
    }
    assert said == there


@pytest.mark.skipif(bool(multivae_library.installed()), reason="the report compares with multivae")
def test_the_documentation_says_why_a_claim_misses_in_the_words_of_the_report(tmp_path):
    page = " ".join((REPORTS.parent / "docs/results.md").read_text().split())
    sections = reproduce.sections(Lab(REPORTS, tmp_path))
    missing = [words for section in sections for words in section.misses if words not in page]
    assert not missing


def test_only_where_something_misses_it_is_said_why():
    say = Prose("reencoding", most_lost=1.0, least_gain=5, numbers=LITTLE_DRIFT)
    assert not say.section([Check("", "", holds=True)]).misses
    (why,) = say.section([Check("", "", holds=True), Check("", "", holds=False)]).misses
    assert "0.078 after one re-encoding" in why


def test_it_is_said_why_accuracy_is_lost_only_where_more_is_lost_than_should_be():
    kept = LITTLE_DRIFT["with"]
    lost = kept["0"]["accuracy"] - kept["100"]["accuracy"]
    for most_lost, paragraphs in ((lost + 1e-6, 1), (lost - 1e-6, 2)):
        say = Prose("reencoding", most_lost=most_lost, least_gain=5, numbers=LITTLE_DRIFT)
        misses = say.section([Check("", "", holds=False)]).misses
        assert len(misses) == paragraphs
        assert (f"{100 * lost:.2f} points" in misses[0]) == (paragraphs == 2)


def test_a_value_or_a_block_that_is_missing_is_an_error():
    say = Prose("table1", tolerance=0.01)
    assert say("claim", column="ab", raw=0.5) == "M2VAE on ab: within 0.01 of raw (0.500)"
    with pytest.raises(UndefinedError, match="raw"):
        say("claim", column="ab")
    with pytest.raises(KeyError, match="boast"):
        say("boast")
