"""Preflight: whether Azure can be reached without the paths that wgfo moves.

A failover that must ask Azure through the failed path cannot happen.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from wgfo.model import Finding, RouteSet, Severity
from wgfo.plugin import Permit
from wgfo_azure.config import is_loopback

Resolve = Callable[[str], set[str]]
_SHARE: Final = 0.5
"""Of the time left that looking names up may take."""


def resolve(host: str) -> set[str]:
    """Return the addresses of a name; blocks."""
    return {str(found[4][0]) for found in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)}


async def findings(
    hosts: Iterable[str], sets: Sequence[RouteSet], permit: Permit, look_up: Resolve = resolve
) -> list[Finding]:
    """Look every host's name up, in a thread, and compare its addresses with the managed prefixes."""
    await permit.read()
    found: list[Finding] = []
    pool = ThreadPoolExecutor(1, "wgfo-azure-names")
    try:
        for host in hosts:
            if not is_loopback(host):
                found += _judged(host, await _addresses(host, look_up, pool, permit), sets)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return found


async def _addresses(host: str, look_up: Resolve, pool: ThreadPoolExecutor, permit: Permit) -> set[str]:
    """Return nothing for a name that does not resolve in time."""
    asked = asyncio.get_running_loop().run_in_executor(pool, look_up, host)
    try:
        return await asyncio.wait_for(asked, permit.remaining_ms() * _SHARE / 1000)
    except (OSError, TimeoutError):
        return set()


def _judged(host: str, addresses: set[str], sets: Sequence[RouteSet]) -> Iterator[Finding]:
    if not addresses:
        text = f"{host} does not resolve here: Azure cannot be reached"
        yield Finding(Severity.ERROR, host, text, "correct this host's DNS, 'cloud' or endpoint_url")
    networks = [ipaddress.ip_network(prefix) for one in sets for prefix in one.prefixes if "/" in prefix]
    for address in sorted(addresses):
        caught = next((one for one in networks if ipaddress.ip_address(address) in one), None)
        if caught is not None:
            text = f"{host} is {address} here, inside the managed prefix {caught}"
            remedy = (
                "if this host follows these tables, reach Azure by another way (a private endpoint, another table, "
                "a service tag): when a path fails, so would every request to repair it"
            )
            yield Finding(Severity.WARNING, host, text, remedy)
            return
