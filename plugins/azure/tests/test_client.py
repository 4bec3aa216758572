"""How requests are sent: whose token, how often, and what the SDK adds of its own accord."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from plugins.azure.tests.calls import TABLE, opened, options, point, route_set
from plugins.azure.tests.world import SUBSCRIPTION, AzureWorld
from tests.support.azure_server import Answer

from wgfo.model import FailureKind
from wgfo.plugin import Denied, NotFound, ProviderError, Transient
from wgfo.testing import RecordingPermit
from wgfo_azure import client
from wgfo_azure.client import ArmClient, connect
from wgfo_azure.config import AzureOptions, TableRef
from wgfo_azure.provider import AzureProvider
from wgfo_azure.tokens import Tokens

REF = TableRef.of(TABLE)


@dataclass
class Token:
    token: str
    expires_on: int


class Credential:
    """Gives out tokens, or fails, and counts."""

    def __init__(self, lasts_s: int = 3_600) -> None:
        self.lasts_s = lasts_s
        self.error: Exception | None = None
        self.claims: list[str | None] = []
        self.closed = False

    async def get_token(self, *_scopes: str, claims: str | None = None, **_options: Any) -> Token:
        self.claims.append(claims)
        if self.error is not None:
            raise self.error
        return Token(f"token-{len(self.claims)}", int(time.time()) + self.lasts_s)

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def credential() -> Credential:
    return Credential()


@pytest.fixture
async def arm(azure: AzureWorld, credential: Credential) -> AsyncIterator[ArmClient]:
    made = ArmClient(options(azure.server.url), Tokens(credential, "scope"))
    yield made
    await made.aclose()


async def test_no_credentials_are_sent_over_plain_http(azure: AzureWorld, provider: AzureProvider) -> None:
    await point(provider, route_set())
    assert azure.server.seen
    assert azure.server.authorizations == []


@pytest.mark.parametrize(
    ("cloud", "host"),
    [
        ("public", "management.azure.com"),
        ("usgov", "management.usgovcloudapi.net"),
        ("china", "management.chinacloudapi.cn"),
    ],
)
async def test_every_cloud_has_its_own_endpoint(cloud: str, host: str) -> None:
    made = connect(AzureOptions.model_validate({"subscription_id": SUBSCRIPTION, "cloud": cloud}))
    try:
        assert made._endpoint == f"https://{host}"
        assert made._may_ask(f"https://{host}/subscriptions/x/operations/1?api-version=1")
        assert not made._may_ask(f"http://{host}/operations/1")
        assert not made._may_ask("https://evil.example/operations/1")
    finally:
        await made.aclose()


async def test_a_token_is_fetched_once_and_sent(
    azure: AzureWorld, arm: ArmClient, credential: Credential
) -> None:
    for _ in range(3):
        await arm.table(REF, RecordingPermit())
    assert azure.server.authorizations == ["Bearer token-1"] * 3
    assert credential.claims == [None]


async def test_a_token_that_will_expire_is_renewed_before_the_permit(
    azure: AzureWorld, arm: ArmClient, credential: Credential
) -> None:
    credential.lasts_s = 300
    await arm.table(REF, RecordingPermit())
    await arm.prepare(RecordingPermit())
    assert len(credential.claims) == 2


async def test_an_old_token_serves_while_no_new_one_can_be_had(
    azure: AzureWorld, arm: ArmClient, credential: Credential
) -> None:
    credential.lasts_s = 300
    await arm.table(REF, RecordingPermit())
    credential.error = OSError("identity endpoint is gone")
    await arm.table(REF, RecordingPermit())
    assert azure.server.authorizations == ["Bearer token-1"] * 2


async def test_no_token_is_denied_and_says_how_to_get_one(arm: ArmClient, credential: Credential) -> None:
    credential.error = ValueError("invalid client_secret=hunter2 given")
    with pytest.raises(Denied, match="managed identity") as raised:
        await arm.table(REF, RecordingPermit())
    assert "hunter2" not in str(raised.value)


async def test_a_credential_that_hangs_is_given_up_in_time(arm: ArmClient, credential: Credential) -> None:
    async def hang(*_args: Any, **_options: Any) -> Token:
        await asyncio.Event().wait()
        raise AssertionError

    credential.get_token = hang  # type: ignore[method-assign]
    begun = time.monotonic()
    with pytest.raises(Transient, match="in time"):
        await arm.table(REF, RecordingPermit(deadline_ms=300))
    assert time.monotonic() - begun < 1


async def test_a_credential_that_worked_before_is_tried_again(arm: ArmClient, credential: Credential) -> None:
    credential.lasts_s = 10
    await arm.table(REF, RecordingPermit())
    credential.error = ValueError("the identity service restarts")
    with pytest.raises(Transient, match="restarts"):
        await arm.table(REF, RecordingPermit())


async def test_a_token_that_served_and_is_refused_is_replaced(
    azure: AzureWorld, arm: ArmClient, credential: Credential
) -> None:
    await arm.table(REF, RecordingPermit())
    azure.platform.faults.reads = Answer(401, "InvalidAuthenticationToken")
    with pytest.raises(Transient, match="new one"):
        await arm.table(REF, RecordingPermit())
    with pytest.raises(Denied):
        await arm.table(REF, RecordingPermit())
    assert len(credential.claims) == 2


def test_the_claims_of_a_challenge_are_asked_for() -> None:
    claims = '{"access_token":{"nbf":{"essential":true}}}'
    tokens = Tokens(Credential(), "scope")
    tokens.refused(
        f'Bearer error="insufficient_claims", claims="{base64.b64encode(claims.encode()).decode()}"'
    )
    assert tokens._claims == claims
    tokens.refused('Bearer claims="%%"')
    assert tokens._claims is None


async def test_closing_closes_the_credential_too(azure: AzureWorld, credential: Credential) -> None:
    await ArmClient(options(azure.server.url), Tokens(credential, "scope")).aclose()
    assert credential.closed


async def test_a_put_is_sent_once_when_a_kept_connection_breaks(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.faults.lose_answer = True
    outcome = await point(provider, route_set())
    assert [one.kind for one in outcome.failures] == [FailureKind.UNKNOWN]
    assert [method for method, _ in azure.server.seen].count("PUT") == 1


async def test_a_connection_that_breaks_before_the_write_is_unknown_too(
    azure: AzureWorld, provider: AzureProvider
) -> None:
    azure.platform.faults.break_before = True
    assert (await point(provider, route_set())).failures[0].kind is FailureKind.UNKNOWN


async def test_a_server_that_is_not_there_was_sent_nothing(azure: AzureWorld) -> None:
    await azure.server.stop()
    made = connect(options(azure.server.url))
    with pytest.raises(Transient, match="no connection"):
        await made.put_route(REF, "r", {}, {}, RecordingPermit())
    await made.aclose()


@pytest.mark.parametrize("writes", [True, False])
async def test_garbage_is_no_answer(azure: AzureWorld, provider: AzureProvider, writes: bool) -> None:
    azure.platform.faults.garbage.add(writes)
    if writes:
        kinds = [one.kind for one in (await point(provider, route_set())).failures]
        assert kinds in ([FailureKind.UNKNOWN], [])
    else:
        with pytest.raises(Transient):
            await point(provider, route_set())


async def test_a_redirection_is_not_followed(azure: AzureWorld, provider: AzureProvider) -> None:
    azure.platform.faults.reads = Answer(307, "Moved")
    with pytest.raises(ProviderError, match="endpoint_url"):
        await provider._read(REF, RecordingPermit())


async def test_a_missing_table_ends_open_and_leaves_nothing_behind(azure: AzureWorld) -> None:
    with pytest.raises(NotFound, match="rg-net/gone"):
        async with opened(azure.server.url, route_set(table="rg-net/gone")):
            pass


async def test_a_table_that_cannot_be_read_keeps_no_other_from_being_served(azure: AzureWorld) -> None:
    gone = route_set(table="rg-net/gone")
    async with opened(azure.server.url, gone, route_set()) as provider:
        assert (await point(provider, route_set())).ok
        with pytest.raises(NotFound):
            await point(provider, gone)


async def test_an_sdk_that_cannot_be_imported_names_the_command(
    azure: AzureWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_name: str) -> None:
        raise ImportError("No module named 'azure'")

    monkeypatch.setattr("wgfo_azure.provider.import_module", broken)
    with pytest.raises(ProviderError, match=r"wgfo\[azure\]"):
        async with opened(azure.server.url):
            pass


def test_no_policy_of_the_sdk_sends_anything_by_itself() -> None:
    source = set(vars(client))
    assert not {name for name in source if "Retry" in name or "Redirect" in name or "Registration" in name}
    assert issubclass(client._Broke, aiohttp.ClientError)
    assert not issubclass(client._Broke, aiohttp.ClientOSError)
