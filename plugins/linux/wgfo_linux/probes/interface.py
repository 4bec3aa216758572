"""The ``interface`` probe: is the path's interface there, up, with carrier, and does it accept what returns?

Codes of its reports, strongest first:

==============  =========  ===========================================================================
``missing``     down       no interface of that name (deleted, renamed, moved to another namespace)
``admin_down``  down       ``IFF_UP`` is off
``no_carrier``  down       ``IFF_UP`` without ``IFF_LOWER_UP``
``rp_filter``   unknown    strict reverse-path filtering: what returns by this path is dropped while the
                           route back to its sender leaves by another interface
``up``          up
==============  =========  ===========================================================================

Strict filtering spoils the standby before it spoils the active path: its probes leave by the device, and the
replies are dropped because the workload's route points at the other path. The kernel decides that by one
lookup, from the reply's destination (our address on this interface) to the reply's source (the probe's
target), and drops unless it leaves by the interface on which the reply came (``fib_validate_source``). The
probe asks the kernel the same question for each destination: *discredits* is set when at least one reply
would be dropped, for then loss through this path is of our own making. A rule ``from TUNNEL_ADDRESS lookup
TABLE``, as this plugin's ``probe_table`` keeps, makes every lookup leave by this interface. The anchor is
asked about only where nothing else is known: it is on the interface's own subnet and comes back in any case.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Final

from wgfo.model import Layer, LayerReport, PathView, Verdict
from wgfo.plugin import ProbeContext, ProbeError, Report
from wgfo_linux.probes.links import LinkTable
from wgfo_linux.probes.rtnetlink import STRICT, Link, find_way

REASSESS_S: Final = 1.0
"""Routes and rules may change without a link event: under strict filtering they are asked again so often."""
MAX_DESTINATIONS: Final = 32
_IPV4: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")


class InterfaceProbe:
    """Reports one interface; all probes of a process share the ``links`` table."""

    def __init__(self, context: ProbeContext, links: LinkTable) -> None:
        if context.path.interface is None:
            raise ProbeError(
                f"path {context.path.name!r} of group {context.path.group!r} has no interface to watch; "
                'set interface = "…" on the path'
            )
        self._name = context.path.interface
        self._destinations = ipv4_destinations(context.path, context.destinations)
        self._links = links

    async def run(self, emit: Callable[[Report], None]) -> None:
        """Report the present state, then every change, until cancelled.

        Raises:
            ProbeError: the kernel cannot be asked.
        """
        last: LayerReport | None = None
        async with self._links.watching(self._name) as watch:
            while True:
                link = await watch.next(again_after_s=REASSESS_S)
                report = judge(self._name, link, await self._dropped(link))
                if report != last:
                    emit(report)
                last = report

    async def aclose(self) -> None:
        """``run`` has released the watch."""

    async def _dropped(self, link: Link | None) -> tuple[str, ...] | None:
        """Return what strict filtering drops of the replies; None where it has no say."""
        if link is None or not link.strict or self._destinations == ():
            return None
        try:
            asked = [(to, await _reply_accepted(link.index, to)) for to in self._destinations or ()]
        except (OSError, ValueError) as error:
            raise ProbeError(f"the kernel's routes cannot be asked over netlink: {error}") from error
        return tuple(destination for destination, accepted in asked if not accepted)


async def _reply_accepted(index: int, destination: str) -> bool:
    """Ask as the filter does; where not even a probe can leave, that is for the data plane to say."""
    out = await find_way(destination, index=index)
    if out is None or out.source is None:
        return True
    back = await find_way(destination, source=out.source)
    return back is not None and back.index == index


def ipv4_destinations(path: PathView, destinations: Sequence[str]) -> tuple[str, ...] | None:
    """Return the IPv4 addresses that are probed through the path, the anchor's where there are no others.

    An empty tuple says that all of them are IPv6, None that none is known.
    """
    texts = (*destinations, *path.targets.values())
    known = texts or ((path.peer,) if path.peer else ())
    found = tuple(dict.fromkeys(address for text in known if (address := _ipv4(text))))[:MAX_DESTINATIONS]
    if found:
        return found
    return () if known and all(_is_ipv6(text) for text in known) else None


def _ipv4(text: str) -> str | None:
    """Return the IPv4 address in ``10.20.1.10``, ``10.20.1.10:443`` or ``http://10.20.1.10/health``."""
    match = _IPV4.search(text)
    try:
        return str(ipaddress.IPv4Address(match[0])) if match else None
    except ValueError:
        return None


def _is_ipv6(text: str) -> bool:
    return "[" in text or text.count(":") > 1


def judge(name: str, link: Link | None, dropped: Sequence[str] | None) -> LayerReport:
    """Say what an interface in that state is worth; ``dropped`` is None where strict filtering has no say."""
    if link is None:
        return _report(Verdict.DOWN, "missing", f"there is no interface {name}")
    if not link.up:
        return _report(Verdict.DOWN, "admin_down", f"{name} is administratively down")
    if not link.carrier:
        return _report(Verdict.DOWN, "no_carrier", f"{name} is up without carrier")
    if dropped is not None:
        return _strict(name, link, dropped)
    return _report(Verdict.UP, "up", f"{name} is up")


def _strict(name: str, link: Link, dropped: Sequence[str]) -> LayerReport:
    key = name.replace(".", "/")  # sysctl's way to write a dot inside a name
    set_by = [
        f"net.ipv4.conf.{which}.rp_filter=1"
        for which, value in (("all", link.rp_filter_all), (key, link.rp_filter))
        if value == STRICT
    ]
    reason = (
        f"rp_filter: strict reverse-path filtering on {name} ({', '.join(set_by)}) drops what returns by "
        f"this path unless the route back leaves by it{_examples(dropped)}; "
        f"set net.ipv4.conf.{key}.rp_filter=2"
    )
    return LayerReport(Layer.INTERFACE, Verdict.UNKNOWN, reason, "rp_filter", discredits=bool(dropped))


def _examples(dropped: Sequence[str]) -> str:
    if not dropped:
        return ""
    more = f" and {len(dropped) - 1} more" if len(dropped) > 1 else ""
    return f", as that to {dropped[0]}{more} does not: probes through this path prove nothing"


def _report(verdict: Verdict, code: str, reason: str) -> LayerReport:
    return LayerReport(Layer.INTERFACE, verdict, reason, code)
