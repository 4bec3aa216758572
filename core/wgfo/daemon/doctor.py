"""What would keep a failover from working: hosts, topology, rights. Everything is read and nothing is changed.

All looks run at once, each bounded: one that fails or hangs is a finding itself and hides none of the others.

    configuration   doctor_topology.py   what the numbers and the paths leave unproven
    host            doctor_host.py       places on this machine: directories, groups, files with secrets
    provider NAME   doctor_providers.py  the provider's own preflight: rights, next hops, tables
    path GROUP/NAME doctor_paths.py      a few real packets through every path, as ``wgfo check`` sends them
    reference       doctor_paths.py      the same towards the reference hosts
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.config.load import Document
from wgfo.config.setup import Setup
from wgfo.daemon.clock import Clock
from wgfo.daemon.doctor_host import host_findings
from wgfo.daemon.doctor_paths import path_findings, reference_findings
from wgfo.daemon.doctor_providers import provider_findings
from wgfo.daemon.doctor_topology import plugin_findings, topology_findings
from wgfo.model import Finding, Severity
from wgfo.plugin.manager import Registry

WORST_FIRST: Final = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """A finding, and whose it is: ``host``, ``provider aws``, ``path cloud/primary``."""

    scope: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined."""

    setup: Setup
    document: Document
    registry: Registry


async def diagnose(patient: Patient, clock: Clock) -> tuple[Diagnosed, ...]:
    """Return everything that was found, the worst first; takes some seconds."""
    setup = patient.setup
    looks = [
        _at_once("plugins", plugin_findings(patient.registry)),
        *(_at_once(scope, found) for scope, found in topology_findings(setup, patient.document)),
        _at_once("host", await asyncio.to_thread(host_findings, setup, clock)),
    ]
    running = [
        *(provider_findings(setup, provider, clock) for provider in setup.providers),
        path_findings(setup, clock),
        reference_findings(setup, patient.registry, clock),
    ]
    for found in await asyncio.gather(*running):
        looks += [_at_once(scope, [finding]) for scope, finding in found]
    return worst_first(one for look in looks for one in look)


def worst_first(found: Iterable[Diagnosed]) -> tuple[Diagnosed, ...]:
    """Return findings by severity; of one severity in the order in which they were looked for."""
    return tuple(sorted(found, key=lambda one: WORST_FIRST.index(one.finding.severity)))


def is_well(found: Sequence[Diagnosed]) -> bool:
    """Whether there is nothing to do: a note asks for nothing."""
    return all(one.finding.severity is Severity.INFO for one in found)


def _at_once(scope: str, found: Sequence[Finding]) -> list[Diagnosed]:
    return [Diagnosed(scope, one) for one in found]
