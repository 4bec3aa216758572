"""A few real packets through every path and to the reference hosts, as the daemon would send them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from wgfo.config.setup import Setup
from wgfo.daemon.clock import Clock
from wgfo.daemon.doctor_providers import Scoped
from wgfo.daemon.oneshot import gather, running
from wgfo.daemon.unbound import REFERENCE_INTERVAL_US, Reference, Unbound, reference_offer
from wgfo.daemon.verdict import judge
from wgfo.engine.events import Event, ReferenceClosed
from wgfo.engine.report import PathReport
from wgfo.model import Finding, GroupName, Layer, PathState, Severity, Verdict
from wgfo.plugin.manager import Registry

_REMEDIES: Final = MappingProxyType(
    {
        Layer.INTERFACE: "bring the interface up; `wgfo check` shows each layer",
        Layer.HANDSHAKE: "check keys, endpoint and firewall of the tunnel: `wg show` on both ends",
        Layer.DATAPLANE: "check that the far gateway forwards to the targets, and that their replies come back "
        "by this path; `wgfo check` shows each layer",
    }
)
REFERENCE_ROUNDS: Final = 3
_WITHIN_S: Final = 10.0


# --- paths ------------------------------------------------------------------------------------------------


async def path_findings(setup: Setup, clock: Clock) -> Scoped:
    """Return the paths that are not up, and the probes that do not run."""
    evidence = await gather(setup, clock)
    mend = "mend it: until then nothing is known through this probe"
    found = [
        ("probes", Finding(Severity.ERROR, "probe", text, mend)) for text in dict.fromkeys(evidence.problems)
    ]
    seen = {(group.name, view.name) for group in setup.groups for view in group.paths if view.visible}
    return found + [
        (f"path {report.name}/{path.name}", _path(path))
        for report in judge(setup, evidence, clock.wall_ns())
        for path in report.paths
        if (report.name, path.name) in seen and path.state is not PathState.UP
    ]


def _path(path: PathReport) -> Finding:
    """Judge by the lowest layer that is down: what stands on it cannot work."""
    low = next((layer for layer in Layer if path.layers[layer] is Verdict.DOWN), Layer.DATAPLANE)
    severity = Severity.ERROR if path.state is PathState.DOWN else Severity.WARNING
    return Finding(severity, str(path.name), f"it is {path.state} now: {path.reason}", _REMEDIES[low])


# --- the reference ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Heard:
    """The first good round, or three that were not."""

    alive: bool | None = None
    rounds: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, _group: GroupName, event: Event) -> None:
        if isinstance(event, ReferenceClosed):
            self.rounds += 1
            self.alive = event.alive
            if event.alive or self.rounds >= REFERENCE_ROUNDS:
                self.done.set()


async def reference_findings(setup: Setup, registry: Registry, clock: Clock) -> Scoped:
    """Return that no reference host answers: with all paths failing nothing would be decided then."""
    hosts, offer = setup.daemon.reference, reference_offer(registry.probes.values())
    if not hosts or not setup.groups:
        return []
    if offer is None:
        text = "no installed probe can ask them: isolation cannot be told"
        return [("reference", Finding(Severity.WARNING, "reference", text, "install a probe of kind icmp"))]
    problems: dict[str, None] = {}
    heard = _Heard()
    async with running() as spawn:
        unbound = Unbound(clock, heard, spawn, lambda text: problems.update({text: None}))
        one_group = [replace(setup.groups[0], services=())]
        unbound.configure(one_group, Reference(offer, offer.options_model(), hosts))
        await _until(heard.done)
        unbound.stop()
    return [("reference", one) for one in _reference(heard, hosts, problems)]


async def _until(done: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_WITHIN_S + REFERENCE_ROUNDS * REFERENCE_INTERVAL_US / 1_000_000):
            await done.wait()
    except TimeoutError:
        return


def _reference(heard: _Heard, hosts: tuple[str, ...], problems: dict[str, None]) -> Iterator[Finding]:
    for text in problems:
        yield Finding(Severity.ERROR, "probe", text, "mend it: until then isolation cannot be told")
    if heard.alive is not True and not problems:
        text = f"none of {', '.join(hosts)} answers: while that lasts, failing paths are taken for isolation"
        remedy = "name hosts that answer pings from here"
        yield Finding(Severity.WARNING, "reference", text, remedy)
