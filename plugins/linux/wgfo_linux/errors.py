"""Turns what the kernel says into what an operator can act on.

FileNotFoundError in /run/netns → NotFound     EPERM, EACCES → Denied, names the capability
ENODEV                          → NotFound     ENETDOWN, EHOSTUNREACH, "Nexthop …" → NotFound
EOPNOTSUPP, EAFNOSUPPORT        → Unsupported  EEXIST, ESRCH → Conflict
everything else                 → Transient
"""

from __future__ import annotations

import errno
import os
from typing import Final

from wgfo.model import FailureKind, Prefix, WriteFailure
from wgfo.plugin import Conflict, Denied, NotFound, ProviderError, Transient, Unsupported
from wgfo_linux.wire import Refusal

TABLES_FILE: Final = "/etc/iproute2/rt_tables"
GRANT: Final = (
    "the process needs CAP_NET_ADMIN in its network namespace: run it as root, or add "
    "AmbientCapabilities=CAP_NET_ADMIN to its systemd unit (`wgfo emit permissions` writes the drop-in)"
)
_NO_MEMORY: Final = (errno.ENOBUFS, errno.ENOMEM)
_NO_WAY: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH)
_KINDS: Final = {
    FailureKind.TRANSIENT: Transient,
    FailureKind.DENIED: Denied,
    FailureKind.NOT_FOUND: NotFound,
    FailureKind.UNSUPPORTED: Unsupported,
    FailureKind.CONFLICT: Conflict,
}


def kind_of(refusal: Refusal) -> FailureKind:
    """Say what may be done next."""
    if refusal.code in {errno.EPERM, errno.EACCES}:
        return FailureKind.DENIED
    if refusal.code in {errno.EOPNOTSUPP, errno.EAFNOSUPPORT}:
        return FailureKind.UNSUPPORTED
    if refusal.code in {errno.EEXIST, errno.ESRCH}:
        return FailureKind.CONFLICT
    if refusal.code in {errno.ENODEV, errno.ENETDOWN, *_NO_WAY} or refusal.text:
        return FailureKind.NOT_FOUND
    return FailureKind.TRANSIENT


def explain(refusal: Refusal, hop: str, where: str) -> str:
    """Say what the kernel refused (``hop`` in ``where``), in its own words if it has any, and the remedy."""
    said = refusal.text.rstrip(".") or os.strerror(refusal.code)
    return (
        f"{where}: the kernel refused '{hop}': {said} ({errno.errorcode.get(refusal.code, refusal.code)}); "
        + _remedy(refusal, hop)
    )


def _remedy(refusal: Refusal, hop: str) -> str:
    device = hop.partition("dev ")[2]
    if refusal.code in {errno.EPERM, errno.EACCES}:
        return GRANT
    if refusal.code == errno.ENODEV:
        return f"there is no interface {device!r}: bring the tunnel up, or correct next_hop"
    if refusal.code == errno.ENETDOWN:
        return f"the interface is down: `ip link set {device or 'DEVICE'} up`"
    if refusal.code in _NO_WAY or "exthop" in refusal.text:
        return "the gateway must be on a subnet of an interface that is up (`ip route get`); else name its device"
    if refusal.code == errno.EEXIST:
        return (
            "another route has the same prefix, metric and hop: `ip route show` it and delete one of the two"
        )
    return "see `dmesg` and `ip -d route show`"


def failure(refusal: Refusal, hop: str, where: str, prefix: Prefix | None) -> WriteFailure:
    """Make the outcome of one refused write."""
    return WriteFailure(kind_of(refusal), explain(refusal, hop, where), prefix)


def raised(refusal: Refusal, what: str) -> ProviderError:
    """Make the exception for a refused request that is not about one destination."""
    kind = kind_of(refusal)
    said = refusal.text.rstrip(".") or os.strerror(refusal.code)
    remedy = GRANT if kind is FailureKind.DENIED else "it is tried again"
    return _KINDS[kind](f"{what}: {said}; {remedy}")


def from_os(error: OSError, what: str) -> ProviderError:
    """Make the exception for a socket's error."""
    return raised(Refusal(error.errno or errno.EIO), what)


def missing_device(device: str, where: str) -> NotFound:
    """Say that a next hop's device is not there."""
    return NotFound(
        f"{where}: there is no interface {device!r}; bring the tunnel up (`wg-quick up {device}`), "
        f"or correct next_hop"
    )


def unknown_table(name: str) -> NotFound:
    """Say that a table's name stands in none of iproute2's files."""
    return NotFound(
        f"no routing table is called {name!r} on this host: add a line such as '100 {name}' to "
        f"{TABLES_FILE}, or write the table's number"
    )


def missing_namespace(name: str) -> NotFound:
    """Say that a network namespace is not there."""
    return NotFound(f"there is no network namespace {name!r}: `ip netns list` shows those that exist")


def closed_namespace(name: str) -> Denied:
    """Say that a network namespace may not be entered."""
    return Denied(
        f"not permitted to enter the network namespace {name!r}: the process needs CAP_SYS_ADMIN "
        f"(`wgfo emit permissions` writes the drop-in), or run it inside with `ip netns exec {name}`"
    )
