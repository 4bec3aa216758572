"""Routes of VPC networks as a route provider: one instance, one project.

    open     the SDK, the credentials, the routes once, operations that an earlier process began
    observe  one list of the project's routes, summed up by observe.py
    point    the same list, then point.py and writer.py
    check    check.py

A route cannot be changed on Google: slots.py says how two slots for each destination make a switch without a gap.
Writes are accepted first and carried out later; "done" means that the operation is. In force everywhere is later
still ("eventually consistent"): ``settle`` in the group's profile covers that. Nothing is retried, and nothing read
is kept but the addresses of load balancers.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final

from wgfo.model import (
    Changed,
    Finding,
    Prefix,
    RouteSet,
    RouteSetId,
    SetChange,
    SetObservation,
    SetOutcome,
    TableName,
)
from wgfo.plugin import Capabilities, Permit, ProviderContext, RequestRates
from wgfo_gcp.check import Preflight
from wgfo_gcp.config import GcpOptions
from wgfo_gcp.errors import GcpError
from wgfo_gcp.hops import Balancer, Balancers, HopKind, read_hop
from wgfo_gcp.observe import Network, View, read_set, view_of
from wgfo_gcp.point import Doubts, carry_out, prepare
from wgfo_gcp.routes import Route, from_api
from wgfo_gcp.sdk import Compute, Session
from wgfo_gcp.writer import Writer

TABLES: Final = 4
WRITES: Final = 16
VISIBILITY_MS: Final = 5_000
LATE_WRITE_MS: Final = 30_000
"""An operation on a route takes seconds; those of a busy peering group take up to half a minute."""
RATES: Final = RequestRates(writes_per_s=12, write_burst=600, reads_per_s=12, read_burst=600)
"""Google allows 1500 of each a minute and project, refilled at whole minutes; an eighth is left to others."""
_PAGE: Final = 500


class GcpProvider:
    """Routes in the VPC networks of one project."""

    def __init__(self, options: GcpOptions) -> None:
        self._options = options
        self._balancers = Balancers()
        self._compute = Compute(options, threads=TABLES * WRITES + TABLES)
        self._writer = Writer(self._compute, self._balancers)
        self._configured: dict[RouteSetId, RouteSet] = {}

    @property
    def capabilities(self) -> Capabilities:
        """Several destinations at once, make before break, seen within seconds."""
        return Capabilities(
            parallel_tables=TABLES,
            parallel_writes=WRITES,
            visibility_ms=VISIBILITY_MS,
            late_write_ms=LATE_WRITE_MS,
            replaces=False,
            rates=RATES,
        )

    async def open(self, context: ProviderContext) -> None:
        """Import the SDK, find the credentials, read once, and look for what an earlier process left running.

        Raises:
            Denied: there are no credentials, or they may not list routes.
            NotFound: the project or a load balancer does not exist.
            Transient: whoever gives the credentials does not answer, or the API does not.
        """
        try:
            await self._open(context)
        except BaseException:
            await self.aclose()
            raise

    async def _open(self, context: ProviderContext) -> None:
        with _translated("opening Google Cloud"):
            await self._compute.open(context.permit)
            await self._list(context.permit)
            await self._writer.find_running(context.permit)
            await self._learn(context.sets, context.permit)

    async def aclose(self) -> None:
        """Close the connections; every route stays as it is."""
        await self._compute.aclose()

    async def check(self, sets: Sequence[RouteSet], permit: Permit) -> Sequence[Finding]:
        """Look for what would keep these routes from working."""
        with _translated("checking Google Cloud"):
            await self._learn(sets, permit)
            routes = await self._list(permit)
        views = [self._view(route_set) for route_set in sets]
        return await Preflight(self._compute, views, routes).findings(permit)

    async def observe(self, sets: Sequence[RouteSet], permit: Permit) -> Mapping[RouteSetId, SetObservation]:
        """Read the sets: the project's routes once, whatever the number of sets.

        Raises:
            NotFound: a network does not exist.
        """
        with _translated("reading routes"):
            await self._learn(sets, permit)
            routes = await self._list(permit)
            networks = {table: await self._network(routes, table, permit) for table in _tables(sets)}
        doomed = self._writer.doomed(routes)
        return {
            route_set.id: read_set(
                self._view(route_set), networks[route_set.table], doomed, self._configured_in(route_set.table)
            )
            for route_set in sets
        }

    async def point(self, change: SetChange, permit: Permit) -> SetOutcome:
        """Settle what is under way, read the routes, then write what differs.

        Raises:
            NotFound: the network, or the load balancer that is the next hop, does not exist.
        """
        route_set = change.route_set
        with _translated(f"network {route_set.table}"):
            await self._learn((route_set,), permit)
            await self._writer.settle(route_set.table, permit)
            routes = await self._list(permit)
            network = await self._network(routes, route_set.table, permit)
        mine = tuple(route for route in routes if route.table == route_set.table)
        doubts = Doubts(self._writer.doomed(mine), self._writer.stale(mine))
        work = prepare(self._view(route_set), network, doubts, change)
        return await carry_out(work, self._writer, permit, WRITES)

    async def watch(self, sets: Sequence[RouteSet]) -> AsyncIterator[Changed]:
        """Yield nothing: Google tells of changes in its audit log only, minutes later (``watches`` is false)."""
        for route_set in sets[:0]:
            yield Changed(route_set.id)

    # --- reading --------------------------------------------------------------------------------------------

    def _view(self, route_set: RouteSet) -> View:
        return view_of(route_set, self._options, self._balancers)

    def _configured_in(self, table: TableName) -> frozenset[Prefix]:
        mine = [one for one in self._configured.values() if one.table == table]
        return frozenset(prefix for one in mine for prefix in one.prefixes)

    async def _list(self, permit: Permit) -> tuple[Route, ...]:
        def request(session: Session, token: str) -> Any:
            return session.api.ListRoutesRequest(project=session.project, max_results=_PAGE, page_token=token)

        pages = await self._compute.pages(permit, "RoutesClient", request)
        project = self._compute.project
        routes = tuple(from_api(found, project) for page in pages for found in page.items)
        self._writer.learn(routes)
        return routes

    async def _network(self, routes: Sequence[Route], table: TableName, permit: Permit) -> Network:
        """A network without any route may not be there at all: then, and only then, it is asked for."""
        mine = [route for route in routes if route.table == table]
        if not mine:
            await self._ask_for_network(table, permit)
        return Network(mine)

    async def _ask_for_network(self, table: TableName, permit: Permit) -> None:
        def send(session: Session, timeout: float) -> None:
            request = session.api.GetNetworkRequest(project=session.project, network=table)
            session.client("NetworksClient").get(request=request, retry=None, timeout=timeout)

        await self._compute.read(permit, send)

    # --- load balancers -------------------------------------------------------------------------------------

    async def _learn(self, sets: Sequence[RouteSet], permit: Permit) -> None:
        """Remember the sets, and look up the load balancers that they name."""
        self._configured |= {route_set.id: route_set for route_set in sets}
        hops = {read_hop(hop) for route_set in sets for hop in route_set.hops.values()}
        unknown = {
            hop.name
            for hop in hops
            if hop.kind is HopKind.BALANCER and not hop.is_address and hop.name not in self._balancers.by_name
        }
        if unknown:
            await self._find_balancers(unknown, permit)

    async def _find_balancers(self, names: set[str], permit: Permit) -> None:
        def request(session: Session, token: str) -> Any:
            return session.api.AggregatedListForwardingRulesRequest(
                project=session.project, max_results=_PAGE, page_token=token
            )

        for page in await self._compute.pages(permit, "ForwardingRulesClient", request):
            for scoped in page.items.values():
                for rule in scoped.forwarding_rules:
                    if rule.name in names:
                        region = rule.region.rpartition("/")[2]
                        self._balancers.by_name[rule.name] = Balancer(region, rule.I_p_address)


def _tables(sets: Sequence[RouteSet]) -> list[TableName]:
    return list(dict.fromkeys(route_set.table for route_set in sets))


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    """Let no error of this package out (rule 10)."""
    try:
        yield
    except GcpError as error:
        raise error.as_provider_error(what) from None
