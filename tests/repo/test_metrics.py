"""Every metric has its entry in the reference, with its type and labels, and every entry is real."""

from __future__ import annotations

import re

from prometheus_client.core import CounterMetricFamily

from tests.repo.tree import ROOT
from wgfo.telemetry.metrics import Metrics

Entry = tuple[str, tuple[str, ...], str]
PAGE = (ROOT / "docs/reference/metrics.md").read_text()


def described() -> set[Entry]:
    rows = re.findall(r"^\| `(wgfo_\w+)` \|([^|]*)\| (\w+) \|", PAGE, re.MULTILINE)
    return {(name, tuple(re.findall(r"`(\w+)`", labels)), kind) for name, labels, kind in rows}


def real() -> set[Entry]:
    families = Metrics("0", list, lambda: 0, {}).collect()
    return {
        (
            f"{family.name}_total" if isinstance(family, CounterMetricFamily) else family.name,
            tuple(getattr(family, "_labelnames", ())),
            family.type,
        )
        for family in families
    }


def test_the_reference_lists_exactly_the_metrics() -> None:
    assert described() == real()
