"""What the host says of itself: sysctls, systemd-networkd, capabilities, WireGuard's endpoints."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wgfo_linux.namespace import inside

_PROC_NET: Final = Path("/proc/sys/net")
_STATUS: Final = Path("/proc/self/status")
_NETWORKD_STATE: Final = Path("/run/systemd/netif")
_NETWORKD_CONFIG: Final = ("usr/lib/systemd", "usr/local/lib/systemd", "run/systemd", "etc/systemd")
"""Later places override earlier ones file by file; drop-ins apply in the order of their names."""
_FOREIGN: Final = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules")
_NO: Final = frozenset(("no", "false", "0", "off", "n", "f"))
_WG_TIMEOUT_S: Final = 2.0


def capabilities() -> int:
    """Return the effective capabilities of this process as bits."""
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


@dataclass(frozen=True, slots=True)
class Sysctls:
    """Settings of one network namespace."""

    forwards_ipv4: bool
    forwards_ipv6: bool
    rp_filter: dict[str, int]
    """Effective reverse-path filter of each interface: the larger of its own and ``all``'s."""


def read_sysctls(namespace: str | None, devices: Sequence[str]) -> Sysctls:
    """Read them where they count: /proc/sys/net shows the namespace of the reading thread."""

    def read() -> Sysctls:
        every = _number("ipv4/conf/all/rp_filter")
        return Sysctls(
            forwards_ipv4=_number("ipv4/ip_forward") == 1,
            forwards_ipv6=_number("ipv6/conf/all/forwarding") == 1,
            rp_filter={name: max(every, _number(f"ipv4/conf/{name}/rp_filter")) for name in devices},
        )

    return inside(namespace, read)


def _number(name: str) -> int:
    """Return a sysctl; one that is not there (no IPv6, no such interface) is off."""
    try:
        return int((_PROC_NET / name).read_text(encoding="ascii"))
    except OSError:
        return 0


def networkd_removes(root: Path = Path("/")) -> tuple[str, ...]:
    """Return the settings by which networkd removes others' routes or rules; none where it does not run."""
    if not (root / _NETWORKD_STATE.relative_to("/")).is_dir():
        return ()
    values = dict.fromkeys(_FOREIGN, "yes")
    for path in _networkd_files(root):
        values.update(_settings(path))
    return tuple(name for name, value in values.items() if value.lower() not in _NO)


def _networkd_files(root: Path) -> Iterator[Path]:
    places = [root / place for place in _NETWORKD_CONFIG]
    yield from [place / "networkd.conf" for place in places if (place / "networkd.conf").is_file()][-1:]
    drop_ins = {
        path.name: path for place in places for path in sorted((place / "networkd.conf.d").glob("*.conf"))
    }
    yield from (drop_ins[name] for name in sorted(drop_ins))


def _settings(path: Path) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            name, equals, value = line.partition("=")
            if equals and name.strip() in _FOREIGN:
                yield name.strip(), value.strip()


def is_hosts_own(namespace: str | None) -> bool:
    """Whether routes go where the host's services look: not another namespace, nor one this process is in."""
    if namespace is not None:
        return False
    try:
        return Path("/proc/self/ns/net").readlink() == Path("/proc/1/ns/net").readlink()
    except OSError:
        return True


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a WireGuard interface sends its encrypted packets, and with which firewall mark."""

    mark: int
    addresses: tuple[str, ...]


async def read_endpoints(namespace: str | None, device: str) -> Endpoints:
    """Ask ``wg``; what it does not know (no such tool, no WireGuard interface) is no endpoint."""
    mark = await _wg(namespace, device, "fwmark")
    lines = (await _wg(namespace, device, "endpoints")).splitlines()
    found = [words[1] for words in map(str.split, lines) if len(words) > 1 and words[1] != "(none)"]
    addresses = tuple(sorted({text.rpartition(":")[0].strip("[]") for text in found}))
    return Endpoints(int(mark, 16) if mark.startswith("0x") else 0, addresses)


async def _wg(namespace: str | None, *words: str) -> str:
    into = ("ip", "netns", "exec", namespace) if namespace else ()
    try:
        process = await asyncio.create_subprocess_exec(
            *into, "wg", "show", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_WG_TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode(errors="replace").strip()
