"""Installed plugins cost nothing until they are selected."""

from __future__ import annotations

import subprocess
import sys

import pytest

SDKS = ("azure", "boto3", "botocore", "google", "grpc", "msal", "pyroute2", "requests", "urllib3")
LOOK = """
import sys
from wgfo.plugin.manager import discover
registry = discover()
assert not registry.broken, registry.broken
assert {"aws", "azure", "gcp", "linux"} <= set(registry.routes), registry.routes
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """Top-level modules after every installed plugin was discovered."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("sdk", SDKS)
def test_discovery_imports_no_sdk(imported: set[str], sdk: str) -> None:
    assert sdk not in imported


@pytest.mark.parametrize("library", ["aiohttp", "prometheus_client", "jinja2", "rich"])
def test_discovery_imports_nothing_that_only_a_running_daemon_needs(imported: set[str], library: str) -> None:
    assert library not in imported


def test_discovery_imports_no_probe_that_opens_sockets() -> None:
    lazy = ("wgfo_linux.probes.", "wgfo.probes.icmp", "wgfo.probes.stamp")
    code = (
        "import sys; from wgfo.plugin.manager import discover; discover(); "
        f"sys.exit(any(name.startswith({lazy!r}) for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)
