"""The suite as a third party meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THEIRS = """
from wgfo.testing import ProviderConformance, fixture
from wgfo.testing.memory.world import MemoryWorld


class TestTheirProvider(ProviderConformance):
    @fixture
    async def world(self):
        return MemoryWorld()
"""
BARE = """
from wgfo.testing import Can, ProviderConformance, fixture
from wgfo.testing.memory.world import MemoryWorld


class Bare(MemoryWorld):
    can = frozenset({can})

    async def inject(self, what, spot):
        await super(MemoryWorld, self).inject(what, spot)


class TestBare(ProviderConformance):
    @fixture
    async def world(self):
        return Bare()
"""


def run_theirs(where: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a test file somewhere else, with pytest's and pytest-asyncio's own defaults, strictly."""
    (where / "test_theirs.py").write_text(text)
    (where / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n"
        "asyncio_default_fixture_loop_scope = session\n"
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", *options],
        cwd=where,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_third_party_needs_few_lines_and_no_settings(tmp_path: Path) -> None:
    assert len(THEIRS.splitlines()) < 20
    done = run_theirs(tmp_path, THEIRS)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def test_the_plugin_sums_up_by_rule(tmp_path: Path) -> None:
    done = run_theirs(tmp_path, THEIRS, "-p", "wgfo.testing.plugin", "-k", "twice or refuse_nonsense")
    assert "provider contract: TestTheirProvider" in done.stdout
    assert "rule  1 twice equals once: 1 passed" in done.stdout


def test_what_a_world_does_not_declare_is_skipped_with_that_reason(tmp_path: Path) -> None:
    done = run_theirs(tmp_path, BARE.format(can="()"), "-k", "late_write_ms or last_moment")
    assert done.returncode == 0, done.stdout
    assert "Bare does not declare Can.SLOW, Can.REQUESTS" in done.stdout
    assert "Bare does not declare Can.RACE" in done.stdout


def test_what_a_world_declares_and_cannot_do_fails(tmp_path: Path) -> None:
    done = run_theirs(tmp_path, BARE.format(can="{Can.RACE}"), "-k", "last_moment")
    assert done.returncode == 1
    assert "Bare declares Can.RACE: inject() must do it" in done.stdout


def test_a_timeline_that_shows_nothing_fails(tmp_path: Path) -> None:
    mute = BARE.format(can="{Can.TIMELINE}").replace(
        "    async def inject", "    def changed(self, table, routes): pass\n\n    async def inject"
    )
    done = run_theirs(tmp_path, mute, "-k", "no_moment_without")
    assert done.returncode == 1
    assert "Can.TIMELINE is declared, but moments() shows no change" in done.stdout


@pytest.mark.parametrize("module", ["wgfo.testing", "wgfo.testing.memory", "wgfo.testing.memory.world"])
def test_only_the_suite_needs_pytest(module: str) -> None:
    look = f"import {module}, sys; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], timeout=60, check=False).returncode == 0


def test_no_pytest_loads_the_suite_by_itself() -> None:
    from importlib.metadata import distribution  # noqa: PLC0415 - of this test alone

    assert [point for point in distribution("wgfo").entry_points if point.group == "pytest11"] == []
