"""Preflight of the Azure provider: what would keep the routes from working, and the remedy. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wgfo.model import Finding, RouteSet, Severity
from wgfo.plugin import Denied, Permit, ProviderError, Withdrawn
from wgfo_azure import reach
from wgfo_azure.client import ArmClient
from wgfo_azure.config import HopSpec, HopType, TableRef, read_hop
from wgfo_azure.rights import CHECK_ACTION
from wgfo_azure.routes import State, Table, read_table

ROUTES_MOST: Final = 400
"""Routes of one table, unless Azure Virtual Network Manager raises it to 1,000."""
_NETWORK: Final = re.compile(r"(.*/virtualnetworks/[^/]+)/subnets/[^/]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface that has one of the addresses in question."""

    name: str
    address: str
    forwards: bool
    network: str
    """Id of its virtual network, in lower case."""


async def findings(arm: ArmClient, sets: Sequence[RouteSet], permit: Permit) -> list[Finding]:
    """Return everything that was found."""
    found: list[Finding] = []
    tables: dict[TableRef, Table] = {}
    for ref in {TableRef.of(one.table): None for one in sets}:
        try:
            tables[ref] = read_table(ref, await arm.table(ref, permit))
        except Withdrawn:
            raise
        except ProviderError as error:
            found.append(Finding(Severity.ERROR, f"table {ref}", str(error), _remedy(error)))
    for ref, table in tables.items():
        found += _table(table, [one for one in sets if TableRef.of(one.table) == ref])
    found += _hops(sets)
    found += await _appliances(arm, sets, tables, permit)
    found += await reach.findings(arm.hosts, sets, permit)
    return found


def _remedy(error: ProviderError) -> str:
    if isinstance(error, Denied):
        return "assign the role that `wgfo emit permissions` prints, at the route table"
    return "correct 'tables' and 'subscription_id', or try again when Azure answers"


# --- the table --------------------------------------------------------------------------------------------


def _table(table: Table, sets: Sequence[RouteSet]) -> Iterator[Finding]:
    subject = f"table {table.ref}"
    if not table.subnets:
        yield Finding(
            Severity.WARNING,
            subject,
            "no subnet uses this table: its routes carry nothing",
            f"associate it: `az network vnet subnet update --route-table {table.ref.name} …`",
        )
    wanted = {prefix for one in sets for prefix in one.prefixes}
    total = len(table.routes) + len(wanted - set(table.by_prefix))
    if total > ROUTES_MOST:
        yield Finding(
            Severity.ERROR,
            subject,
            f"with the configured prefixes it would have {total} routes; Azure admits {ROUTES_MOST}",
            "merge prefixes, or delete routes that are not needed",
        )
    stuck = [route.name for route in table.routes if route.prefix in wanted and route.state is State.BROKEN]
    if stuck:
        yield Finding(
            Severity.WARNING,
            subject,
            f"the last operation on {', '.join(stuck)} did not succeed: traffic may not follow what they show",
            "the next switch or repair writes them again; `az network route-table route show` tells more",
        )


# --- next hops --------------------------------------------------------------------------------------------


def _hops(sets: Sequence[RouteSet]) -> Iterator[Finding]:
    specs = {(path, read_hop(hop)): None for one in sets for path, hop in one.hops.items()}
    for path, spec in specs:
        if spec.type == HopType.INTERNET:
            yield Finding(
                Severity.WARNING,
                f"path {path}",
                "its next hop is Internet: while it is active, private traffic leaves unencrypted",
                "use the IP address of an appliance",
            )


async def _appliances(
    arm: ArmClient, sets: Sequence[RouteSet], tables: Mapping[TableRef, Table], permit: Permit
) -> list[Finding]:
    wanted = _addresses(sets)
    if not wanted:
        return []
    try:
        found = [one async for nic in arm.interfaces(permit) for one in _matching(nic, wanted)]
    except Withdrawn:
        raise
    except ProviderError as error:
        text = f"whether the appliances forward cannot be seen: {error}"
        remedy = f"allow {CHECK_ACTION} on the subscription, or see to enableIPForwarding of their interfaces"
        return [Finding(Severity.INFO, "appliances", text, remedy)]
    networks = {_network(subnet) for table in tables.values() for subnet in table.subnets}
    return [one for address in wanted for one in _appliance(address, found, networks)]


def _addresses(sets: Sequence[RouteSet]) -> dict[str, None]:
    specs: list[HopSpec] = [read_hop(hop) for one in sets for hop in one.hops.values()]
    return {spec.address: None for spec in specs if spec.address}


def _appliance(address: str, found: Sequence[Interface], networks: set[str]) -> Iterator[Finding]:
    """Judge the interface of one address; of several those in the tables' own networks count."""
    subject = f"next hop {address}"
    having = [one for one in found if one.address == address]
    near = [one for one in having if one.network in networks] or having
    if not near:
        text = "no network interface of this subscription has this address"
        remedy = "correct it, unless it is a load balancer, a scale set or in another subscription"
        yield Finding(Severity.WARNING, subject, text, remedy)
    for one in near:
        if not one.forwards:
            text = f"interface {one.name!r} does not forward: Azure drops what is not addressed to it"
            remedy = f"`az network nic update --ip-forwarding true --name {one.name} …`, and in its system"
            yield Finding(Severity.ERROR, subject, text, remedy)


def _matching(nic: Mapping[str, Any], wanted: Mapping[str, None]) -> Iterator[Interface]:
    properties = nic.get("properties") or {}
    for configuration in properties.get("ipConfigurations") or ():
        inner = configuration.get("properties") or {}
        address = str(inner.get("privateIPAddress") or "").lower()
        if address in wanted:
            subnet = str((inner.get("subnet") or {}).get("id") or "")
            forwards = bool(properties.get("enableIPForwarding"))
            yield Interface(str(nic.get("name") or "?"), address, forwards, _network(subnet))


def _network(subnet: str) -> str:
    match = _NETWORK.fullmatch(subnet)
    return match.group(1).lower() if match else ""
