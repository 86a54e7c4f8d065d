"""What documents and code point to is there, down to the heading, and what they show is what the command makes."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from vdu_bench.cli.main import main

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
MADE = re.compile(r"<!-- made by: (vdu-bench [^\n]*) -->\n(.*?)<!-- end -->", re.DOTALL)
SHOWN = [(page, *block) for page in PAGES for block in MADE.findall(page.read_text())]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings: lower case, without punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if target.startswith(("http", "mailto")):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), target
        if anchor:
            assert anchor in anchors(other), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pictures_and_columns_have_words_for_who_cannot_see_them(page: Path) -> None:
    text = page.read_text()
    pictures = re.findall(r"!\[(.*?)\]\(", text)
    assert all(len(words) > 20 for words in pictures)
    assert len(set(pictures)) == len(pictures)
    heads = re.findall(r"^(\|.*\|)\n\|[-:| ]+\|$", text, re.MULTILINE)
    assert not [head for head in heads if any(not cell.strip() for cell in head.strip("|").split("|"))]


def test_documents_that_the_code_names_are_there() -> None:
    folders = ("vdu_bench", "baselines", "tests", "benchmarks", ".github")
    files = [
        file for folder in folders for file in (ROOT / folder).rglob("*") if file.suffix in (".py", ".yaml", ".yml")
    ]
    named = {name for file in files for name in re.findall(r"docs/[\w/]+\.md", file.read_text())}
    assert "docs/protocol/gate.md" in named
    assert not [name for name in named if not (ROOT / name).exists()]


def test_no_command_installs_the_suite_from_an_index() -> None:
    """It is on none: README says how it is installed, from a clone."""
    pages = [*PAGES, *(ROOT / "vdu_bench").rglob("*.md")]
    asked = {page: re.findall(r"pip install [^`\n]*?(vdu-bench\b\S*)", page.read_text()) for page in pages}
    assert "pip install '.[faces]'" in (ROOT / "vdu_bench" / "assets" / "faces" / "README.md").read_text()
    assert not [(page, found) for page, found in asked.items() if any(one != "vdu-bench" for one in found)]


DOCS = ROOT / "docs"


def listed(page: Path) -> list[Path]:
    """The pages in a page's tables of contents."""
    trees = re.findall(r"```{toctree}\n(.*?)```", page.read_text(), re.DOTALL)
    names = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    found = [
        [file for file in (page.parent / f"{name}.md", page.parent / f"{name}.ipynb") if file.exists()]
        for name in names
    ]
    assert all(found), dict(zip(names, found, strict=True))
    return [files[0] for files in found]


def test_every_page_is_in_one_table_of_contents() -> None:
    waiting, reached = [DOCS / "index.md"], []
    while waiting:
        page = waiting.pop()
        reached.append(page)
        waiting += listed(page) if page.suffix == ".md" else []
    assert sorted(reached) == sorted([*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb")])


def test_the_index_links_what_its_table_of_contents_hides() -> None:
    index = DOCS / "index.md"
    linked = {(DOCS / target).resolve() for target in LINK.findall(index.read_text())}
    assert {page.resolve() for page in listed(index)} == linked


def tables(text: str) -> list[str]:
    """The Markdown tables in a text, whole: rows that follow each other."""
    return re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)


@pytest.mark.parametrize(("page", "command", "shown"), SHOWN, ids=[page.name for page, *_ in SHOWN])
def test_a_table_is_what_the_command_beside_it_prints(
    page: Path, command: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    assert tables(shown), page
    assert set(tables(shown)) <= set(tables(capsys.readouterr().out))


def test_the_readme_shows_a_table_and_mnist_one_beside_published_numbers() -> None:
    assert {page.name for page, *_ in SHOWN} >= {"README.md", "mnist.md"}
