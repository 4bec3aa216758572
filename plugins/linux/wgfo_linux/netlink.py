"""A thin typed adapter over pyroute2 for what is rare: links, addresses, policy rules, one lookup.

Routes in bulk do not come this way (see bulk.py). The socket is made here, in its namespace, and handed over:
pyroute2's own way forks a process, and creates a namespace that does not exist.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from wgfo.plugin import Transient
from wgfo_linux.errors import from_os, raised
from wgfo_linux.namespace import netlink_socket
from wgfo_linux.wire import Refusal

FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
_IFF_UP: Final = 0x1
_TIMEOUT_S: Final = 5.0
_TO_TABLE: Final = 1
_SCOPE_UNIVERSE: Final = 0
_MISSING: Final = (errno.ENODEV, errno.ENXIO)
_NO_WAY: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL)


@dataclass(frozen=True, slots=True)
class Device:
    """An interface."""

    index: int
    name: str
    up: bool


@dataclass(frozen=True, slots=True)
class Address:
    """A globally valid address of an interface."""

    device: int
    family: int
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy rule that looks a table up: by output device, or by source address."""

    family: int
    priority: int
    table: int
    protocol: int
    device: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the kernel would do with a packet."""

    device: int
    gateway: str | None


class Netlink:
    """Asks and tells the kernel through pyroute2, in one namespace."""

    def __init__(self, namespace: str | None) -> None:
        self._namespace = namespace
        self._socket: socket.socket | None = None
        self._route: Any = None

    async def open(self) -> None:
        """Import pyroute2 (0.4 s) and connect.

        Raises:
            ProviderError: the namespace or the socket cannot be had.
        """
        from pyroute2 import AsyncIPRoute  # noqa: PLC0415 - never at discovery (rule 11)

        self._socket = netlink_socket(self._namespace, bulk=False)
        self._route = AsyncIPRoute(use_socket=self._socket, groups=0)
        await self._route.setup_endpoint()

    async def _connected(self) -> Any:
        """Return the connection; a broken one was closed and is opened anew."""
        if self._route is None:
            await self.open()
        return self._route

    def close(self) -> None:
        """Close the socket; calling it twice is harmless."""
        if self._route is not None:
            self._route.close()
            self._route = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def device(self, name: str, within_s: float = _TIMEOUT_S) -> Device | None:
        """Return an interface by its name, None if there is none."""
        return await self._device(within_s, ifname=name)

    async def device_at(self, index: int, within_s: float = _TIMEOUT_S) -> Device | None:
        """Return an interface by its index, None if there is none."""
        return await self._device(within_s, index=index)

    async def _device(self, within_s: float, **by: Any) -> Device | None:
        answer = await self._ask("link", "get", missing=_MISSING, within_s=within_s, **by)
        if not answer:
            return None
        link = answer[0]
        return Device(link["index"], link.get("ifname"), bool(link["flags"] & _IFF_UP))

    async def addresses(self) -> list[Address]:
        """Return the globally valid addresses of all interfaces."""
        found = await self._dump("addr")
        return [
            Address(one["index"], one["family"], one.get("local") or one.get("address"))
            for one in found
            if one["scope"] == _SCOPE_UNIVERSE
        ]

    async def rules(self) -> list[Rule]:
        """Return the rules that look a table up, of both families."""
        found = [one for family in FAMILIES for one in await self._dump("rule", family=family)]
        return [
            Rule(
                family=one["family"],
                priority=one.get("priority") or 0,
                table=one.get("table"),
                protocol=one.get("protocol") or 0,
                device=one.get("oifname"),
                source=one.get("src"),
            )
            for one in found
            if one["action"] == _TO_TABLE
        ]

    async def add_rule(self, rule: Rule) -> None:
        """Add a rule; one that stands already is no error."""
        await self._ask("rule", "add", missing=(errno.EEXIST,), **_rule_fields(rule))

    async def delete_rule(self, rule: Rule) -> None:
        """Delete a rule; one that is gone already is no error."""
        await self._ask("rule", "del", missing=(errno.ENOENT, errno.ESRCH), **_rule_fields(rule))

    async def lookup(self, destination: str, *, mark: int = 0) -> Lookup | None:
        """Ask which way a packet (with a firewall mark) would go (``ip route get``); None: nowhere."""
        fields: dict[str, Any] = {
            "dst": destination,
            "family": socket.AF_INET6 if ":" in destination else socket.AF_INET,
        }
        if mark:
            fields["mark"] = mark
        answer = await self._ask("route", "get", missing=_NO_WAY, **fields)
        if not answer:
            return None
        found = answer[0]
        return Lookup(found.get("oif") or 0, found.get("gateway"))

    async def _ask(
        self,
        what: str,
        command: str,
        *,
        missing: tuple[int, ...],
        within_s: float = _TIMEOUT_S,
        **fields: Any,
    ) -> Any:
        try:
            async with self._guarded(f"netlink {what} {command}", within_s):
                return await getattr(await self._connected(), what)(command, **fields)
        except _Refused as refused:
            if refused.refusal.code in missing:
                return ()
            raise raised(refused.refusal, f"netlink {what} {command}") from refused

    async def _dump(self, what: str, **fields: object) -> list[Any]:
        try:
            async with self._guarded(f"netlink {what} dump"):
                found = await getattr(await self._connected(), what)("dump", **fields)
                return [one async for one in found]
        except _Refused as refused:
            raise raised(refused.refusal, f"netlink {what} dump") from refused

    @contextlib.asynccontextmanager
    async def _guarded(self, what: str, within_s: float = _TIMEOUT_S) -> AsyncIterator[None]:
        """Bound the wait, and let none of pyroute2's exceptions out. A socket that failed is not used again."""
        from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415 - as above

        try:
            async with asyncio.timeout(within_s):
                yield
        except NetlinkError as error:
            raise _Refused(Refusal(error.code, str(error.args[-1]))) from error
        except TimeoutError as error:
            self.close()
            raise Transient(f"{what}: the kernel did not answer within {within_s:g} s") from error
        except OSError as error:
            self.close()
            raise from_os(error, what) from error


class _Refused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


def _rule_fields(rule: Rule) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "family": rule.family,
        "priority": rule.priority,
        "table": rule.table,
        "protocol": rule.protocol,
    }
    if rule.device is not None:
        fields["oifname"] = rule.device
    if rule.source is not None:
        fields["src"] = rule.source
        fields["src_len"] = 128 if rule.family == socket.AF_INET6 else 32
    return fields
