"""The ``stamp`` probe: test packets (RFC 8762) towards a reflector, each from another source port.

A reply counts if it is the one asked for, came through the path's own interface, and came in time by the
kernel's stamp, however late it was read; no clock of the far side is believed. The reflector's own numbers
then tell on which way a lost probe was lost, and the source ports whether some flows lose all.

Each target is a session of its own; its flows share it by the session's identifier (RFC 8972 §3), so that
also a flow of which nothing ever comes back has its direction, from the replies of its neighbours.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from wgfo.model import LARGE, FlowReport, Outcome, ProbeResult
from wgfo.plugin import ProbeContext, ProbeError
from wgfo.probes.ancillary import received_us
from wgfo.probes.egress import Egress, interface_index
from wgfo.probes.flow_socket import Arrival, FlowSockets
from wgfo.probes.options import StampOptions
from wgfo.probes.stamp_key import Key, read_key
from wgfo.probes.stamp_ledger import Entry, Fate
from wgfo.probes.stamp_packet import (
    BadDigest,
    PacketError,
    Reply,
    Request,
    decode_reply,
    encode_request,
    ntp_time,
)
from wgfo.probes.stamp_session import Session, report
from wgfo.probes.verdicts import NO_REPLY, OTHER_PATH, IcmpError, of_error

REMEMBERED: Final = 8
"""Probes of each flow that are looked back on."""
NO_AUTHENTICATED_REPLY: Final = "no authenticated reply: the reflector drops or the keys differ"
BAD_DIGEST: Final = "reply without our key's HMAC: the keys differ, or the reflector has none"
NO_REFLECTOR: Final = "nothing listens on that port: start wgfo reflect there"
_RENEW_ROUNDS: Final = 5
"""Silent rounds after which other source ports are taken: as many as this, and no fewer than the flows."""
_KEPT: Final = 4_096
"""Probes whose late reply is still recognised."""
_SEQUENCES: Final = 1 << 32


@dataclass(slots=True, eq=False)
class _Flight:
    """One probe from its sending until nobody would believe its reply any more."""

    session: Session
    entry: Entry
    arrives_by: int
    round: _Round
    received_us: int | None = None
    reason: str = ""


@dataclass(slots=True, eq=False)
class _Round:
    """One round under way."""

    sent: list[_Flight | ProbeResult] = field(default_factory=list)
    outstanding: int = 0
    complete: asyncio.Future[None] | None = None
    """Made when all is sent: before that, nothing outstanding does not mean complete."""

    @property
    def flights(self) -> list[_Flight]:
        return [one for one in self.sent if isinstance(one, _Flight)]

    def landed(self) -> None:
        self.outstanding -= 1
        if self.complete and not self.outstanding and not self.complete.done():
            self.complete.set_result(None)


_FlightKey = tuple[int, int, int]
"""Our port, our time stamp, our number: a reply bears all three."""


class StampProbe:
    """Test packets through one path; implements :class:`wgfo.plugin.RoundProbe` and ``ReportsFlows``."""

    def __init__(self, context: ProbeContext, options: StampOptions) -> None:
        self._path = context.path
        self._timeout_us = context.timeout_us
        self._clock = context.monotonic_us
        self._large = context.probe_class == LARGE
        self._flows = options.flows
        self._key_file = options.key_file
        self._key: Key | None = None
        self._egress = Egress.of(context.path)
        self._sockets: dict[int, FlowSockets] = {}
        self._sessions: dict[str, Session] = {}
        self._flights: OrderedDict[_FlightKey, _Flight] = OrderedDict()
        self._rounds: list[_Round] = []
        """Under way."""
        self._silent_rounds = 0

    async def open(self) -> None:
        """Read the key, and open the sockets of the anchor's address family (IPv4 without an anchor).

        A missing device is no error: the rounds say so until it is there.

        Raises:
            ProbeError: no key can be read, a mark may not be set, or large packets were asked for.
        """
        if self._large:
            raise ProbeError('stamp sends small packets; class = "large" is what kind = "icmp" can send')
        self._key = None if self._key_file is None else read_key(self._key_file)
        try:
            self._ready(socket.AF_INET6 if ":" in (self._path.peer or "") else socket.AF_INET)
        except OSError:
            return

    async def aclose(self) -> None:
        """Close the sockets."""
        for sockets in self._sockets.values():
            sockets.close()

    async def round(self, targets: Sequence[str], stagger_us: int) -> Sequence[ProbeResult]:
        """Send one packet to each ``address:port``, ``stagger_us`` apart; see ``RoundProbe``."""
        started_us = self._clock()
        with self._under_way_now() as this:
            for number, target in enumerate(targets):
                await self._pause_until(started_us + number * stagger_us)
                this.sent.append(self._launch(target, this))
            await self._wait(this)
            results = [self._judge(one) for one in this.sent]
        self._renew_after_silence(results)
        return results

    @contextlib.contextmanager
    def _under_way_now(self) -> Iterator[_Round]:
        """Make a round; whatever it ends by, nothing of it stays open."""
        this = _Round()
        self._rounds.append(this)
        try:
            yield this
        finally:
            self._rounds.remove(this)
            for flight in this.flights:
                if flight.entry.fate is Fate.OPEN:
                    flight.entry.fate = Fate.LOST

    # --- sending --------------------------------------------------------------------------------------------

    async def _pause_until(self, at_us: int) -> None:
        delay_us = at_us - self._clock()
        if delay_us > 0:
            await asyncio.sleep(delay_us / 1_000_000)

    def _launch(self, target: str, this: _Round) -> _Flight | ProbeResult:
        try:
            session = self._session(target)
        except ValueError as error:
            return ProbeResult(Outcome.UNKNOWN, self._clock(), reason=str(error))
        try:
            return self._send(session, this)
        except ProbeError:
            return ProbeResult(Outcome.UNKNOWN, self._clock(), reason="this host refused: no UDP socket")
        except OSError as error:
            return of_error(error, self._clock())

    def _session(self, target: str) -> Session:
        if target not in self._sessions:
            length = self._flows * REMEMBERED
            self._sessions[target] = Session.begin(target, length, self._sessions.values())
        return self._sessions[target]

    def _send(self, session: Session, this: _Round) -> _Flight:
        sockets = self._ready(session.to.family)
        interface = self._path.interface
        arrives_by = interface_index(interface) if interface else 0
        port = sockets.ports[session.next_flow(self._flows)]
        timestamp, sent_us = ntp_time(time.time_ns()), self._clock()
        number = session.ledger.number % _SEQUENCES
        packet = encode_request(Request(number, timestamp, session.ssid), self._key)
        sockets.send(packet, port, session.to.sockaddr(session.port))
        flight = _Flight(session, session.ledger.sent(port, sent_us), arrives_by, this)
        self._flights[port, timestamp, number] = flight
        if len(self._flights) > _KEPT:
            self._flights.popitem(last=False)
        this.outstanding += 1
        return flight

    def _ready(self, family: socket.AddressFamily) -> FlowSockets:
        if family not in self._sockets:
            self._sockets[family] = FlowSockets(
                family, self._egress, self._flows, self._receive, self._explain
            )
        self._sockets[family].ready()
        return self._sockets[family]

    # --- receiving ------------------------------------------------------------------------------------------

    def _receive(self, arrival: Arrival) -> None:
        try:
            reply = decode_reply(arrival.data, self._key)
        except BadDigest:
            self._blame(arrival)
            return
        except PacketError:
            return
        flight = self._flights.get((arrival.our_port, reply.sender_timestamp, reply.sender_sequence))
        if flight is None or not _is_answer(flight.session, arrival, reply):
            return
        if flight.arrives_by not in {0, arrival.arrived_by}:
            flight.reason = OTHER_PATH
            return
        self._take(flight, reply, arrival.stamp_ns)

    def _take(self, flight: _Flight, reply: Reply, stamp_ns: int) -> None:
        session, entry = flight.session, flight.entry
        session.ledger.by_port = not reply.ssid
        if (
            entry.reflected is not None
        ):  # the network doubled the request: the later number is where it stands
            entry.reflected = max(entry.reflected, reply.sequence)
            return
        entry.reflected = reply.sequence
        if entry.fate is not Fate.OPEN:
            entry.fate = Fate.LATE
            return
        flight.received_us = received_us(stamp_ns, entry.sent_us, self._clock)
        flight.round.landed()

    def _blame(self, arrival: Arrival) -> None:
        for flight in self._under_way(arrival.our_port, arrival.host, arrival.port):
            flight.reason = BAD_DIGEST

    def _explain(self, our_port: int, host: str, port: int, error: IcmpError) -> None:
        """Keep what an ICMP error says; the wait for a reply goes on, as errors can be forged."""
        for flight in self._under_way(our_port, host, port):
            flight.reason = NO_REFLECTOR if error.is_port_unreachable else error.reason()

    def _under_way(self, our_port: int, host: str, port: int) -> list[_Flight]:
        return [
            flight
            for this in self._rounds
            for flight in this.flights
            if flight.entry.flow == our_port and flight.session.is_at(host, port)
        ]

    # --- waiting and judging --------------------------------------------------------------------------------

    async def _wait(self, this: _Round) -> None:
        """Wait until nothing is outstanding or every deadline has passed, then drain the sockets."""
        this.complete = asyncio.get_running_loop().create_future()
        while this.outstanding and (delay_us := self._next_deadline(this) - self._clock()) > 0:
            await asyncio.wait([this.complete], timeout=delay_us / 1_000_000)
        for sockets in self._sockets.values():
            sockets.drain()

    def _next_deadline(self, this: _Round) -> int:
        """Return the first deadline that has not passed, of what is outstanding; else one that has."""
        now = self._clock()
        ends = [f.entry.sent_us + self._timeout_us for f in this.flights if f.received_us is None]
        return min((end for end in ends if end > now), default=now)

    def _judge(self, one: _Flight | ProbeResult) -> ProbeResult:
        if isinstance(one, ProbeResult):
            return one
        entry = one.entry
        if one.received_us is None:
            entry.fate = Fate.LOST
            return ProbeResult(Outcome.LOST, entry.sent_us, reason=self._why_lost(one))
        rtt_us = one.received_us - entry.sent_us
        if rtt_us > self._timeout_us:
            entry.fate = Fate.LATE
            return ProbeResult(Outcome.LOST, entry.sent_us, reason="reply too late")
        entry.fate = Fate.RETURNED
        return ProbeResult(Outcome.OK, entry.sent_us, rtt_us)

    def _why_lost(self, flight: _Flight) -> str:
        way = flight.session.ledger.way(flight.entry)
        if flight.reason or way:
            return flight.reason or str(way)
        return NO_REPLY if self._key is None else NO_AUTHENTICATED_REPLY

    def _renew_after_silence(self, results: Sequence[ProbeResult]) -> None:
        """Take other ports when every flow has been silent: a stale firewall session may be why."""
        heard = any(result.outcome is Outcome.OK for result in results)
        self._silent_rounds = 0 if heard or not results else self._silent_rounds + 1
        if self._silent_rounds >= max(_RENEW_ROUNDS, self._flows) and not self._rounds:
            self._silent_rounds = 0
            for sockets in self._sockets.values():
                sockets.renew()

    # --- reporting ------------------------------------------------------------------------------------------

    def flow_report(self) -> FlowReport | None:
        """Return what the latest probes say of directions and flows."""
        return report(self._sessions.values(), self._present_ports(), self._clock())

    def _present_ports(self) -> frozenset[int]:
        return frozenset(port for sockets in self._sockets.values() for port in sockets.ports)


def _is_answer(session: Session, arrival: Arrival, reply: Reply) -> bool:
    return session.is_at(arrival.host, arrival.port) and session.fits(reply)
