"""An API that is reached through the path that fails is found before it fails."""

from __future__ import annotations

from plugins.azure.tests.calls import route_set

from wgfo.model import Severity
from wgfo.testing import RecordingPermit
from wgfo_azure.client import connect
from wgfo_azure.config import AzureOptions
from wgfo_azure.reach import findings

HOST = "management.azure.com"


def at(*addresses: str):
    return lambda _host: set(addresses)


async def test_an_address_outside_every_managed_prefix_is_no_finding() -> None:
    assert await findings([HOST], [route_set()], RecordingPermit(), at("203.0.113.9", "2001:db8::9")) == []


async def test_an_address_inside_a_managed_prefix_is_told_with_the_prefix() -> None:
    (found,) = await findings([HOST], [route_set()], RecordingPermit(), at("10.20.3.4", "203.0.113.9"))
    assert (found.severity, found.subject) == (Severity.WARNING, HOST)
    assert "10.20.3.4 here, inside the managed prefix 10.20.0.0/16" in found.text


async def test_a_name_that_does_not_resolve_is_an_error() -> None:
    def fail(_host: str) -> set[str]:
        raise OSError("no such name")

    (found,) = await findings([HOST], [route_set()], RecordingPermit(), fail)
    assert found.severity is Severity.ERROR


async def test_loopback_is_not_looked_up() -> None:
    assert await findings(["127.0.0.1"], [route_set()], RecordingPermit(), at()) == []


async def test_the_hosts_are_those_of_the_cloud() -> None:
    client = connect(AzureOptions(subscription_id="0b1f6471-1bf0-4dda-aec3-cb9272f09590", cloud="usgov"))
    try:
        assert client.hosts == ("management.usgovcloudapi.net", "login.microsoftonline.us")
    finally:
        await client.aclose()
