"""A headless Chromium, and daemons for it to look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.page.station import Station

NAMES = ("chromium-headless-shell", "chromium", "google-chrome")
"""Those that scripts/bootstrap takes for one."""


def installed_browser() -> str:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found, f"none of {', '.join(NAMES)} is in PATH; run scripts/bootstrap browser"
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The sandbox of Chromium refuses to start as root; what it shows here is our own page alone."""
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=installed_browser(),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            timeout=60_000,
        )
        yield made
        made.close()


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Iterator[Station]:
    """A daemon with one group; whoever breaks a path mends it."""
    with Station(tmp_path_factory.mktemp("one"), 1, 200_000).running() as station:
        station.until(station.healthy, "all is well")
        yield station


@pytest.fixture(scope="module")
def fifty(tmp_path_factory) -> Iterator[Station]:
    """A daemon with fifty groups."""
    with Station(tmp_path_factory.mktemp("fifty"), 50, 1_000_000).running() as station:
        station.until(station.healthy, "all is well")
        yield station
