"""What a configuration may say of Azure, and how it is told what it may not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from plugins.azure.tests.calls import route_set
from plugins.azure.tests.world import SUBSCRIPTION
from pydantic import ValidationError

from wgfo_azure.config import AzureOptions, parse_hop, parse_table, scope
from wgfo_azure.plugin import AZURE
from wgfo_azure.rights import ACTIONS, CHECK_ACTION

OPTIONS = AzureOptions(subscription_id=SUBSCRIPTION)
FULL = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG-Net/providers/Microsoft.Network/routeTables/RT_Spoke"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("RG-Net/RT_Spoke", "rg-net/rt_spoke"),
        (FULL, "rg-net/rt_spoke"),
        (FULL.lower(), "rg-net/rt_spoke"),
        ("réseau(1)/t", "réseau(1)/t"),
    ],
)
def test_a_table_has_one_spelling(text: str, canonical: str) -> None:
    assert parse_table(text, OPTIONS) == canonical


@pytest.mark.parametrize(
    "text", ["rt", "a/b/c", "group./t", "g/-t", "g/t-", "/t", "g/", f"{FULL}/routes/r", "g/" + "t" * 81]
)
def test_what_is_no_table_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(ValueError, match="resource-group/route-table"):
        parse_table(text, OPTIONS)


def test_a_table_of_another_subscription_asks_for_an_instance_of_its_own() -> None:
    with pytest.raises(ValueError, match="provider instance of its own"):
        parse_table(FULL.replace("0b1f", "ffff"), OPTIONS)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.4", "10.0.0.4"),
        ("FD00:0::4", "fd00::4"),
        ("vnetlocal", "VnetLocal"),
        ("VIRTUALNETWORKGATEWAY", "VirtualNetworkGateway"),
        ("Internet", "Internet"),
    ],
)
def test_a_hop_has_one_spelling(text: str, canonical: str) -> None:
    assert parse_hop(text, OPTIONS) == canonical


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("None", "drop the traffic"),
        ("VirtualAppliance", "IP address"),
        ("VirtualApplianceEcmp", "one next hop"),
        ("nowhere", "is no next hop"),
        ("10.0.0.0/8", "is no next hop"),
        ("0.0.0.0", "cannot be an appliance"),
        ("127.0.0.1", "cannot be an appliance"),
        ("224.0.0.1", "cannot be an appliance"),
    ],
)
def test_what_is_no_hop_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_hop(text, OPTIONS)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:80/", "https://private.example/arm"]
)
def test_an_endpoint_is_https_or_this_machine(url: str) -> None:
    made = AzureOptions(subscription_id=SUBSCRIPTION, endpoint_url=url)
    assert made.anonymous is url.startswith("http:")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://10.0.0.1", "loopback"),
        ("http://localhost.example", "loopback"),
        ("ftp://x", "is no URL"),
        ("http://[", "is no URL"),
        ("https://", "is no URL"),
        ("https://user:pass@x", "more than a host"),
        ("https://x/?sig=1", "more than a host"),
    ],
)
def test_any_other_endpoint_is_refused(url: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AzureOptions(subscription_id=SUBSCRIPTION, endpoint_url=url)


@pytest.mark.parametrize("value", ["", "my subscription", "a/b", 5, None])
def test_what_is_no_subscription_is_refused_with_the_command_that_prints_it(value: Any) -> None:
    with pytest.raises(ValidationError, match="az account show"):
        AzureOptions(subscription_id=value)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ValidationError, match="tenant"):
        AzureOptions.model_validate({"subscription_id": SUBSCRIPTION, "tenant": "x"})


def test_the_scope_tells_clouds_and_subscriptions_apart() -> None:
    gov = AzureOptions.model_validate({"subscription_id": SUBSCRIPTION, "cloud": "usgov"})
    assert scope(OPTIONS) != scope(gov)
    assert scope(OPTIONS) == scope(AzureOptions(subscription_id=SUBSCRIPTION.upper()))


def test_the_role_is_limited_to_routes_of_the_configured_tables() -> None:
    assert AZURE.permissions is not None
    role = json.loads(AZURE.permissions([route_set(), route_set(table="rg-hub/rt")], OPTIONS))
    assert role["Actions"] == [
        "Microsoft.Network/routeTables/read",
        "Microsoft.Network/routeTables/routes/read",
        "Microsoft.Network/routeTables/routes/write",
    ]
    assert role["AssignableScopes"] == [
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}" for group in ("rg-hub", "rg-net")
    ]
    assert "/resourceGroups/rg-net/providers/Microsoft.Network/routeTables/rt-spoke" in role["Description"]


def test_the_documented_role_is_the_one_that_is_written() -> None:
    text = (Path(__file__).parents[1] / "permissions.md").read_text()
    shown = json.loads(text.partition("```json\n")[2].partition("```")[0])
    assert AZURE.permissions is not None
    written = json.loads(AZURE.permissions([route_set(table="GROUP/TABLE")], OPTIONS))
    shown["Description"] = written["Description"] = shown["Description"].partition(":")[0]
    written["AssignableScopes"] = ["/subscriptions/SUBSCRIPTION/resourceGroups/GROUP"]
    assert shown == written
    assert {CHECK_ACTION, *ACTIONS} == set(re.findall(r"^\| `(Microsoft[^`]+)`", text, re.MULTILINE))
