"""Credentials come from the SDK's own chain, and what is wrong with them is told without showing them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plugins.gcp.tests.stage import opened, route_set

from wgfo.plugin import Denied
from wgfo_gcp.config import GcpOptions

SECRET = "do-not-show-4711"


@pytest.fixture(autouse=True)
def no_chain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine is asked: no file of gcloud's, no metadata server."""
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)


async def test_no_credentials_are_told_with_what_to_do() -> None:
    options = GcpOptions(project="my-net-1")
    with pytest.raises(Denied, match="GOOGLE_APPLICATION_CREDENTIALS") as raised:
        async with opened(options, route_set(options)):
            pass
    assert raised.value.__suppress_context__


async def test_a_broken_credentials_file_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps({"type": "service_account", "private_key": SECRET, "client_email": SECRET}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    options = GcpOptions(project="my-net-1")
    with pytest.raises(Denied) as raised:
        async with opened(options, route_set(options)):
            pass
    assert SECRET not in f"{raised.value!r} {raised.value.__cause__!r}"
    assert raised.value.__suppress_context__
