"""Policy rules that let each path be probed, and answer, through its own tunnel, active or not.

For every path that probes are bound to by device, two tables and these rules, marked with our protocol:

    11900  oif wg0 lookup P            P = probe_table + 2·index of wg0      default dev wg0
    11901  from 10.100.0.2 lookup S    S = P + 1                             managed prefixes, anchor, dev wg0

P serves sockets bound to the device: without it IPv6 has no route through a standby. It catches nobody else:
a packet has an output device before routing only if its socket named one.

S serves answers from the tunnel's own addresses, which must go back through the tunnel that they came by (and
pass strict rp_filter, which asks the same rules). It holds the group's own prefixes only, so that a local host
that speaks to the tunnel address is answered by the main table as before; a managed default route is left out
for the same reason.

The tables are numbered by interface, so two processes in one namespace agree about one interface. Rules that
are right are deleted by nobody but their maker at its end, so that two processes never fight. What a crash
left behind is cleaned up at ``open``: rules for interfaces that are gone, or for addresses that are.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.model import BindKind, GroupName, PathView, RouteSet
from wgfo.plugin import ProviderError
from wgfo_linux import wire
from wgfo_linux.bulk import BATCH, RouteSocket, RouteWrite
from wgfo_linux.config import IPV6_DEFAULT_METRIC, LinuxOptions
from wgfo_linux.errors import raised
from wgfo_linux.netlink import FAMILIES, Address, Device, Netlink, Rule
from wgfo_linux.wire import Body, Destination

DEVICE_PRIORITY: Final = 11_900
SOURCE_PRIORITY: Final = 11_901
"""Before every rule of wg-quick (32764 and on) and the main table (32766), after VRF's (1000)."""
MAX_SOURCE_ROUTES: Final = 4096
"""An interface whose groups have more prefixes gets no source rule."""
_SETTLE_S: Final = 0.05
_RETRY_S: Final = 5.0
_INDEX_LIMIT: Final = 1 << 24
_DEFAULTS: Final[dict[int, bytes]] = {socket.AF_INET: bytes(5), socket.AF_INET6: bytes(17)}


@dataclass(frozen=True, slots=True)
class Tunnel:
    """An interface that paths are bound to, and what is reached through it."""

    name: str
    reached: tuple[Destination, ...]


def tunnels(paths: Sequence[PathView], sets: Sequence[RouteSet]) -> tuple[Tunnel, ...]:
    """Return the interfaces of device-bound paths, each with its groups' prefixes and anchors."""
    groups: dict[str, set[GroupName]] = {}
    anchors: dict[str, set[str]] = {}
    for path in paths:
        if path.interface and path.bind.kind is BindKind.DEVICE and path.visible:
            groups.setdefault(path.interface, set()).add(path.group)
            anchors.setdefault(path.interface, set()).update([path.peer] if path.peer else [])
    return tuple(
        Tunnel(name, tuple(_reached([one for one in sets if one.group in groups[name]], anchors[name])))
        for name in groups
    )


def _reached(sets: Sequence[RouteSet], anchors: Iterable[str]) -> Iterator[Destination]:
    if sum(len(one.prefixes) for one in sets) > MAX_SOURCE_ROUTES:
        return
    managed = [wire.destination(prefix) for one in sets for prefix in one.prefixes]
    families = {wire.family_of(packed) for packed in managed if packed[-1]}
    yield from (packed for packed in managed if packed[-1])
    for anchor in anchors:
        packed = wire.destination(f"{anchor}/{128 if ':' in anchor else 32}")
        if wire.family_of(packed) in families:
            yield packed


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rules and routes that ought to stand now."""

    rules: frozenset[Rule]
    routes: tuple[RouteWrite, ...]


class ProbeRules:
    """Keeps the rules of one instance equal to its tunnels and their addresses, until closed."""

    def __init__(
        self, netlink: Netlink, routes: RouteSocket, options: LinuxOptions, wanted: Sequence[Tunnel]
    ) -> None:
        self._netlink = netlink
        self._routes = routes
        self._options = options
        self._tunnels = tuple(wanted)
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.problem = ""
        """Why the rules could not be made; empty while all is well."""

    async def start(self) -> None:
        """Clean up after a crash, make the rules, and keep them up to date from now on."""
        await self._attempt(fresh=True)
        self._task = asyncio.create_task(self._keep(), name="linux-probe-rules")

    def touch(self) -> None:
        """Something around changed: look again soon."""
        self._changed.set()

    def owns(self, table: int) -> bool:
        """Whether a table is one of probe rules, of this process or another."""
        base = self._options.probe_table
        return base < table < base + 2 * _INDEX_LIMIT

    async def close(self) -> None:
        """Remove what was made. What cannot be removed is left: the next ``open`` finds it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        with contextlib.suppress(ProviderError):
            await self._remove()

    async def _keep(self) -> None:
        while True:
            timeout = _RETRY_S if self.problem else None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout)
            await asyncio.sleep(_SETTLE_S)
            self._changed.clear()
            await self._attempt(fresh=False)

    async def _attempt(self, *, fresh: bool) -> None:
        try:
            await self._sync(fresh=fresh)
            self.problem = ""
        except ProviderError as error:
            self.problem = str(error)

    async def _sync(self, *, fresh: bool) -> None:
        """Routes first, then the rules that lead to them; then away with what is stale."""
        devices = await self._devices()
        wanted = self._wanted(devices, await self._netlink.addresses())
        standing = [rule for rule in await self._netlink.rules() if self._is_ours(rule)]
        if fresh:
            await self._empty({self._table(device, source=True) for device in devices.values()})
        await self._write(await self._missing(wanted))
        for rule in sorted(wanted.rules - set(standing), key=_order):
            await self._netlink.add_rule(rule)
        for rule in standing:
            if rule not in wanted.rules and await self._is_stale(rule, devices):
                await self._netlink.delete_rule(rule)

    # --- what ought to stand ------------------------------------------------------------------------------

    async def _devices(self) -> dict[str, Device]:
        found = [await self._netlink.device(tunnel.name) for tunnel in self._tunnels]
        return {device.name: device for device in found if device is not None and device.up}

    def _wanted(self, devices: Mapping[str, Device], addresses: Sequence[Address]) -> Wanted:
        rules: set[Rule] = set()
        routes: list[RouteWrite] = []
        for tunnel in self._tunnels:
            device = devices.get(tunnel.name)
            if device is not None:
                own = [one for one in addresses if one.device == device.index]
                rules.update(self._rules(tunnel, device, own))
                routes.extend(self._tables(tunnel, device, own))
        return Wanted(frozenset(rules), tuple(routes))

    def _rules(self, tunnel: Tunnel, device: Device, own: Sequence[Address]) -> Iterator[Rule]:
        protocol = self._options.protocol
        for family in _families(own):
            table = self._table(device, source=False)
            yield Rule(family, DEVICE_PRIORITY, table, protocol, device=device.name)
        reached = {wire.family_of(packed) for packed in tunnel.reached}
        for address in own:
            if address.family in reached:
                table = self._table(device, source=True)
                yield Rule(address.family, SOURCE_PRIORITY, table, protocol, source=address.text)

    def _tables(self, tunnel: Tunnel, device: Device, own: Sequence[Address]) -> Iterator[RouteWrite]:
        families = _families(own)
        for family in families:
            yield self._route(_DEFAULTS[family], device, source=False)
        for packed in tunnel.reached:
            if wire.family_of(packed) in families:
                yield self._route(packed, device, source=True)

    def _route(self, packed: Destination, device: Device, *, source: bool) -> RouteWrite:
        metric = IPV6_DEFAULT_METRIC if wire.is_ipv6(packed) else 0
        table = self._table(device, source=source)
        body = Body(wire.TYPE_UNICAST, self._options.protocol, 0, table, metric, device.index)
        return RouteWrite(packed, body)

    def _table(self, device: Device, *, source: bool) -> int:
        return self._options.probe_table + 2 * device.index + int(source)

    # --- what stands --------------------------------------------------------------------------------------

    def _is_ours(self, rule: Rule) -> bool:
        return (
            rule.protocol == self._options.protocol
            and rule.priority in {DEVICE_PRIORITY, SOURCE_PRIORITY}
            and self.owns(rule.table)
        )

    async def _is_stale(self, rule: Rule, devices: Mapping[str, Device]) -> bool:
        """Its interface is gone, or it is one of ours and the rule is not wanted."""
        index = (rule.table - self._options.probe_table) // 2
        if any(device.index == index for device in devices.values()):
            return rule.source is None or not await self._is_address(rule.source, index)
        device = await self._netlink.device_at(index)
        return device is None or device.name in {tunnel.name for tunnel in self._tunnels}

    async def _is_address(self, text: str, index: int) -> bool:
        """Another process may want a rule for an address that we have no prefixes for."""
        return any(one.text == text and one.device == index for one in await self._netlink.addresses())

    async def _missing(self, wanted: Wanted) -> list[RouteWrite]:
        standing: set[tuple[int, Destination, int]] = set()
        for table in {write.body.table for write in wanted.routes}:
            for family in FAMILIES:
                await self._routes.dump(
                    table, family, lambda packed, body: standing.add((body.table, packed, body.oif))
                )
        return [
            write
            for write in wanted.routes
            if (write.body.table, write.destination, write.body.oif) not in standing
        ]

    # --- carrying it out ----------------------------------------------------------------------------------

    async def _empty(self, tables: Iterable[int]) -> None:
        """Delete our routes of some tables."""
        found: list[RouteWrite] = []
        for table in tables:
            for family in FAMILIES:
                await self._routes.dump(
                    table, family, lambda packed, body: found.append(RouteWrite(packed, body, delete=True))
                )
        ours = [one for one in found if one.body.protocol == self._options.protocol]
        for start in range(0, len(ours), BATCH):
            await self._routes.write(ours[start : start + BATCH])

    async def _write(self, writes: Sequence[RouteWrite]) -> None:
        for start in range(0, len(writes), BATCH):
            for answer in await self._routes.write(writes[start : start + BATCH]):
                if answer is not None:
                    raise raised(answer, "routes of a probe table")

    async def _remove(self) -> None:
        """Rules first: a rule to an empty table is harmless, but a table without rules is only litter."""
        found = [await self._netlink.device(tunnel.name) for tunnel in self._tunnels]
        tables = {self._table(one, source=source) for one in found if one for source in (False, True)}
        for rule in await self._netlink.rules():
            if self._is_ours(rule) and rule.table in tables:
                await self._netlink.delete_rule(rule)
        await self._empty(tables)


def _families(own: Sequence[Address]) -> tuple[int, ...]:
    """IPv4 always: an unnumbered tunnel is bound to as well. IPv6 where the interface has any of it."""
    ipv6 = any(one.family == socket.AF_INET6 for one in own)
    return FAMILIES if ipv6 else FAMILIES[:1]


def _order(rule: Rule) -> tuple[int, int, str]:
    return (rule.family, rule.priority, rule.source or rule.device or "")
