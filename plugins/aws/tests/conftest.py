"""One stand-in server for all tests of the plugin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from plugins.aws.tests.cloud import REGION, Server
from plugins.aws.tests.rig import Rig, rig_on


@pytest.fixture(scope="session")
def aws_server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """No test finds credentials, or an instance's metadata service, of the machine that it runs on."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example-secret-of-the-tests")


@pytest.fixture
def rig(aws_server: Server) -> Iterator[Rig]:
    with rig_on(aws_server) as made:
        yield made
