"""Links within the documentation lead somewhere: the file is there, and so is the heading after `#`."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from paths import ROOT

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "examples/**/*.md", "motionrep/weights/*/README.md")
    for path in ROOT.glob(pattern)
)
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")


def prose(page: Path) -> str:
    """The text without its code, in which brackets mean something else."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "code", text)


def anchors(page: Path) -> set[str]:
    """What a page's headings are called in links, as GitHub and MyST name them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", "\n".join(re.findall(r"^#+ +(.*?) *$", text, re.MULTILINE)))
    names = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles.splitlines()]
    return {name if not names[:i].count(name) else f"{name}-{names[:i].count(name)}" for i, name in enumerate(names)}


def wrong(page: Path, link: str) -> str | None:
    """What is wrong with a link; those to other sites are judged by their form alone."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        good = parts.scheme == "https" and re.fullmatch(r"[a-z0-9.-]+\.[a-z]{2,}", parts.netloc) and " " not in link
        return None if good else "is no https address"
    target = (page.parent / parts.path).resolve() if parts.path else page
    if not target.exists():
        return "leads to no file"
    if not target.is_relative_to(ROOT):
        return "leads out of the repository"
    if parts.fragment and target.suffix == ".md" and parts.fragment not in anchors(target):
        return "leads to no heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    found = {link: wrong(page, link) for link in _LINK.findall(prose(page))}
    assert {link: what for link, what in found.items() if what} == {}


@pytest.mark.parametrize(
    ("link", "what"),
    [
        ("nowhere.md", "leads to no file"),
        ("README.md#nowhere", "leads to no heading"),
        ("#nowhere", "leads to no heading"),
        ("../outside.md", "leads to no file"),
        ("http://example.org/", "is no https address"),
        ("https:/example", "is no https address"),
        ("README.md#which-command-do-i-want", None),
        ("docs/demo.png", None),
    ],
)
def test_a_wrong_link_is_found(link: str, what: str | None) -> None:
    assert wrong(ROOT / "README.md", link) == what


def test_the_files_that_a_contributor_is_sent_to_are_there() -> None:
    """Paths of the table of parts stand below motionrep/ or, with another folder before them, in the repository."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`([\w./]+(?:/|\.py|\.json|\.md|\.toml))`", page))
    assert len(paths) > 25
    assert [
        path for path in sorted(paths) if not ((ROOT / "motionrep" / path).exists() or (ROOT / path).exists())
    ] == []
