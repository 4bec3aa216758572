"""The documents agree with one another and with the tree."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repo.tree import ROOT, documents, prose

LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The anchors that forges make of headings."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(prose(path)))
    return {text.strip().replace(" ", "-") for text in plain}


def broken_links(path: Path) -> Iterator[str]:
    for target in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = path.parent / name if name else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            yield target


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    assert list(broken_links(path)) == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = (target.partition("#")[0] for target in LINK.findall(prose(page)))
        todo += [there for name in targets if (there := (page.parent / name).resolve()).suffix == ".md"]
    assert {page for page in documents() if page.is_relative_to(ROOT / "docs")} <= reached


def make(*targets: str) -> str:
    command = ["make", "-C", str(ROOT), *targets]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout


def make_targets() -> set[str]:
    return set(re.findall(r"^  make (\w+)", make("help"), re.MULTILINE))


def test_documents_name_only_make_targets_that_exist() -> None:
    named = {
        (str(path.relative_to(ROOT)), target)
        for path in documents()
        for target in re.findall(r"(?:^|`|&& )make ([a-z]+)", path.read_text(), re.MULTILINE)
    }
    assert {target for _, target in named} >= {"demo", "test", "check"}
    assert {(where, target) for where, target in named if target not in make_targets()} == set()


def test_make_alone_prints_every_target_with_its_meaning() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()) - {"tools"}
    assert make_targets() == phony
    printed = make()
    assert all(f"make {target} " in printed for target in phony)


def test_decisions_are_numbered_without_gaps_and_fit_a_page() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("0*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    assert [page.name for page in pages if len(page.read_text().splitlines()) > 60] == []
