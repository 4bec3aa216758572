"""Every rule has providers that break it, and exactly that rule's tests notice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.testing.cases import CASES, Case
from wgfo.testing.conformance import ProviderConformance, rule_class

ROOT = Path(__file__).parents[2]
SHARES = 8
TESTS = {name for name in dir(ProviderConformance) if name.startswith("test_")}


@pytest.fixture(scope="session")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The names of the tests that failed, by the name of the case; the work is mostly waiting, and shared."""
    where = tmp_path_factory.mktemp("broken")
    names = [case.name for case in CASES]
    reports = [where / f"{part}.xml" for part in range(SHARES)]
    runs = [started(names[part::SHARES], report) for part, report in enumerate(reports)]
    found: dict[str, set[str]] = {}
    for run, report in zip(runs, reports, strict=True):
        found |= ended(run, report)
    return found


def ended(run: subprocess.Popen[str], report: Path) -> dict[str, set[str]]:
    output, _ = run.communicate(timeout=300)
    assert run.returncode == 1, output[-3000:]
    found: dict[str, set[str]] = defaultdict(set)
    for one in ET.parse(report).iter("testcase"):
        case = one.attrib["classname"].rpartition(".Test")[2]
        assert one.find("skipped") is None, f"{one.attrib} was skipped"
        if one.find("failure") is not None or one.find("error") is not None:
            found[case].add(re.sub(r"\[.*", "", one.attrib["name"]))
    return found


def started(names: list[str], report: Path) -> subprocess.Popen[str]:
    suite = [f"tests/testing/broken_suite.py::Test{name}" for name in names]
    plain = [f"-pno:{plugin}" for plugin in ("cacheprovider", "cov", "hypothesispytest", "sybil", "logging")]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "--assert=plain", *plain, f"--junitxml={report}", *suite],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.name}")
def test_a_broken_provider_fails_the_tests_of_its_rule_and_no_others(
    case: Case, failed: dict[str, set[str]], tmp_path: Path
) -> None:
    fails = failed.get(case.name, set())
    if fails != case.fails:
        # eight at once starve each other on a busy machine: what counts is the case alone
        report = tmp_path / "alone.xml"
        fails = ended(started([case.name], report), report)[case.name]
    assert fails == case.fails
    assert {rule_class(name).rule for name in case.fails} == {case.rule}


def test_every_rule_is_broken_by_some_provider() -> None:
    assert {case.rule for case in CASES} == set(range(12))


def test_every_test_of_the_suite_is_failed_by_some_provider() -> None:
    assert {name for case in CASES for name in case.fails} == TESTS


def test_every_test_has_a_rule() -> None:
    assert {rule_class(name).rule for name in TESTS} == set(range(12))
