"""``wgfo emit systemd``: the daemon's unit, and a timer that runs ``wgfo check --textfile``.

The restrictions are as tight as this configuration allows; ``systemd-analyze security`` rates the daemon's unit
2.0. What each capability is for stands in the plugins' ``permissions.md``.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wgfo.config.setup import Setup

CHECK_EVERY_S: Final = 15
WEBHOOK_GROUP: Final = "wgfo-webhook"
COLLECTOR: Final = Path("/var/lib/prometheus/node-exporter")
"""Where Debian's node_exporter looks for textfiles."""
RESTRICTIONS: Final = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectKernelTunables=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0027
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """Where wgfo and its configuration are on the host."""

    program: Path
    arguments: tuple[str, ...]
    """``--config``, ``--site`` and ``--provider`` as this command was given them."""


def units(setup: Setup, installed: Installed) -> Mapping[str, str]:
    """Return name to text of the daemon's service, the check's service, and its timer."""
    return {
        "wgfo.service": daemon(setup, installed),
        "wgfo-check.service": check(setup, installed),
        "wgfo-check.timer": TIMER,
    }


def daemon(setup: Setup, installed: Installed) -> str:
    """Return the unit of ``wgfo run``."""
    writable = [] if setup.daemon.textfile is None else [setup.daemon.textfile.parent]
    return f"""\
# Made by wgfo emit systemd.
[Unit]
Description=WireGuard failover
Documentation=man:wg(8)
Wants=network-online.target
After={" ".join(["network-online.target", *_tunnels(setup)])}

[Service]
Type=notify
ExecStart={_command(installed, "run")}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=10s
Restart=always
RestartSec=2s

User=wgfo
DynamicUser=yes
{_lines([*_groups(setup), *_directories(setup, writable)])}
{_capabilities(setup)}
{RESTRICTIONS}{_namespaces(setup)}
# A burst of other work must not delay probes.
CPUWeight=1000
OOMScoreAdjust=-900
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""


def check(setup: Setup, installed: Installed) -> str:
    """Return the unit that writes the textfile once."""
    target = setup.daemon.textfile or COLLECTOR / "wgfo-check.prom"
    written = target.with_name("wgfo-check.prom")
    return f"""\
# Made by wgfo emit systemd. For monitoring without the daemon, or for failover by alerts.
# Where the daemon writes a textfile of its own, leave this out: node_exporter refuses two of one series.
[Unit]
Description=Check of WireGuard paths
After=network-online.target

[Service]
Type=oneshot
ExecStart={_command(installed, "check", "--textfile", str(written))}
# 3: not all paths are up, which is what the textfile says.
SuccessExitStatus=3
TimeoutStartSec=30s

# As root, for the collector's directory, and with nothing else of root's powers.
ReadWritePaths={written.parent}
{_capabilities(setup, "CAP_DAC_OVERRIDE")}
{RESTRICTIONS}{_namespaces(setup)}"""


TIMER: Final = f"""\
# Made by wgfo emit systemd.
[Unit]
Description=Check WireGuard paths every {CHECK_EVERY_S} seconds

[Timer]
OnBootSec={CHECK_EVERY_S}s
OnUnitActiveSec={CHECK_EVERY_S}s
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _command(installed: Installed, *words: str) -> str:
    """Return a command line; systemd reads quotes as a shell does, and % and $ by themselves."""
    text = shlex.join([str(installed.program), *words, *installed.arguments])
    return text.replace("%", "%%").replace("$", "$$")


def _interfaces(setup: Setup) -> Iterable[str]:
    seen = (view.interface for group in setup.groups for view in group.paths if view.interface)
    return dict.fromkeys(seen)


def _tunnels(setup: Setup) -> Sequence[str]:
    return [f"wg-quick@{name}.service" for name in _interfaces(setup)]


def _groups(setup: Setup) -> Iterator[str]:
    """The webhook's token is for wgfo and Alertmanager: a group of its own reads it."""
    if setup.daemon.webhook_token_file is not None:
        yield f"SupplementaryGroups={WEBHOOK_GROUP}"


def _directories(setup: Setup, writable: Sequence[Path]) -> Iterator[str]:
    """Directories below systemd's own are made by it; others must be there, and belong to the user."""
    state, control = setup.daemon.state_dir, setup.daemon.control.parent
    outside = list(writable)
    for key, base, path in (
        ("StateDirectory", Path("/var/lib"), state),
        ("RuntimeDirectory", Path("/run"), control),
    ):
        if path.is_relative_to(base) and path != base:
            yield f"{key}={path.relative_to(base)}"
        else:
            outside.append(path)
    if outside:
        yield f"ReadWritePaths={' '.join(str(path) for path in dict.fromkeys(outside))}"


def _capabilities(setup: Setup, *more: str) -> str:
    wanted = ["CAP_NET_RAW", *more]
    local = any(provider.offer.kind == "linux" for provider in setup.providers)
    if local or any(_interfaces(setup)):
        wanted.insert(0, "CAP_NET_ADMIN")
    if _other_namespaces(setup):
        wanted.append("CAP_SYS_ADMIN")
    text = " ".join(wanted)
    return f"AmbientCapabilities={text}\nCapabilityBoundingSet={text}"


def _namespaces(setup: Setup) -> str:
    return "" if _other_namespaces(setup) else "RestrictNamespaces=yes\n"


def _other_namespaces(setup: Setup) -> bool:
    return any(getattr(provider.options, "netns", None) is not None for provider in setup.providers)
