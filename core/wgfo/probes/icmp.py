"""The ``icmp`` probe: echo requests through one path, of a small size or of the tunnel's MTU.

A reply counts if it is the one asked for, came through the path's own interface, and came in time by the
kernel's stamp, however late it was read. ICMP errors only explain a loss: they never shorten the wait.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from wgfo.model import LARGE, BindKind, Outcome, ProbeResult
from wgfo.plugin import ProbeContext, ProbeError
from wgfo.probes.echo import MIN_SIZE
from wgfo.probes.echo_pool import EchoPool, Use, pool_of_running_loop
from wgfo.probes.echo_socket import EchoSocket, Flight
from wgfo.probes.egress import Egress, interface_index, interface_mtu
from wgfo.probes.options import IcmpOptions
from wgfo.probes.targets import Endpoint, parse_endpoint
from wgfo.probes.verdicts import NO_REPLY, OTHER_PATH, of_error

DEFAULT_SIZE: Final = 84
"""What ``ping`` sends: 56 bytes of data, 8 of ICMP, 20 of IPv4."""
TUNNEL_MTU: Final = 1420
"""WireGuard's usual MTU; stands for ``"mtu"`` where this site has no interface to ask."""
RENEW_AFTER_ROUNDS: Final = 5
"""Rounds without any reply after which the ICMP id is changed, and again after as many."""


@dataclass(frozen=True, slots=True)
class _Way:
    """What one round needs to send to one address family, looked up once."""

    via: EchoSocket
    size: int
    arrives_by: int
    """Index of the interface through which replies must come; 0 where the path names none."""


@dataclass(slots=True)
class _Round:
    """One round under way: what was sent, and the wake-up when nothing is outstanding any more."""

    sent: list[Flight | ProbeResult] = field(default_factory=list)
    outstanding: int = 0
    complete: asyncio.Future[None] | None = None
    """Made when all is sent: before that, nothing outstanding does not mean complete."""
    ways: dict[int, _Way | ProbeResult] = field(default_factory=dict)
    """Per address family: the way that was verified for this round, or why there is none."""

    @property
    def flights(self) -> list[Flight]:
        return [one for one in self.sent if isinstance(one, Flight)]

    def landed(self) -> None:
        self.outstanding -= 1
        if self.complete and not self.outstanding and not self.complete.done():
            self.complete.set_result(None)


class IcmpProbe:
    """Echoes through one path; implements :class:`wgfo.plugin.RoundProbe`."""

    def __init__(self, context: ProbeContext, options: IcmpOptions) -> None:
        self._path = context.path
        self._timeout_us = context.timeout_us
        self._clock = context.monotonic_us
        self._dont_fragment = context.probe_class == LARGE
        self._size = options.size or ("mtu" if self._dont_fragment else DEFAULT_SIZE)
        self._egress = Egress.of(context.path)
        self._endpoints: dict[str, Endpoint] = {}
        self._pool: EchoPool | None = None
        self._uses: dict[Use, EchoSocket] = {}
        self._silent_rounds = 0

    async def open(self) -> None:
        """Open the socket of the anchor's address family (IPv4 without an anchor).

        A missing device is no error: the rounds say so until it is there.

        Raises:
            ProbeError: this process may open no ICMP socket; the text names what to grant.
        """
        self._pool = pool_of_running_loop()
        family = socket.AF_INET6 if ":" in (self._path.peer or "") else socket.AF_INET
        try:
            self._take(Use(family, self._egress, self._dont_fragment)).ready()
        except ProbeError:
            await self.aclose()
            raise
        except OSError:
            return

    async def aclose(self) -> None:
        """Give the sockets back; the last user closes them."""
        for use in list(self._uses):
            self._give_back(use)

    async def round(self, targets: Sequence[str], stagger_us: int) -> Sequence[ProbeResult]:
        """Send one echo to each target, ``stagger_us`` apart; see :class:`wgfo.plugin.RoundProbe`."""
        this = _Round()
        started_us = self._clock()
        try:
            for number, target in enumerate(targets):
                await self._pause_until(started_us + number * stagger_us)
                this.sent.append(self._launch(target, this))
            await self._wait(this)
            results = [self._judge(one) for one in this.sent]
        finally:
            for flight in this.flights:
                flight.via.forget(flight)
        self._look_closer(results)
        return results

    # --- sending --------------------------------------------------------------------------------------------

    async def _pause_until(self, at_us: int) -> None:
        delay_us = at_us - self._clock()
        if delay_us > 0:
            await asyncio.sleep(delay_us / 1_000_000)

    def _launch(self, target: str, this: _Round) -> Flight | ProbeResult:
        try:
            to = self._endpoint(target)
        except ValueError as error:
            return ProbeResult(Outcome.UNKNOWN, self._clock(), reason=str(error))
        way = this.ways.get(to.family) or self._way(to.family)
        this.ways[to.family] = way
        if isinstance(way, ProbeResult):
            return replace(way, sent_us=self._clock())
        try:
            flight = way.via.send(to, way.size, way.arrives_by, self._clock, this.landed)
        except OSError as error:
            return of_error(error, self._clock())
        this.outstanding += 1
        return flight

    def _endpoint(self, target: str) -> Endpoint:
        if target not in self._endpoints:
            self._endpoints[target] = parse_endpoint(target)
        return self._endpoints[target]

    def _way(self, family: socket.AddressFamily) -> _Way | ProbeResult:
        """Return the verified way out, or what its lack says of the path."""
        via = self._take(Use(family, self._egress, self._dont_fragment))
        interface = self._path.interface
        try:
            sock = via.ready()
            return _Way(via, self._packet_size(sock), interface_index(interface) if interface else 0)
        except ProbeError:
            return ProbeResult(Outcome.UNKNOWN, self._clock(), reason="this host refused: no ICMP socket")
        except OSError as error:
            return of_error(error, self._clock())

    def _packet_size(self, sock: socket.socket) -> int:
        if self._size != "mtu":
            return self._size
        if self._path.interface is None:
            return TUNNEL_MTU
        return max(MIN_SIZE, interface_mtu(sock, self._path.interface))

    # --- waiting and judging --------------------------------------------------------------------------------

    async def _wait(self, this: _Round) -> None:
        """Wait until nothing is outstanding or every deadline has passed, then drain the sockets."""
        this.complete = asyncio.get_running_loop().create_future()
        while this.outstanding and (delay_us := self._next_deadline(this) - self._clock()) > 0:
            await asyncio.wait([this.complete], timeout=delay_us / 1_000_000)
        for via in self._uses.values():
            via.drain()

    def _next_deadline(self, this: _Round) -> int:
        """Return the first deadline that has not passed, of what is outstanding; else one that has."""
        now = self._clock()
        ends = [f.echo.sent_us + self._timeout_us for f in this.flights if f.received_us is None]
        return min((end for end in ends if end > now), default=now)

    def _judge(self, one: Flight | ProbeResult) -> ProbeResult:
        if isinstance(one, ProbeResult):
            return one
        sent_us = one.echo.sent_us
        if one.received_us is None:
            return ProbeResult(Outcome.LOST, sent_us, reason=one.reason or NO_REPLY)
        rtt_us = one.received_us - sent_us
        if rtt_us > self._timeout_us:
            return ProbeResult(Outcome.LOST, sent_us, reason="reply too late")
        return ProbeResult(Outcome.OK, sent_us, rtt_us)

    def _look_closer(self, results: Sequence[ProbeResult]) -> None:
        """After silence: change the ICMP id now and then, and watch for replies that come another way."""
        heard = any(result.outcome is Outcome.OK for result in results)
        self._silent_rounds = 0 if heard or not results else self._silent_rounds + 1
        if self._silent_rounds and self._silent_rounds % RENEW_AFTER_ROUNDS == 0:
            for via in self._uses.values():
                via.renew_ident()
        if self._path.bind.kind is not BindKind.ADDRESS and self._path.interface:
            self._watch(on=any(result.reason in {NO_REPLY, OTHER_PATH} for result in results))

    def _watch(self, *, on: bool) -> None:
        """Open (or close) the witness of each family; without the right to, losses stay unexplained."""
        for family in {use.family for use in self._uses if not use.witness}:
            witness = Use(family, witness=True)
            try:
                if on:
                    self._take(witness).ready()
                elif witness in self._uses:
                    self._give_back(witness)
            except (OSError, ProbeError):
                self._give_back(witness)

    # --- shared sockets -------------------------------------------------------------------------------------

    def _take(self, use: Use) -> EchoSocket:
        assert self._pool is not None, "open() comes first"
        if use not in self._uses:
            self._uses[use] = self._pool.take(use)
        return self._uses[use]

    def _give_back(self, use: Use) -> None:
        assert self._pool is not None, "open() comes first"
        del self._uses[use]
        self._pool.give_back(use)
