"""Pointing a set at a hop: what to write is decided from a fresh read, then sent one route after the other.

Azure carries out one write of a table at a time, so ``parallel_writes`` is 1. Every write is a PUT of a single
route, which replaces it in place: the prefix is never without a route. It names the etag that was read
(``If-Match``), or that there is none (``If-None-Match: *``), so that a write which lands late cannot undo a
newer one. An operation is followed to its end before the next write is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from wgfo.model import FailureKind, Foreign, Prefix, SetChange, SetOutcome, WriteFailure
from wgfo.plugin import Permit, ProviderError, Withdrawn
from wgfo_azure.config import HopSpec, read_hop
from wgfo_azure.routes import Route, Table, as_network, in_place, meaning, token
from wgfo_azure.writer import NotTaken, Writer

_IPV6: Final = 6


@dataclass(frozen=True, slots=True)
class Write:
    """One destination to be written, and the route that stands there."""

    prefix: Prefix
    standing: Route | None


@dataclass(slots=True)
class Plan:
    """What one ``point`` has to do, and how it went so far."""

    writes: list[Write] = field(default_factory=list)
    written: int = 0
    unchanged: int = 0
    not_attempted: int = 0
    failures: list[WriteFailure] = field(default_factory=list)

    def outcome(self, change: SetChange) -> SetOutcome:
        """Sum it up."""
        return SetOutcome(
            change.route_set.id, self.written, self.unchanged, tuple(self.failures), self.not_attempted
        )


def fenced(change: SetChange, table: Table) -> SetOutcome | None:
    """Return a conflict where the set is no longer what was observed."""
    route_set, observed = change.route_set, change.observed
    if observed is None or observed.token is None or observed.token == token(route_set, table):
        return None
    text = f"table {table.ref}: the routes are no longer what was observed; they are observed again"
    failure = WriteFailure(FailureKind.CONFLICT, text)
    return SetOutcome(route_set.id, 0, failures=(failure,), not_attempted=len(route_set.prefixes))


def plan(change: SetChange, table: Table, writer: Writer) -> Plan:
    """Compare what stands with what is wanted."""
    made, hop = Plan(), read_hop(change.hop)
    for prefix in change.route_set.prefixes:
        standing = table.by_prefix.get(prefix)
        problem = _problem(change, table, hop, prefix, standing)
        if problem is not None:
            made.failures.append(problem)
        elif standing is not None and in_place(standing, hop) and not writer.may_be_undone(standing):
            made.unchanged += 1
        else:
            made.writes.append(Write(prefix, standing))
    return made


def _problem(
    change: SetChange, table: Table, hop: HopSpec, prefix: Prefix, standing: Route | None
) -> WriteFailure | None:
    """Say why this destination must not or cannot be written."""
    route_set = change.route_set
    observed = meaning(route_set, standing)
    if isinstance(observed, Foreign) and not (change.owned or route_set.adopt):
        return WriteFailure(
            FailureKind.FOREIGN,
            f"table {table.ref}: {prefix} has a route of others ({observed.text}); delete it, or take it over "
            f"with `wgfo adopt {route_set.group}` or adopt = true",
            prefix,
        )
    network, gateway = as_network(prefix), as_network(hop.address)
    if network is not None and gateway is not None and network.version != gateway.version:
        return WriteFailure(
            FailureKind.UNSUPPORTED,
            f"table {table.ref}: {prefix} and the appliance {hop.address} are of different IP versions; give "
            f"{'IPv6' if network.version == _IPV6 else 'IPv4'} prefixes a [[group.route]] of their own",
            prefix,
        )
    return None


async def carry_out(made: Plan, change: SetChange, writer: Writer, permit: Permit) -> SetOutcome:
    """Write one route after the other, as long as anything may be sent."""
    hop = read_hop(change.hop)
    for number, one in enumerate(made.writes):
        try:
            written = await writer.write(one.prefix, one.standing, hop, permit)
        except NotTaken as stop:
            made.failures.append(_of_all(stop.error))
            made.not_attempted = len(made.writes) - number
            break
        except Withdrawn as gone:
            made.failures.append(_of_all(gone))
            made.not_attempted = len(made.writes) - number
            break
        except ProviderError as error:
            made.failures.append(_failure(error, one.prefix))
            if error.kind is FailureKind.UNKNOWN:
                made.not_attempted = len(made.writes) - number - 1
                break
        else:
            made.written += written
            made.unchanged += not written
    return made.outcome(change)


def _of_all(error: ProviderError) -> WriteFailure:
    return _failure(error)


def _failure(error: ProviderError, prefix: Prefix | None = None) -> WriteFailure:
    return WriteFailure(error.kind, str(error), prefix, error.retry_after_ms, error.busy)
