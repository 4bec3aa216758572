"""The reference page names everything that an author of a world has to know."""

from __future__ import annotations

import inspect
import re

import pytest

from tests.repo.tree import ROOT
from wgfo.testing import Can, ProviderWorld

PAGE = (ROOT / "docs/reference/conformance.md").read_text()
ROWS = set(re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE))


@pytest.mark.parametrize("ability", Can)
def test_every_ability_has_its_row(ability: Can) -> None:
    assert ability.name in ROWS


def test_every_attribute_and_method_of_a_world_has_its_row() -> None:
    attributes = set(inspect.get_annotations(ProviderWorld))
    methods = {name for name, _ in inspect.getmembers(ProviderWorld, inspect.iscoroutinefunction)}
    assert attributes | methods <= ROWS


def test_the_defaults_are_those_of_the_class() -> None:
    found = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE, re.MULTILINE))
    assert {name: int(value) for name, value in found.items()} == {
        name: getattr(ProviderWorld, name) for name in ("slow_ms", "deadline_ms", "patience_ms")
    }
