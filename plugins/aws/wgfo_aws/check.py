"""Preflight: what would keep these routes from working, and the remedy. Reads, and DryRun requests.

Each look stands alone: one that is refused becomes a finding, and the others go on. A DryRun is sent so that it
would change nothing even where it were ignored, as emulators do: ReplaceRoute with the target that stands already,
or for a route that is not there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.model import Finding, Foreign, Health, Hop, PathView, Prefix, RouteSet, Severity, TableName
from wgfo.plugin import Permit, ProviderError, Withdrawn
from wgfo_aws.check_targets import Interface, Target, interfaces, judged
from wgfo_aws.config import AwsOptions, is_list, is_loopback
from wgfo_aws.errors import DRY_RUN, AwsError
from wgfo_aws.lists import entries
from wgfo_aws.observe import read_set
from wgfo_aws.point import CREATE, REPLACE, parameters
from wgfo_aws.sdk import Ec2
from wgfo_aws.tables import Network, Table, network, read_tables
from wgfo_aws.targets import INTERFACE, kind_of

Look = Callable[[], AsyncIterator[Finding]]
_GRANT: Final = "`wgfo emit permissions` writes the policy for these tables"
_ACTIONS: Final = {REPLACE: "ec2:ReplaceRoute", CREATE: "ec2:CreateRoute"}


@dataclass(frozen=True, slots=True)
class Preflight:
    """One run over sets of one instance."""

    ec2: Ec2
    options: AwsOptions
    sets: Sequence[RouteSet]
    paths: Sequence[PathView]
    configured: Mapping[TableName, Collection[str]]
    permit: Permit

    async def findings(self) -> list[Finding]:
        """Return everything that was found.

        Raises:
            Withdrawn: the permit lapsed.
        """
        try:
            tables = await read_tables(self.ec2, (one.table for one in self.sets), self.permit)
        except Withdrawn:
            raise
        except ProviderError as error:
            return [Finding(Severity.ERROR, "EC2", str(error), _GRANT)]
        found = [*self._missing(tables), *self._unused(tables), *self._families(), *self._routes(tables)]
        for look in self._looks(tables):
            found += await self._guarded(look)
        return found

    def _looks(self, tables: Mapping[str, Table]) -> Iterator[Look]:
        yield lambda: self._rights(tables)
        yield lambda: self._targets(tables)
        yield lambda: self._lists(tables)
        yield self._endpoint

    async def _guarded(self, look: Look) -> list[Finding]:
        try:
            return [finding async for finding in look()]
        except Withdrawn:
            raise
        except ProviderError as error:
            return [Finding(Severity.WARNING, "preflight", f"could not look: {error}", _GRANT)]

    # --- what the configuration and the tables say ----------------------------------------------------------

    def _missing(self, tables: Mapping[str, Table]) -> Iterator[Finding]:
        for name in dict.fromkeys(one.table for one in self.sets):
            if name not in tables:
                text = f"there is no route table {name} in {self.ec2.region} for these credentials"
                yield Finding(Severity.ERROR, name, text, "correct tables, region, profile or role_arn")

    def _unused(self, tables: Mapping[str, Table]) -> Iterator[Finding]:
        for name, table in tables.items():
            if not table.associated:
                text = "no subnet and no gateway uses this table: its routes carry nothing"
                remedy = (
                    f"associate it: `aws ec2 associate-route-table --route-table-id {name} --subnet-id …`"
                )
                yield Finding(Severity.WARNING, name, text, remedy)

    def _families(self) -> Iterator[Finding]:
        """Targets that carry one version of IP only."""
        for one in self.sets:
            for hop in one.hops.values():
                kind = kind_of(hop)
                wrong = [
                    prefix for prefix in one.prefixes if not _fits(prefix, ipv4=kind.ipv4, ipv6=kind.ipv6)
                ]
                if wrong:
                    text = f"{hop}: a route for {wrong[0]} cannot point at this {kind.words}"
                    remedy = "give IPv4 and IPv6 prefixes a [[group.route]] each, with hops that carry them"
                    yield Finding(Severity.ERROR, one.table, text, remedy)

    def _routes(self, tables: Mapping[str, Table]) -> Iterator[Finding]:
        for one in self.sets:
            if one.table in tables:
                yield from self._set(one, tables[one.table])

    def _set(self, one: RouteSet, table: Table) -> Iterator[Finding]:
        seen = read_set(one, table, self.configured[one.table])
        if seen.health is Health.BLACKHOLE:
            text = f"{seen.text}: the target of a route of group {one.group} is gone or stopped"
            yield Finding(Severity.WARNING, one.table, text, "start it, or attach the interface again")
        for shadow in seen.shadows:
            text = f"{shadow}: this route wins over ours"
            yield Finding(Severity.WARNING, one.table, text, "delete it, or add its prefix to the group's")
        foreign = next(
            (
                each
                for each in (seen.majority, *(x.observed for x in seen.exceptions))
                if isinstance(each, Foreign)
            ),
            None,
        )
        if foreign is not None and not one.adopt:
            text = f"a prefix of group {one.group} has a route of others ({foreign.text})"
            yield Finding(
                Severity.WARNING, one.table, text, f"`wgfo adopt {one.group}`, or delete that route"
            )

    # --- rights ---------------------------------------------------------------------------------------------

    async def _rights(self, tables: Mapping[str, Table]) -> AsyncIterator[Finding]:
        for one in self.sets:
            if one.table in tables:
                for operation, prefix, hop in self._asked(one, tables[one.table]):
                    error = await self.ec2.dry_run(self.permit, operation, parameters(one.table, prefix, hop))
                    if error is not None and error.code != DRY_RUN:
                        finding = _refused(one, _ACTIONS[operation], error)
                        if finding is not None:
                            yield finding

    def _asked(self, one: RouteSet, table: Table) -> Iterator[tuple[str, Prefix, Hop]]:
        """Return at most one request of each kind; creating is asked only where DryRun is to be relied on."""
        standing = {prefix: table.carrying.get(prefix) for prefix in one.prefixes}
        hops = {hop: hop for hop in one.hops.values()}
        for prefix, route in standing.items():
            own = (
                next((hops[Hop(target)] for target in route.targets.values() if target in hops), None)
                if route
                else None
            )
            if own is not None or route is None:
                yield REPLACE, prefix, own or next(iter(hops))
                break
        absent = next((prefix for prefix, route in standing.items() if route is None), None)
        if absent is not None and not self.options.emulated:
            yield CREATE, absent, next(iter(hops))

    # --- targets --------------------------------------------------------------------------------------------

    async def _targets(self, tables: Mapping[str, Table]) -> AsyncIterator[Finding]:
        hops = {hop for one in self.sets for hop in one.hops.values()}
        found = await interfaces(self.ec2, hops, self.permit)
        for hop in sorted(hops):
            vpcs = {
                tables[one.table].vpc for one in self.sets if hop in one.hops.values() and one.table in tables
            }
            for finding in judged(Target(hop, found.get(hop), frozenset(vpcs))):
                yield finding
        for finding in self._same(found):
            yield finding

    def _same(self, found: Mapping[str, Interface | None]) -> Iterator[Finding]:
        """An interface and its own instance as hops of two paths: no route tells them apart."""
        for one in self.sets:
            interfaces_here = {hop for hop in one.hops.values() if kind_of(hop).parameter == INTERFACE}
            for hop in one.hops.values():
                known = found.get(hop)
                if hop not in interfaces_here and known is not None and known.id in interfaces_here:
                    text = f"{hop} and {known.id} are one and the same: no route tells these paths apart"
                    yield Finding(Severity.ERROR, one.table, text, "give each path an instance of its own")

    # --- prefix lists ---------------------------------------------------------------------------------------

    async def _lists(self, tables: Mapping[str, Table]) -> AsyncIterator[Finding]:
        for name in sorted({prefix for one in self.sets for prefix in one.prefixes if is_list(prefix)}):
            try:
                inside = await entries(self.ec2, name, self.permit)
            except Withdrawn:
                raise
            except ProviderError as error:
                yield Finding(Severity.ERROR, name, str(error), "correct the list's id, or have it shared")
                continue
            for finding in (*self._peers(name, inside), *self._wins_over(name, inside, tables)):
                yield finding

    def _peers(self, name: str, inside: Sequence[Network]) -> Iterator[Finding]:
        """The core cannot look into a list: a tunnel's far end in it would be routed into the tunnels."""
        for view in self.paths:
            if view.peer and _covered(view.peer, inside):
                whose = f"{view.peer}, the peer of path {view.name} of group {view.group}"
                text = f"{whose}, is in {name}: its own probes would be switched"
                yield Finding(Severity.ERROR, name, text, "take the tunnels' networks out of the list")

    def _wins_over(
        self, name: str, inside: Sequence[Network], tables: Mapping[str, Table]
    ) -> Iterator[Finding]:
        """Of equal length a static route wins over a list's, and a longer one always."""
        for one in self.sets:
            for route in tables[one.table].routes if one.table in tables and name in one.prefixes else ():
                place = route.network
                if place is None or route.local or route.destination in self.configured[one.table]:
                    continue
                if any(place.version == each.version and place.subnet_of(each) for each in inside):  # type: ignore[arg-type]
                    text = f"{route.destination} → {route} wins over the same network in {name}"
                    yield Finding(
                        Severity.WARNING, one.table, text, "delete that route, or leave it on purpose"
                    )

    # --- the API itself -------------------------------------------------------------------------------------

    async def _endpoint(self) -> AsyncIterator[Finding]:
        """A failover that must reach the API through the failed path cannot happen."""
        host, addresses = await self.ec2.endpoint_addresses(self.permit)
        if is_loopback(host):
            return
        if not addresses:
            text = f"the name of the EC2 endpoint, {host}, does not resolve here"
            yield Finding(Severity.WARNING, host, text, "check this host's resolver and endpoint_url")
        managed = [found for one in self.sets for prefix in one.prefixes if (found := network(prefix))]
        caught = next(
            ((one, found) for one in addresses for found in managed if _covered(one, [found])), None
        )
        if caught is not None:
            text = f"the EC2 endpoint {host} ({caught[0]}) is inside the managed prefix {caught[1]}"
            yield Finding(
                Severity.WARNING,
                host,
                f"{text}: if this host follows these tables, the API is out of reach when the path fails",
                "use an EC2 interface endpoint in this VPC (private DNS or endpoint_url), or another table",
            )


def _fits(prefix: str, *, ipv4: bool, ipv6: bool) -> bool:
    return is_list(prefix) or (ipv6 if ":" in prefix else ipv4)


def _covered(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(found in one for one in networks)


def _refused(one: RouteSet, action: str, error: AwsError) -> Finding | None:
    """Return what a DryRun's refusal means; a parameter that EC2 dislikes was read after the right was found."""
    if error.no_such_route or error.exists_already:
        return None
    told = error.as_provider_error(f"table {one.table}: asking for the right to {action}")
    severity = Severity.ERROR if error.answered else Severity.WARNING
    return Finding(severity, one.table, str(told), error.meaning.advice)
