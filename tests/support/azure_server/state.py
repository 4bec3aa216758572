"""The platform behind the stand-in: what is configured, and what traffic follows, which is not the same.

An accepted write shows at once in what a GET returns, in state Updating; traffic follows when its operation
succeeds. Where the operation fails, GET goes on showing the new hop, in state Failed, and traffic the old one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.azure_server.clock import Clock
from tests.support.azure_server.faults import Faults
from tests.support.azure_server.timeline import Timeline

_PAST = 500


@dataclass(slots=True)
class Operation:
    """A write that was accepted."""

    id: str
    table: str
    route: str
    ends_ms: int
    ending: str = "Succeeded"
    code: str = ""
    delete: bool = False
    over: bool = False


@dataclass(frozen=True, slots=True)
class Nic:
    """A network interface of the subscription."""

    name: str
    address: str
    forwards: bool = True
    network: str = "vnet"


@dataclass(slots=True)
class Table:
    """One route table."""

    group: str
    name: str
    etag: str
    routes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By lower-case name: the JSON of each, replaced and never changed in place."""
    traffic: dict[str, str] = field(default_factory=dict)
    """Prefix to hop, as traffic really goes."""
    extra: dict[str, Any] = field(default_factory=dict)
    """More properties of the table."""
    past: list[tuple[int, dict[str, dict[str, Any]]]] = field(default_factory=list)
    operation: Operation | None = None

    @property
    def path(self) -> str:
        return f"{self.group}/{self.name}".lower()


def hop_of(properties: Mapping[str, Any]) -> str:
    """Return a route's hop as an operator writes it."""
    return str(properties.get("nextHopIpAddress") or properties.get("nextHopType"))


class Platform:
    """Tables of one subscription."""

    def __init__(self, subscription: str, clock: Clock | None = None) -> None:
        self.subscription = subscription
        self.clock = clock or Clock()
        self.faults = Faults()
        self.timeline = Timeline()
        self.tables: dict[str, Table] = {}
        self.nics: list[Nic] = []
        self.operations: dict[str, Operation] = {}
        self.listeners: list[Callable[[Table], None]] = []
        self._numbers = itertools.count(1)

    def make_table(self, path: str, **extra: Any) -> Table:
        """Make an empty table ``group/name`` that one subnet uses."""
        group, name = path.split("/")
        table = Table(group, name, self._etag(), extra={"disableBgpRoutePropagation": True, **extra})
        table.extra.setdefault("subnets", [{"id": f"{self._network('vnet')}/subnets/one"}])
        self.tables[path.lower()] = table
        self._changed(table)
        return table

    def _network(self, name: str) -> str:
        group = f"/subscriptions/{self.subscription}/resourceGroups/net"
        return f"{group}/providers/Microsoft.Network/virtualNetworks/{name}"

    def _etag(self) -> str:
        return f'W/"{next(self._numbers):08x}"'

    # --- changes --------------------------------------------------------------------------------------------

    def begin(self, table: Table, name: str, body: Mapping[str, Any]) -> Operation:
        """Accept a write."""
        properties = {**body["properties"], "provisioningState": "Updating"}
        known = table.routes.get(name.lower())
        if known is None:
            properties["provisioningState"] = "Creating"
        prefix = properties["addressPrefix"]
        ending, code = self.faults.failing.get(prefix, ("Succeeded", ""))
        operation = self._operation(table, name, ending, code)
        table.routes[name.lower()] = {
            "name": known["name"] if known else name,
            "id": f"{self.table_id(table)}/routes/{name}",
            "type": "Microsoft.Network/routeTables/routes",
            "properties": properties,
        }
        self._stamp(table, name)
        self.settle(table)
        return operation

    def begin_delete(self, table: Table, name: str) -> Operation:
        """Accept a delete."""
        operation = self._operation(table, name, "Succeeded", "")
        operation.delete = True
        self.settle(table)
        return operation

    def _operation(self, table: Table, name: str, ending: str, code: str) -> Operation:
        ends_ms = self.clock.now_ms() + self.faults.lro_ms
        operation = Operation(f"op-{next(self._numbers)}", table.path, name.lower(), ends_ms, ending, code)
        table.operation = self.operations[operation.id] = operation
        return operation

    def settle(self, table: Table) -> None:
        """End the operation whose time is over."""
        operation = table.operation
        if operation is None or self.clock.now_ms() < operation.ends_ms:
            return
        table.operation, operation.over = None, True
        route = table.routes.get(operation.route)
        if route is None:
            return
        properties = route["properties"]
        if operation.delete:
            del table.routes[operation.route]
            table.traffic.pop(properties["addressPrefix"], None)
        else:
            state = {**properties, "provisioningState": operation.ending}
            table.routes[operation.route] = {**route, "properties": state}
            if operation.ending == "Succeeded":
                table.traffic[properties["addressPrefix"]] = hop_of(properties)
            self._stamp(table, operation.route)
        self._changed(table, operation.ends_ms)

    def put(
        self, path: str, prefix: str, hop: Mapping[str, Any], name: str | None = None, **extra: Any
    ) -> None:
        """Write a route as somebody else does, in force at once."""
        table = self.tables[path]
        standing = next(
            (key for key, one in table.routes.items() if one["properties"]["addressPrefix"] == prefix), None
        )
        name = name or standing or "somebody-" + "".join(c if c.isalnum() else "-" for c in prefix)
        properties = {"addressPrefix": prefix, "provisioningState": "Succeeded", **hop, **extra}
        table.routes[name.lower()] = {"name": name, "properties": properties}
        table.traffic[prefix] = hop_of(properties)
        self._stamp(table, name)
        self._changed(table)

    def drop(self, path: str, prefix: str) -> None:
        """Delete the route of a prefix as somebody else does."""
        table = self.tables[path]
        table.routes = {k: v for k, v in table.routes.items() if v["properties"]["addressPrefix"] != prefix}
        table.traffic.pop(prefix, None)
        table.etag = self._etag()
        self._changed(table)

    def _stamp(self, table: Table, name: str) -> None:
        """Give new etags to the table and to the route, or to all of them."""
        table.etag = self._etag()
        shared = self.faults.shared_etags
        for key in list(table.routes) if shared else [name.lower()]:
            table.routes[key] = {**table.routes[key], "etag": table.etag if shared else self._etag()}
        self._remember(table)

    def _changed(self, table: Table, at_ms: int | None = None) -> None:
        self._remember(table)
        at_ms = self.clock.now_ms() if at_ms is None else at_ms
        self.timeline.add(table.path, at_ms, table.traffic)
        for listener in self.listeners:
            listener(table)

    def _remember(self, table: Table) -> None:
        table.past = [*table.past[-_PAST:], (self.clock.now_ms(), dict(table.routes))]

    # --- views ----------------------------------------------------------------------------------------------

    def table_id(self, table: Table) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{table.group}"
            f"/providers/Microsoft.Network/routeTables/{table.name}"
        )

    def shown(self, table: Table) -> dict[str, dict[str, Any]]:
        """Return the routes as reads show them now: maybe as they were."""
        if not self.faults.stale_ms:
            return table.routes
        then = self.clock.now_ms() - self.faults.stale_ms
        return next((routes for at_ms, routes in reversed(table.past) if at_ms <= then), {})

    def table_json(self, table: Table) -> dict[str, Any]:
        state = "Updating" if table.operation else "Succeeded"
        routes = list(self.shown(table).values())
        return {
            "id": self.table_id(table),
            "name": table.name,
            "type": "Microsoft.Network/routeTables",
            "location": "westeurope",
            "etag": table.etag,
            "properties": {**table.extra, "provisioningState": state, "routes": routes},
        }

    def nic_json(self, nic: Nic) -> dict[str, Any]:
        subnet = {"id": f"{self._network(nic.network)}/subnets/one"}
        inner = {"privateIPAddress": nic.address, "subnet": subnet}
        properties = {"enableIPForwarding": nic.forwards, "ipConfigurations": [{"properties": inner}]}
        return {"name": nic.name, "properties": properties}
