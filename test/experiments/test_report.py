# SPDX-License-Identifier: Apache-2.0
"""The report shows what was measured, all of it, and as it is."""

import json
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from m2vae_ros.experiments.report import ReportError, misses, terminal, write
from m2vae_ros.experiments.section import Check, Figure, Footnotes, Section, Table

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """A page as text and tags; an unclosed or misplaced tag is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "tags that nobody closed"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> without a beginning"
        assert self.open.pop() == tag, f"</{tag}> in the wrong place"

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    def said(self) -> str:
        return " ".join(" ".join(self.text).split())

    def of(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def facts(*names, quick=()):
    return {
        name: {
            "numbers": {},
            "quick": name in quick,
            "seconds": 75,
            "time": "2026-01-02T03:04:05Z",
            "versions": {"torch": "1.2.3"},
        }
        for name in names
    }


def published(out, sections, quick=()):
    """The page of these sections; every experiment has its facts."""
    names = [section.name for section in sections]
    (out / "reproduce.json").write_text(json.dumps(facts(*names, quick=quick)))
    text = write(out, sections).read_text(encoding="utf-8")
    return text, Page(text)


GOOD = Check("as large as it should be", "0.99", True)
BAD = Check("small enough", "17 of at most 3", False)


def test_page_is_well_formed_and_needs_nothing_from_the_net(tmp_path):
    table = Table("sizes", ("what", "how much"), [("one", "1.0"), ("two", "2.0")])
    section = Section("x", "X", ("text",), [GOOD, BAD], [table], [Figure("x.png", "A plot.")])
    text, page = published(tmp_path, [section])
    assert text.startswith("<!doctype html>")
    assert page.of("html") == [{"lang": "en"}]
    assert len(page.of("title")) == 1
    assert not page.of("script")
    assert not page.of("link")
    assert not re.search(r"https?://|@import|url\(", text)


def test_everything_said_by_a_section_is_on_the_page_and_nothing_of_it_is_markup(tmp_path):
    nasty = "<script>alert('x')</script> & \"so on\""
    table = Table(nasty, ("name", nasty), [(nasty, nasty)], [nasty])
    section = Section(
        "x",
        nasty,
        (nasty,),
        [Check(nasty, nasty, False)],
        [table],
        [Figure('a"b<.png', nasty), Figure("here.png", nasty)],
    )
    (tmp_path / "here.png").write_bytes(b"")
    text, page = published(tmp_path, [section])
    assert "<script" not in text
    # the title three times, paragraph, claim and measured, five in the table, a caption per figure
    assert page.said().count("<script>alert('x')</script> & \"so on\"") == 13
    assert page.of("img")[0]["alt"] == nasty


def test_a_miss_is_a_miss_in_words_in_colour_and_in_the_count(tmp_path):
    text, page = published(tmp_path, [Section("x", "X", (), [GOOD, BAD])])
    rows = re.findall(r'<tr class="(hold|miss)">(.*?)</tr>', text)
    assert [(kind, "misses" in row, "holds" in row) for kind, row in rows] == [
        ("hold", False, True),
        ("miss", True, False),
    ]
    assert "17 of at most 3" in rows[1][1]
    assert 'class="verdict bad"' in rows[1][1]
    assert "1 of 2 claims hold, 1 misses." in page.said()


def test_the_first_screen_says_what_holds_what_does_not_and_shows_pictures(tmp_path):
    (tmp_path / "modalities.png").write_bytes(b"")
    text, page = published(tmp_path, [Section("x", "X", (), [GOOD]), Section("y", "Y", (), [BAD])])
    first = text[: text.index("All checks")]
    good, bad = first[first.index("What holds") :].split("What does not")
    assert re.findall('href="#(.)"', good) == ["x"]
    assert re.findall('href="#(.)"', bad) == ["y"]
    assert "1 of 1 miss" in bad
    assert [image["src"] for image in page.of("img")] == ["modalities.png"]


def test_all_verdicts_come_before_the_first_section(tmp_path):
    sections = [Section(n, n.upper(), (f"text of {n}",), [GOOD, BAD]) for n in ("x", "y")]
    _, page = published(tmp_path, sections)
    said = page.said()
    first_text = said.index("text of x")
    assert [m.start() < first_text for m in re.finditer("17 of at most 3", said)] == [True, True]
    links = {link["href"] for link in page.of("a")}
    assert {"#x", "#y"} <= links
    assert {heading.get("id") for heading in page.of("h2")} >= {"x", "y"}


def test_every_figure_is_there_or_is_named_as_missing(tmp_path):
    (tmp_path / "here.png").write_bytes(b"")
    figures = [Figure("here.png", "What is seen. And why."), Figure("gone.png", "Nothing.")]
    _, page = published(tmp_path, [Section("x", "X", figures=figures)])
    assert page.of("img") == [{"src": "here.png", "alt": "What is seen"}]
    assert "The figure gone.png is missing." in page.said()
    assert "here.png is missing" not in page.said()


def test_a_dash_leads_to_its_footnote(tmp_path):
    notes = Footnotes()
    rows = [("one", "0.5"), ("two", "–" + notes.mark("two has no such thing"))]
    _, page = published(
        tmp_path, [Section("x", "X", tables=[Table("t", ("n", "v"), rows, notes.texts)])]
    )
    assert "–¹" in page.said()
    assert {"class": "footnotes"} in page.of("ol")
    assert "two has no such thing" in page.said()


def test_columns_of_numbers_are_right_aligned_and_others_are_not(tmp_path):
    rows = [("1", "0.5 ± 0.1", "1, 2", "cold"), ("2", "–¹", "3", "12 of 13"), ("3", "-4", "", "")]
    text, _ = published(
        tmp_path, [Section("x", "X", tables=[Table("t", ("n", "v", "list", "w"), rows, ("why",))])]
    )
    assert '<td class="number">0.5 ± 0.1</td>' in text
    assert '<td class="number">–¹</td>' in text
    assert "<td>1, 2</td>" in text
    assert "<td>12 of 13</td>" in text
    assert '<th scope="row">1</th>' in text


def test_a_quick_run_says_so_at_the_top(tmp_path):
    sections = [Section(n, f"title of {n}", (), [GOOD]) for n in ("x", "y")]
    _, page = published(tmp_path, sections)
    assert "Quick run." not in page.said()
    _, page = published(tmp_path, sections, quick=("y",))
    banner = page.said().split("Quick run.")[1].split("claims hold")[0]
    assert "title of y" in banner
    assert "title of x" not in banner


def test_page_says_when_with_what_and_how_to_run_it_again(tmp_path):
    _, page = published(tmp_path, [Section("x", "X")], quick=("x",))
    assert re.search(r"2026-01-02 03:04 UTC 1\.\d min quick torch 1\.2\.3", page.said())
    assert page.said().endswith("make reproduce")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("{", "reproduce.json: Expecting"),
        ("[]", "not an object"),
        ('{"y": {}}', "'x' has no entry 'quick'"),
    ],
)
def test_without_facts_there_is_no_page_but_a_reason(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "reproduce.json").write_text(content)
    with pytest.raises(ReportError, match=reason) as error:
        write(tmp_path, [Section("x", "X")])
    assert "reproduce.json" in str(error.value)
    assert not (tmp_path / "index.html").exists()


def test_terminal_shows_the_same_in_100_columns():
    notes = Footnotes()
    row = ("[bold]name[/bold]", "0.123 ± 0.004", "–" + notes.mark("cannot"))
    table = Table("what it [b]shows[/b]", ("name", "v", "w"), [row], notes.texts)
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    sections = [Section("x", "A title", (), [GOOD, BAD], [table]), Section("y", "Y")]
    terminal(sections, console)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 100
    for cell in (*row, "what it [b]shows[/b]", "1. cannot", "A title", "17 of at most 3"):
        assert cell in text
    assert re.search(r"✓ holds\s+as large as it should be", text)
    assert re.search(r"✗ misses\s+small enough", text)
    assert "1 of 2 claims hold, 1 misses." in text
    assert misses(sections) == 1
