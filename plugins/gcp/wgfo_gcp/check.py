"""The preflight: what would keep these routes from working, and what to do about it. Reads only.

What cannot be looked at (rights are missing, the API does not answer) is a finding itself: the others go on.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from wgfo.model import Finding, Prefix, Severity
from wgfo.plugin import Permit
from wgfo_gcp.errors import GcpError
from wgfo_gcp.hops import HopKind, HopSpec
from wgfo_gcp.observe import Network, View, within
from wgfo_gcp.routes import DEAD, Route
from wgfo_gcp.sdk import Call, Compute, Session
from wgfo_gcp.slots import HIGH, LOW, Standing

T = TypeVar("T")
RUNNING: Final = "RUNNING"
ESTABLISHED: Final = "ESTABLISHED"
INTERNAL: Final = "INTERNAL"
QUOTA: Final = "ROUTES"
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Subject:
    """A network and what is wanted in it."""

    table: str
    prefixes: tuple[Prefix, ...]
    hops: frozenset[HopSpec]


class Preflight:
    """Looks at everything that these sets depend on."""

    def __init__(self, compute: Compute, views: Sequence[View], routes: Sequence[Route]) -> None:
        self._compute = compute
        self._views = views
        self._routes = routes
        self._found: list[Finding] = []

    async def findings(self, permit: Permit) -> Sequence[Finding]:
        """Return what was found, the worst first.

        Raises:
            Withdrawn: the permit lapsed.
        """
        subjects = list(_subjects(self._views))
        for subject in subjects:
            await self._network(subject, permit)
        await self._hops(subjects, permit)
        await self._subnets(subjects, permit)
        await self._quota(permit)
        await self._way_to_the_api(subjects, permit)
        self._standing_routes()
        order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
        return sorted(self._found, key=lambda one: order[one.severity])

    def _add(self, severity: Severity, subject: str, text: str, remedy: str) -> None:
        self._found.append(Finding(severity, subject, text, remedy))

    async def _ask(self, permit: Permit, subject: str, call: Call[T], missing: str = "") -> T | None:
        """Read one thing; what cannot be read is a finding (``missing``: the remedy where it is not there)."""
        try:
            return await self._compute.read(permit, call)
        except GcpError as error:
            self._unreadable(subject, error, missing)
            return None

    async def _pages(self, permit: Permit, subject: str, client: str, request: str) -> list[Any] | None:
        def ask(session: Session, token: str) -> Any:
            kind = getattr(session.api, request)
            return kind(project=session.project, max_results=_PAGE, page_token=token)

        try:
            return await self._compute.pages(permit, client, ask)
        except GcpError as error:
            self._unreadable(subject, error, "")
            return None

    def _unreadable(self, subject: str, error: GcpError, missing: str) -> None:
        if missing and error.answer.status == 404:  # noqa: PLR2004 - HTTP's
            self._add(Severity.ERROR, subject, f"{subject} does not exist", missing)
        else:
            text = error.explain("it could not be looked at")
            self._add(
                Severity.WARNING, subject, text, "`wgfo emit permissions` lists the rights for reading it"
            )

    # --- networks and next hops -----------------------------------------------------------------------------

    async def _network(self, subject: Subject, permit: Permit) -> None:
        def send(session: Session, timeout: float) -> Any:
            request = session.api.GetNetworkRequest(project=session.project, network=subject.table)
            return session.client("NetworksClient").get(request=request, retry=None, timeout=timeout)

        remedy = "correct tables, or project: for a Shared VPC it is the host project"
        await self._ask(permit, f"network {subject.table}", send, remedy)

    async def _hops(self, subjects: Sequence[Subject], permit: Permit) -> None:
        for hop, tables in _by_hop(subjects).items():
            if hop.kind is HopKind.INSTANCE:
                await self._instance(hop, tables, permit)
            elif hop.kind is HopKind.TUNNEL:
                await self._tunnel(hop, permit)
        hops = _by_hop(subjects)
        if any(hop.kind is HopKind.ADDRESS for hop in hops):
            await self._addresses(hops, permit)
        if any(hop.kind is HopKind.BALANCER for hop in hops):
            await self._balancers(hops, permit)

    async def _instance(self, hop: HopSpec, tables: Iterable[str], permit: Permit) -> None:
        def send(session: Session, timeout: float) -> Any:
            request = session.api.GetInstanceRequest(
                project=session.project, zone=hop.place, instance=hop.name
            )
            return session.client("InstancesClient").get(request=request, retry=None, timeout=timeout)

        found = await self._ask(permit, str(hop), send, "correct next_hop: it is instance:ZONE/NAME")
        if found is not None:
            self._judge_instance(str(hop), found, tables)

    def _judge_instance(self, subject: str, found: Any, tables: Iterable[str]) -> None:
        if not found.can_ip_forward:
            text = "it was created without canIpForward: Google drops what it would forward"
            remedy = "make the instance anew with --can-ip-forward, or point at an internal load balancer"
            self._add(Severity.ERROR, subject, text, remedy)
        if found.status != RUNNING:
            text = f"it is {found.status}, not {RUNNING}"
            self._add(Severity.ERROR, subject, text, f"gcloud compute instances start {found.name}")
        joined = {one.network.rpartition("/")[2] for one in found.network_interfaces}
        for table in sorted(set(tables) - joined):
            text = f"it has no interface in network {table}, only in {', '.join(sorted(joined)) or 'none'}"
            self._add(
                Severity.ERROR, subject, text, "correct next_hop: a next hop is in the route's own network"
            )

    async def _tunnel(self, hop: HopSpec, permit: Permit) -> None:
        def send(session: Session, timeout: float) -> Any:
            request = session.api.GetVpnTunnelRequest(
                project=session.project, region=hop.place, vpn_tunnel=hop.name
            )
            return session.client("VpnTunnelsClient").get(request=request, retry=None, timeout=timeout)

        found = await self._ask(permit, str(hop), send, "correct next_hop: it is vpn-tunnel:REGION/NAME")
        if found is not None and found.status != ESTABLISHED:
            text = f"it is {found.status}: {found.detailed_status or 'no details'}"
            self._add(Severity.WARNING, str(hop), text, f"gcloud compute vpn-tunnels describe {hop.name}")

    async def _addresses(self, hops: dict[HopSpec, set[str]], permit: Permit) -> None:
        pages = await self._pages(permit, "instances", "InstancesClient", "AggregatedListInstancesRequest")
        if pages is None:
            return
        holders = {
            (interface.network.rpartition("/")[2], interface.network_i_p): found
            for page in pages
            for scoped in page.items.values()
            for found in scoped.instances
            for interface in found.network_interfaces
        }
        for hop, tables in hops.items():
            for table in sorted(tables) if hop.kind is HopKind.ADDRESS else ():
                holder = holders.get((table, hop.name))
                if holder is None:
                    text = f"no instance of network {table} has this as its primary internal address"
                    self._add(Severity.ERROR, str(hop), text, "correct next_hop, or start the instance")
                else:
                    self._judge_instance(f"{hop} ({holder.name})", holder, (table,))

    async def _balancers(self, hops: dict[HopSpec, set[str]], permit: Permit) -> None:
        subject = "forwarding rules"
        pages = await self._pages(
            permit, subject, "ForwardingRulesClient", "AggregatedListForwardingRulesRequest"
        )
        if pages is None:
            return
        rules = [rule for page in pages for scoped in page.items.values() for rule in scoped.forwarding_rules]
        for hop in (hop for hop in hops if hop.kind is HopKind.BALANCER):
            named = [rule for rule in rules if hop.name in {rule.name, rule.I_p_address}]
            fits = [rule for rule in named if hop.place in {"", rule.region.rpartition("/")[2]}]
            if not fits:
                text = "no forwarding rule of the project has this name or address"
                self._add(Severity.ERROR, str(hop), text, "correct next_hop, or create the load balancer")
            elif fits[0].load_balancing_scheme != INTERNAL:
                text = f"its scheme is {fits[0].load_balancing_scheme}; only {INTERNAL} can be a next hop"
                self._add(Severity.ERROR, str(hop), text, "use an internal passthrough load balancer")

    # --- what surrounds them --------------------------------------------------------------------------------

    async def _subnets(self, subjects: Sequence[Subject], permit: Permit) -> None:
        pages = await self._pages(permit, "subnets", "SubnetworksClient", "AggregatedListSubnetworksRequest")
        subnets = [
            one for page in pages or () for scoped in page.items.values() for one in scoped.subnetworks
        ]
        for subject in subjects:
            for subnet in subnets:
                if subnet.network.rpartition("/")[2] == subject.table:
                    self._judge_subnet(subject, subnet)

    def _judge_subnet(self, subject: Subject, subnet: Any) -> None:
        ranges = [subnet.ip_cidr_range, *(one.ip_cidr_range for one in subnet.secondary_ip_ranges)]
        for prefix in subject.prefixes:
            for taken in filter(None, ranges):
                if _inside(prefix, taken):
                    text = (
                        f"it lies in {taken} of subnet {subnet.name}: Google refuses routes inside a subnet"
                    )
                    self._add(
                        Severity.ERROR, f"{subject.table} {prefix}", text, "take the prefix out of prefixes"
                    )

    async def _quota(self, permit: Permit) -> None:
        def send(session: Session, timeout: float) -> Any:
            request = session.api.GetProjectRequest(project=session.project)
            return session.client("ProjectsClient").get(request=request, retry=None, timeout=timeout)

        found = await self._ask(permit, f"project {self._compute.project}", send)
        for quota in found.quotas if found is not None else ():
            wanted = sum(len(view.route_set.prefixes) for view in self._views)
            free = int(quota.limit - quota.usage)
            if quota.metric == QUOTA and free < wanted:
                text = f"{free} more routes are allowed; switching {wanted} destinations takes as many for a moment"
                self._add(
                    Severity.ERROR if not free else Severity.WARNING,
                    f"quota {QUOTA}",
                    text,
                    "ask for a higher quota, or delete unused routes",
                )

    async def _way_to_the_api(self, subjects: Sequence[Subject], permit: Permit) -> None:
        host = urlsplit(self._compute.endpoint).hostname or ""
        try:
            addresses = await self._compute.look_up(permit, lambda: _resolve(host))
        except (GcpError, TimeoutError):
            text = f"{host} does not resolve here"
            self._add(Severity.ERROR, host, text, "correct this host's DNS, or endpoint_url")
            return
        for prefix in sorted({prefix for subject in subjects for prefix in subject.prefixes}):
            inside = [address for address in addresses if _inside(address, prefix)]
            if inside and ipaddress.ip_network(prefix).prefixlen:
                text = f"{host} is {inside[0]} here, inside the managed prefix {prefix}"
                remedy = (
                    "reach the API by another way: when a path fails, so would every request to repair it"
                )
                self._add(Severity.ERROR, host, text, remedy)

    # --- what stands ----------------------------------------------------------------------------------------

    def _standing_routes(self) -> None:
        for view in self._views:
            network = Network(route for route in self._routes if route.table == view.route_set.table)
            for prefix in view.route_set.prefixes:
                self._judge(network.standing(view, prefix))
        self._orphans()

    def _judge(self, standing: Standing) -> None:
        subject = f"{standing.key.table} {standing.key.prefix}"
        for slot in (LOW, HIGH):
            taken = standing.taken(slot)
            if taken is not None:
                text = f"{taken} stands in our slot of priority {standing.base + slot}"
                self._add(Severity.WARNING, subject, text, "delete it, or set another priority")
        for route in standing.shadows:
            text = f"{route} wins over our priority {standing.base}"
            self._add(
                Severity.WARNING, subject, text, f"delete it, or set priority below {max(route.priority, 1)}"
            )
        for route in standing.carrying:
            for code in route.dead:
                text = f"{route} drops what takes it: {DEAD[code]} ({code})"
                self._add(Severity.ERROR, subject, text, "mend the next hop, or switch to another path")

    def _orphans(self) -> None:
        wanted = {
            (view.route_set.table, prefix) for view in self._views for prefix in view.route_set.prefixes
        }
        tables = {table for table, _ in wanted}
        for route in self._routes:
            if route.ours and route.table in tables and (route.table, route.prefix) not in wanted:
                text = f"{route} was written for group {route.group!r}, which no configuration here names"
                remedy = f"if no other wgfo process has it: gcloud compute routes delete {route.name}"
                self._add(Severity.INFO, f"{route.table} {route.prefix}", text, remedy)


def _subjects(views: Sequence[View]) -> Iterator[Subject]:
    for table in dict.fromkeys(view.route_set.table for view in views):
        mine = [view for view in views if view.route_set.table == table]
        prefixes = tuple(prefix for view in mine for prefix in view.route_set.prefixes)
        yield Subject(table, prefixes, frozenset(hop for view in mine for hop in view.candidates.values()))


def _by_hop(subjects: Sequence[Subject]) -> dict[HopSpec, set[str]]:
    found: dict[HopSpec, set[str]] = {}
    for subject in subjects:
        for hop in sorted(subject.hops, key=str):
            found.setdefault(hop, set()).add(subject.table)
    return found


def _inside(inner: str, outer: str) -> bool:
    return within(ipaddress.ip_network(inner, strict=False), ipaddress.ip_network(outer, strict=False))


def _resolve(host: str) -> list[str]:
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)})
