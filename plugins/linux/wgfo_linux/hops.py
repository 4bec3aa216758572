"""What a route means: which path's candidate hop it is, and what to call it otherwise.

- ``via A`` matches gateway A on whatever device: the kernel chose it.
- ``dev D`` matches device D without a gateway.
- ``via A dev D`` matches both.
- A route with several next hops, a nexthop object or a type such as ``blackhole`` matches none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wgfo.model import Foreign, Hop, Observed, PathHop, PathName
from wgfo_linux import wire
from wgfo_linux.config import HopSpec, read_hop
from wgfo_linux.wire import Body


@dataclass(frozen=True, slots=True)
class Candidate:
    """A path's next hop as the kernel would show it; ``oif`` None: its device is not there now."""

    path: PathName
    spec: HopSpec
    gateway: bytes
    oif: int | None

    @property
    def missing(self) -> bool:
        """Whether the device that it names does not exist."""
        return self.spec.device is not None and self.oif is None

    def matches(self, body: Body) -> bool:
        """Whether a plain route with this next hop points here."""
        if self.missing or body.gateway != self.gateway:
            return False
        return self.spec.device is None or body.oif == self.oif


def candidates(hops: Mapping[PathName, Hop], devices: Mapping[str, int]) -> tuple[Candidate, ...]:
    """Resolve the hops of a set, the more specific first where two could match one route."""
    made = [_candidate(path, read_hop(hop), devices) for path, hop in hops.items()]
    return tuple(sorted(made, key=lambda one: one.spec.device is None))


def _candidate(path: PathName, spec: HopSpec, devices: Mapping[str, int]) -> Candidate:
    gateway = spec.gateway.packed if spec.gateway else b""
    return Candidate(path, spec, gateway, devices.get(spec.device) if spec.device else None)


def devices_of(hops: Mapping[PathName, Hop]) -> set[str]:
    """Return the interfaces that the hops name."""
    return {spec.device for hop in hops.values() if (spec := read_hop(hop)).device}


def classify(body: Body, known: tuple[Candidate, ...], names: Mapping[int, str], protocol: int) -> Observed:
    """Say which candidate a route at our key is, or call it foreign."""
    if body.type == wire.TYPE_UNICAST and not body.multipath and not body.nexthop_id:
        for candidate in known:
            if candidate.matches(body):
                return PathHop(candidate.path)
    return Foreign(describe(body, names), written_by_us=body.protocol == protocol)


def describe(body: Body, names: Mapping[int, str]) -> str:
    """Return a route's next hop in iproute2's words."""
    if body.type != wire.TYPE_UNICAST:
        return wire.TYPE_NAMES.get(body.type, f"type {body.type}")
    if body.multipath:
        return "several next hops"
    words = [f"nhid {body.nexthop_id}"] if body.nexthop_id else []
    if body.gateway:
        words.append(f"via {wire.address(body.gateway)}")
    if body.oif:
        words.append(f"dev {names.get(body.oif, f'#{body.oif}')}")
    return " ".join(words) or "no next hop"
