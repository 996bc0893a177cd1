"""Every page that code, tests and pages name in docs is there, with the heading that is named, and in one way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
READ = {".py", ".md", ".yaml", ".json", ".html", ".js", ".css", ".toml"}
CITATION = re.compile(r'docs/([\w/-]+)\.md(?:, ("[^"\\]+"(?:(?:,| and|,? to|, and) "[^"\\]+")*))?')
LINE_END = re.compile(r"\n[ \t]*(?:#:? ?)?")
FORMER = re.compile(r"facts/[a-z]|facts [§A-E]\d|facts §")


def test_every_heading_that_is_cited_exists() -> None:
    missing = [f"{place}: {cited}" for place, page, cited in _citations() if cited not in _headings(page)]

    assert missing == []


def test_code_cites_the_heading_and_not_the_whole_page() -> None:
    whole = [(place, page) for place, page, cited in _citations() if page.startswith("aws/") and not cited]

    assert [(place, page) for place, page in whole if place.startswith("emulator/")] == []


def test_citations_are_found_where_they_stand() -> None:
    cited = {(place, page, heading) for place, page, heading in _citations()}

    assert ("emulator/sts_emulator/iam/paging.py", "aws/iam", "Service constants") in cited
    assert len(cited) > 150


def test_nothing_cites_a_source_outside_the_repository() -> None:
    assert [place for place, text in _texts() if FORMER.search(text)] == []


def _citations() -> Iterator[tuple[str, str, str]]:
    for place, text in _texts():
        for page, headings in CITATION.findall(LINE_END.sub(" ", text).replace('\\"', '"')):
            for heading in re.findall(r'"([^"]+)"', headings) or [""]:
                yield place, page, heading


def _texts() -> Iterator[tuple[str, str]]:
    for folder in ("emulator", "tests", "docs", "examples"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in READ and path.is_file() and path != Path(__file__) and "node_modules" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def _headings(page: str) -> set[str]:
    """The headings of a page; citing a page as a whole is an empty heading."""
    path = ROOT / "docs" / f"{page}.md"
    return {"", *re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)} if path.is_file() else set()
