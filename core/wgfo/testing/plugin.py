"""A pytest plugin that sums the suite up by rule: ``pytest -p wgfo.testing.plugin``, or named in a conftest.

Nothing registers it: an operator's pytest, and that of other projects, never loads it. The suite works without.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

import pytest

from wgfo.testing.conformance import ProviderConformance, rule_class
from wgfo.testing.rules import Rule

_PHASES: Final = ("passed", "failed", "error", "skipped")


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    """Begin to count."""
    config.pluginmanager.register(Summary(), "wgfo-conformance-summary")


class Summary:
    """Counts outcomes by test class and rule."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[str, type[Rule]]] = {}

    def pytest_collection_modifyitems(self, items: Iterable[pytest.Item]) -> None:
        """Remember which tests are the suite's."""
        for item in items:
            owner = getattr(item, "cls", None)
            name = getattr(item, "originalname", item.name)
            if owner and issubclass(owner, ProviderConformance) and hasattr(ProviderConformance, name):
                self._places[item.nodeid] = (owner.__name__, rule_class(name))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write one line a rule."""
        counts: dict[tuple[str, type[Rule]], Counter[str]] = defaultdict(Counter)
        for phase in _PHASES:
            for report in terminalreporter.stats.get(phase, []):
                if getattr(report, "nodeid", "") in self._places:
                    counts[self._places[report.nodeid]][phase] += 1
        for provider in dict.fromkeys(owner for owner, _ in counts):
            terminalreporter.section(f"provider contract: {provider}")
            rules = {rule: found for (owner, rule), found in counts.items() if owner == provider}
            for rule in sorted(rules, key=lambda one: one.rule):
                terminalreporter.write_line(line(rule, rules[rule]))


def line(rule: type[Rule], found: Counter[str]) -> str:
    """Return one rule's line: ``rule 1 twice equals once: 3 passed``."""
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", rule.__name__).lower()
    outcomes = ", ".join(f"{found[phase]} {phase}" for phase in _PHASES if found[phase])
    return f"rule {rule.rule:>2} {words}: {outcomes}"
