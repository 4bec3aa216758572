"""The configurations in the documents work as they stand."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.repo.tree import ROOT, blocks, documents
from wgfo.cli.configured import configure

EXAMPLES = [
    (page, site, text)
    for page in documents()
    for text in blocks(page, "toml")
    if "[[group.path]]" in text
    for site in tomllib.loads(text).get("site", [None])
]


@pytest.mark.parametrize(
    ("site", "text"),
    [example[1:] for example in EXAMPLES],
    ids=[f"{page.relative_to(ROOT)} at {site or 'one site'}" for page, site, _ in EXAMPLES],
)
def test_an_example_is_accepted_as_it_stands(site: str | None, text: str, tmp_path: Path) -> None:
    path = tmp_path / "wgfo.toml"
    path.write_text(text)
    setup = configure(path, site=site).setup
    assert [group.name for group in setup.groups] == ["cloud"]
    assert len(setup.groups[0].sets) == 1


def test_the_readme_and_the_reference_have_examples() -> None:
    assert {page.name for page, _, _ in EXAMPLES} >= {"README.md", "configuration.md"}
