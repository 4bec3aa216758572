"""What a ``stamp`` probe knows of each target: its session, and the report over all of them."""

from __future__ import annotations

import secrets
from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from wgfo.model import FlowReport, FlowTally
from wgfo.probes.flow_words import Losses, describe
from wgfo.probes.stamp_ledger import Directions, Entry, Fate, Ledger
from wgfo.probes.stamp_packet import Reply
from wgfo.probes.targets import Endpoint, parse_endpoint, split_host_port

KIND: Final = "stamp"
_SSIDS: Final = 1 << 16


@dataclass(slots=True)
class Session:
    """One target."""

    target: str
    to: Endpoint
    port: int
    ssid: int
    ledger: Ledger
    _order: list[int] = field(default_factory=list)
    """Flows that are still to come in this turn."""

    @classmethod
    def begin(cls, target: str, length: int, others: Iterable[Session]) -> Session:
        """Make a session with an identifier of its own; ``ValueError`` where ``target`` is no address."""
        host, port = split_host_port(target)
        taken = {0, *(other.ssid for other in others)}
        ssid = next(one for one in iter(lambda: secrets.randbelow(_SSIDS), None) if one not in taken)
        return cls(target, parse_endpoint(host), port, ssid, Ledger(length))

    def next_flow(self, count: int) -> int:
        """Go through all flows, each time in another order.

        A fault that takes neighbouring ports then looks like what it is, a share of the probes, and not like
        a path that is dead for some rounds running.
        """
        if not self._order:
            self._order = list(range(count))
            secrets.SystemRandom().shuffle(self._order)
        return self._order.pop()

    def is_at(self, host: str, port: int) -> bool:
        """Whether this is the target's address; the kernel may add a zone to it."""
        return (host.partition("%")[0], port) == (self.to.host, self.port)

    def fits(self, reply: Reply) -> bool:
        """Whether a reply is of this session; a reflector of RFC 8762 alone leaves the identifier zero."""
        return reply.ssid in {0, self.ssid}


def report(sessions: Iterable[Session], ports: Container[int], now_us: int) -> FlowReport | None:
    """Return what the remembered probes say of directions and flows; None before the first results.

    Args:
        sessions: all of a path.
        ports: the source ports in use now; flows from others are history.
        now_us: on the clock that the entries bear.
    """
    directions = Directions()
    flows: list[FlowTally] = []
    ended: list[Entry] = []
    oldest_us = now_us
    for session in sessions:
        directions += session.ledger.directions()
        flows += _tallies(session, ports)
        ended += [entry for entry in session.ledger.entries if entry.fate is not Fate.OPEN]
        oldest_us = min([oldest_us, *(entry.sent_us for entry in session.ledger.entries)])
    if not ended:
        return None
    lost = sum(entry.counted_lost for entry in ended)
    return FlowReport(
        kind=KIND,
        window_us=now_us - oldest_us,
        sent=len(ended),
        lost=lost,
        lost_forward=directions.forward,
        lost_return=directions.back,
        flows=tuple(flows),
        text=describe(flows, Losses(len(ended), lost, directions.forward, directions.back)),
    )


def _tallies(session: Session, ports: Container[int]) -> list[FlowTally]:
    found: dict[int, FlowTally] = {}
    for entry in session.ledger.entries:
        if entry.fate is Fate.OPEN or entry.flow not in ports:
            continue
        tally = found.get(entry.flow) or FlowTally(session.target, entry.flow, 0, 0, 0)
        lost = entry.counted_lost
        found[entry.flow] = replace(
            tally,
            sent=tally.sent + 1,
            lost=tally.lost + lost,
            lost_running=tally.lost_running + 1 if lost else 0,
        )
    return [found[port] for port in sorted(found)]
