"""A route as Google has it, and which routes are ours.

Ours is a route whose *name* begins with ``wgfo-`` and whose *description* bears our mark: one of the two alone is
somebody's copy. The name is made from network, destination, tags and priority, so that a process that was killed
finds again what it was doing, and a request that lands late cannot make a second route in the same slot: names are
unique in a project.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from wgfo.model import Prefix, SetChange, TableName
from wgfo_gcp.config import GcpOptions
from wgfo_gcp.hops import API, FIELDS, OTHER_FIELDS, HopSpec, found_hop

NAME_PREFIX: Final = "wgfo-"
MARK: Final = "wgfo"
"""The key of the JSON object in a description that says what the route is for."""
DEAD: Final = {
    "NEXT_HOP_ADDRESS_NOT_ASSIGNED": "no instance of the network has the next hop's address",
    "NEXT_HOP_CANNOT_IP_FORWARD": "the next hop was created without canIpForward",
    "NEXT_HOP_INSTANCE_HAS_NO_IPV6_INTERFACE": "the next hop has no IPv6 on this network",
    "NEXT_HOP_INSTANCE_NOT_FOUND": "the next hop does not exist",
    "NEXT_HOP_INSTANCE_NOT_ON_NETWORK": "the next hop is not on this network",
    "NEXT_HOP_NOT_RUNNING": "the next hop is not running",
}
"""Warnings on a route which mean that packets are dropped (``Route.warnings`` in the API reference), in words."""
_DIGEST_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class Key:
    """What our two slots are about."""

    table: TableName
    prefix: Prefix
    tags: frozenset[str]

    def name(self, priority: int) -> str:
        """Return the name of our route with this priority."""
        text = f"{self.table}/{self.prefix}/{','.join(sorted(self.tags))}"
        digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]
        return f"{NAME_PREFIX}{digest}-{priority}"


@dataclass(frozen=True, slots=True)
class Route:
    """One static route, or what Google lists as one."""

    name: str
    id: int
    """Of this very route: another one of the same name has another."""
    table: str
    prefix: Prefix
    priority: int
    hop: HopSpec | None
    """None: a next hop that no path can have."""
    text: str
    """The next hop in the platform's words."""
    tags: frozenset[str] = frozenset()
    ours: bool = False
    dead: tuple[str, ...] = ()
    """Warnings which mean that packets are dropped."""
    group: str = ""
    """The group that a route of ours was written for."""

    def __str__(self) -> str:
        tagged = f" for tags {','.join(sorted(self.tags))}" if self.tags else ""
        return f"{self.name} ({self.prefix} to {self.text}, priority {self.priority}{tagged})"

    def covers(self, tags: frozenset[str]) -> bool:
        """Whether it applies to every instance with one of these tags (to every instance, if there are none)."""
        return not self.tags or (bool(tags) and self.tags >= tags)


def from_api(found: Any, project: str) -> Route:
    """Make a route of the SDK's message."""
    hop, text = _hop(found, project)
    group = _mark(found.description)
    return Route(
        name=found.name,
        id=found.id,
        table=found.network.rpartition("/")[2],
        prefix=_prefix(found.dest_range),
        priority=found.priority,
        hop=hop,
        text=text,
        tags=frozenset(found.tags),
        ours=found.name.startswith(NAME_PREFIX) and group is not None,
        dead=_dead(found.warnings),
        group=group or "",
    )


def _hop(found: Any, project: str) -> tuple[HopSpec | None, str]:
    for kind, name in FIELDS.items():
        value = getattr(found, name)
        if value:
            hop = found_hop(kind, value, project)
            return hop, str(hop) if hop else value.removeprefix(f"{API}/")
    values = (getattr(found, name) for name in OTHER_FIELDS)
    return None, next((value.removeprefix(f"{API}/") for value in values if value), "no next hop")


def _prefix(text: str) -> Prefix:
    return Prefix(str(ipaddress.ip_network(text, strict=False)))


def _dead(warnings: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({warning.code for warning in warnings} & DEAD.keys()))


def _mark(description: str) -> str | None:
    """Return the group in our mark; None where there is no mark."""
    try:
        found = json.loads(description)
    except ValueError:
        return None
    mark = found.get(MARK) if isinstance(found, dict) else None
    return str(mark.get("group", "")) if isinstance(mark, dict) else None


def description(change: SetChange) -> str:
    """Return what marks a route as ours, and says to a person why it is there."""
    mark = {"group": change.route_set.group, "path": change.path, "epoch": change.epoch}
    return json.dumps({MARK: mark}, ensure_ascii=True)


@dataclass(frozen=True, slots=True)
class NewRoute:
    """A route that is to be written."""

    name: str
    key: Key
    priority: int
    hop: HopSpec
    description: str

    def fields(self, project: str) -> dict[str, Any]:
        """Return the fields of the SDK's message."""
        return {
            "name": self.name,
            "description": self.description,
            "network": f"{API}/projects/{project}/global/networks/{self.key.table}",
            "dest_range": str(self.key.prefix),
            "priority": self.priority,
            "tags": sorted(self.key.tags),
            FIELDS[self.hop.kind]: self.hop.url(project),
        }

    def stands_as(self, found: Route) -> bool:
        """Whether a route of the same name is this one: what a killed process had written."""
        place = (found.table, found.prefix, found.priority, found.tags)
        return found.ours and place == (self.key.table, self.key.prefix, self.priority, self.key.tags)


def tags_of(options: GcpOptions) -> frozenset[str]:
    """Return the tags of a set's routes."""
    return frozenset(options.tags)
