"""Route tables as EC2 describes them: one request for all tables of an instance, page by page.

They are asked for by a filter and not by ``RouteTableIds``: that is the request which EC2 pages and allows most
often, and one table that is missing does not hide the others. Answers are turned into values in the thread that
got them.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wgfo.model import TableName
from wgfo.plugin import NotFound, Permit, Transient
from wgfo_aws.sdk import Answer, Ec2
from wgfo_aws.targets import FIELDS, GATEWAY, LOCAL

PAGE: Final = 100
"""Tables a page; EC2's greatest."""
NAMES: Final = 200
"""Values of one filter; EC2's greatest."""
MOST_PAGES: Final = 100
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_STATIC: Final = frozenset({"CreateRoute", "CreateRouteTable"})
_GONE: Final = frozenset({"disassociating", "disassociated", "failed"})
_ORIGINS: Final = {"EnableVgwRoutePropagation": "propagated", "Advertisement": "from a VPC Route Server"}


@dataclass(frozen=True, slots=True)
class Route:
    """One route of a table."""

    destination: str
    """Canonical: a network or the id of a prefix list."""
    targets: Mapping[str, str]
    """The fields that name its target, the most exact first."""
    blackhole: bool = False
    origin: str = "CreateRoute"

    @property
    def static(self) -> bool:
        """Whether somebody wrote it: CreateRoute refuses a second one, and it wins over the others."""
        return self.origin in _STATIC

    @property
    def local(self) -> bool:
        """Whether the VPC keeps it for itself."""
        return self.targets.get(GATEWAY) == LOCAL

    @property
    def network(self) -> Network | None:
        """The destination; None for a prefix list."""
        return network(self.destination)

    def __str__(self) -> str:
        found = list(self.targets.values())
        text = f"{found[0]} ({found[1]})" if len(found) > 1 else "".join(found) or "no target"
        notes = [_ORIGINS[self.origin]] if self.origin in _ORIGINS else []
        notes += ["blackhole"] if self.blackhole else []
        return " ".join([text, *(f"[{note}]" for note in notes)])


@dataclass(frozen=True, slots=True)
class Table:
    """One route table."""

    id: str
    owner: str
    """The account."""
    vpc: str
    routes: tuple[Route, ...]
    carrying: Mapping[str, Route]
    """Of each destination the route that carries its traffic: a static one before a propagated one."""
    associated: bool
    """Whether a subnet or a gateway uses it, be it as the main table of its VPC."""


@functools.lru_cache(maxsize=8192)
def network(destination: str) -> Network | None:
    """Parse a destination; None for a prefix list."""
    return None if destination.startswith("pl-") else ipaddress.ip_network(destination, strict=False)


async def read_tables(ec2: Ec2, names: Iterable[str], permit: Permit) -> Mapping[str, Table]:
    """Read tables; those that do not exist are left out.

    Raises:
        ProviderError: EC2 does not answer or refuses.
    """
    wanted = sorted(set(names))
    read: dict[str, Table] = {}
    for start in range(0, len(wanted), NAMES):
        read |= await _some(ec2, wanted[start : start + NAMES], permit)
    return read


async def _some(ec2: Ec2, names: Sequence[str], permit: Permit) -> Mapping[str, Table]:
    """Read up to ``NAMES`` tables; the routes of a large one may be spread over pages."""
    asked = {"Filters": [{"Name": "route-table-id", "Values": list(names)}], "MaxResults": PAGE}
    what = f"reading {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    parts: list[Table] = []
    following: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        page, token = await ec2.read(permit, what, "describe_route_tables", {**asked, **following}, _page)
        parts += page
        if not token:
            break
        following = {"NextToken": token}
    else:
        raise Transient(f"{what}: no end after {MOST_PAGES} pages; it is tried again")
    return {name: _joined([part for part in parts if part.id == name]) for name in {one.id for one in parts}}


async def ping(ec2: Ec2, permit: Permit) -> None:
    """Read one page of whatever there is: the right, the connection and the credentials work."""
    await ec2.read(permit, "reading route tables", "describe_route_tables", {"MaxResults": 5}, _page)


def find(tables: Mapping[str, Table], name: TableName, region: str) -> Table:
    """Return a table that was asked for.

    Raises:
        NotFound: EC2 does not know it.
    """
    if name not in tables:
        raise NotFound(
            f"there is no route table {name} in {region} for these credentials: correct tables, region, profile "
            f"or role_arn"
        )
    return tables[name]


def _page(answer: Answer) -> tuple[list[Table], str]:
    return [_table(one) for one in answer.get("RouteTables", ())], answer.get("NextToken") or ""


def _table(described: Mapping[str, Any]) -> Table:
    routes = tuple(_routes(described.get("Routes", ())))
    name, owner, vpc = (str(described.get(key, "")) for key in ("RouteTableId", "OwnerId", "VpcId"))
    return Table(name, owner, vpc, routes, _carrying(routes), _associated(described))


def _associated(described: Mapping[str, Any]) -> bool:
    states = ((one.get("AssociationState") or {}).get("State") for one in described.get("Associations", ()))
    return any(state not in _GONE for state in states)


def _joined(parts: Sequence[Table]) -> Table:
    if len(parts) == 1:
        return parts[0]
    routes = tuple(route for part in parts for route in part.routes)
    associated = any(part.associated for part in parts)
    return Table(parts[0].id, parts[0].owner, parts[0].vpc, routes, _carrying(routes), associated)


def _routes(described: Iterable[Mapping[str, Any]]) -> Iterator[Route]:
    for one in described:
        network_text = one.get("DestinationCidrBlock") or one.get("DestinationIpv6CidrBlock")
        destination = str(network(network_text)) if network_text else one.get("DestinationPrefixListId")
        if destination:
            yield Route(
                destination=destination,
                targets={field: str(one[field]) for field in FIELDS if one.get(field)},
                blackhole=one.get("State") == "blackhole",
                origin=str(one.get("Origin", "CreateRoute")),
            )


def _carrying(routes: Iterable[Route]) -> Mapping[str, Route]:
    found: dict[str, Route] = {}
    for route in sorted(routes, key=lambda one: one.static):
        found[route.destination] = route
    return found
