"""Each provider's own preflight: opened read-only, asked, closed; what it cannot say is a finding too."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from wgfo.config.setup import ProviderSetup, Setup
from wgfo.daemon.budget import Priority
from wgfo.daemon.clock import Clock
from wgfo.daemon.guard import patiently, redact, say
from wgfo.daemon.instances import GRACE_US, Accounts, Instance, Opener, OpenFailed
from wgfo.daemon.permit import CallPermit
from wgfo.model import FailureKind, Finding, RouteSet, Severity
from wgfo.plugin import ProviderError

Scoped = list[tuple[str, Finding]]
CHECK_US: Final = 60_000_000
"""A preflight reads more than a switch does: interfaces, instances, quotas."""
_REMEDIES: Final = MappingProxyType(
    {
        FailureKind.DENIED: "grant the rights that `wgfo emit permissions --provider {name}` prints, or correct "
        "the credentials",
        FailureKind.NOT_FOUND: "correct [provider.{name}] or the tables of its routes",
        FailureKind.UNSUPPORTED: "install what it needs, or remove [provider.{name}]",
    }
)
_OTHERWISE: Final = "see that the platform's API can be reached from here without the paths that may fail"


def _read_only() -> str:
    return "doctor changes nothing"


async def provider_findings(setup: Setup, provider: ProviderSetup, clock: Clock) -> Scoped:
    """Return what one provider finds."""
    scope = f"provider {provider.name}"
    opener = Opener(clock, Accounts(clock), read_only=True)
    try:
        instance = await opener.open(provider, setup)
    except OpenFailed as error:
        return [(scope, _failed(provider, str(error), error.__cause__))]
    try:
        return [(scope, finding) for finding in await _checked(instance, setup, clock)]
    finally:
        await opener.close(instance)


async def _checked(instance: Instance, setup: Setup, clock: Clock) -> list[Finding]:
    sets = [one for group in setup.groups for one in group.sets if one.provider == instance.name]
    permit = CallPermit(
        instance.budget,
        clock,
        deadline_us=clock.monotonic_us() + CHECK_US,
        priority=Priority.RECONCILE,
        veto=_read_only,
    )
    try:
        found = await patiently(_check(instance, sets, permit), CHECK_US, GRACE_US)
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        return [
            _failed(instance.setup, f"provider {instance.name}: its preflight failed: {say(error)}", error)
        ]
    return [Finding(one.severity, redact(one.subject), redact(one.text), redact(one.remedy)) for one in found]


async def _check(instance: Instance, sets: Sequence[RouteSet], permit: CallPermit) -> list[Finding]:
    return list(await instance.provider.check(sets, permit))


def _failed(provider: ProviderSetup, text: str, error: BaseException | None) -> Finding:
    remedy = _REMEDIES.get(error.kind, _OTHERWISE) if isinstance(error, ProviderError) else _OTHERWISE
    return Finding(Severity.ERROR, str(provider.name), text, remedy.format(name=provider.name))
