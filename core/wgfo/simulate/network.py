"""The paths between here and the hosts behind the far gateways: which packet is lost, and how long one takes.

Everything is a function of the plan, the seed and the moment of sending, so that a probe fares the same
whoever sends it and in whatever order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wgfo.model import (
    HandshakeReport,
    Layer,
    LayerReport,
    Outcome,
    PathName,
    ProbeClass,
    ProbeResult,
    Verdict,
)
from wgfo.simulate import chance
from wgfo.simulate.plan import FOREVER_US, REFERENCE, Fault, FaultKind, Plan

_S: Final = 1_000_000
REKEY_US: Final = 120 * _S
CHURN_US: Final = 15 * _S
PACKET_BYTES: Final = 128
RESPONSE_BYTES: Final = 92

_EVERYTHING: Final = frozenset(
    {
        FaultKind.CUT,
        FaultKind.ISOLATED,
        FaultKind.ONE_WAY_OUT,
        FaultKind.ONE_WAY_IN,
        FaultKind.LINK_DOWN,
        FaultKind.DATA_DEAD,
        FaultKind.KEY_MISMATCH,
        FaultKind.RP_FILTER,
    }
)
"""Kinds that lose every probe, the anchor's included."""
_TARGETS: Final = frozenset({FaultKind.TARGETS, FaultKind.NOT_FORWARDING, FaultKind.REMOTE_DARK})
_SILENT: Final = frozenset(
    {
        FaultKind.CUT,
        FaultKind.ISOLATED,
        FaultKind.ONE_WAY_OUT,
        FaultKind.ONE_WAY_IN,
        FaultKind.LINK_DOWN,
        FaultKind.KEY_MISMATCH,
    }
)
"""Kinds under which no handshake completes."""
_SERVICE: Final = _EVERYTHING - {FaultKind.RP_FILTER} | {
    FaultKind.SERVICE,
    FaultKind.NOT_FORWARDING,
    FaultKind.REMOTE_DARK,
}
_OBSERVED: Final = _SERVICE - {FaultKind.SERVICE, FaultKind.ISOLATED}
"""Kinds of which an observer elsewhere says that nothing gets through; the rest is too fine for it."""
_UNHEARD: Final = frozenset({FaultKind.ISOLATED, FaultKind.UNPROBED})
"""Kinds under which the observer is not heard."""
_LINK_REASONS: Final = {
    "missing": "the interface does not exist",
    "admin_down": "the interface is administratively down",
    "no_carrier": "the interface is up without carrier",
}


@dataclass(frozen=True, slots=True)
class Aim:
    """One thing to probe."""

    name: str
    anchor: bool
    key: int


@dataclass(slots=True)
class Volley:
    """One round's probes: what they aim at, and when they leave."""

    aims: Sequence[Aim]
    probe_class: ProbeClass
    start_us: int
    stagger_us: int
    timeout_us: int

    def sent_us(self) -> list[int]:
        """Return when each probe leaves."""
        return [self.start_us + self.stagger_us * place for place in range(len(self.aims))]


@dataclass(slots=True)
class _Peer:
    """WireGuard's figures of one path, as they were last read."""

    at_us: int
    renewed_us: int
    received: int = 0
    sent: int = 0


class Network:
    """What happens to packets.

    Args:
        plan: with its faults.
        seed: of the luck.
        begin_us: the plan's beginning on the virtual clock.
    """

    def __init__(self, plan: Plan, seed: int, begin_us: int) -> None:
        self._rtt_us = plan.rtt_us
        self._seed = seed
        self._begin_us = begin_us
        self._faults: dict[PathName, list[tuple[int, Fault]]] = {}
        for number, fault in enumerate(plan.faults):
            for path in _touched(fault):
                self._faults.setdefault(path, []).append((number, fault))
        self._quiet: dict[PathName, tuple[int, int]] = {}
        self._peers: dict[PathName, _Peer] = {}
        self.followed: Callable[[int], PathName | None] = lambda _at_us: None
        """The path that the workload takes at a moment; None: none."""

    # --- probes -------------------------------------------------------------------------------------------

    def round(self, path: PathName, volley: Volley) -> tuple[tuple[ProbeResult, ...], int]:
        """Return what becomes of a round's probes, and when the last of them is settled."""
        sent = volley.sent_us()
        if self._rtt_us <= volley.timeout_us and self._is_quiet(path, sent[0], sent[-1]):
            rtt_us = self._rtt_us
            results = tuple([ProbeResult(Outcome.OK, at_us, rtt_us) for at_us in sent])
            return results, sent[-1] + rtt_us
        results = tuple(
            self._probe(path, aim, volley, at_us) for aim, at_us in zip(volley.aims, sent, strict=True)
        )
        ends = [
            one.sent_us + (one.rtt_us if one.outcome is Outcome.OK else volley.timeout_us)
            for one in results
            if one.outcome is not Outcome.UNKNOWN
        ]
        return results, max(ends, default=sent[-1])

    def _probe(self, path: PathName, aim: Aim, volley: Volley, sent_us: int) -> ProbeResult:
        rtt_us = self._rtt_us
        for number, fault in self._holding(path, sent_us):
            if fault.kind is FaultKind.UNPROBED:
                return ProbeResult(Outcome.UNKNOWN, sent_us, reason="not sent")
            if fault.kind is FaultKind.LATENCY:
                rtt_us += fault.by_us
            elif _concerns(fault, aim, volley.probe_class) and self._unlucky(
                fault, number, path, aim, sent_us
            ):
                return ProbeResult(Outcome.LOST, sent_us, reason=_reason(fault))
        if rtt_us > volley.timeout_us:
            return ProbeResult(Outcome.LOST, sent_us)
        return ProbeResult(Outcome.OK, sent_us, rtt_us)

    def _unlucky(self, fault: Fault, number: int, path: PathName, aim: Aim, sent_us: int) -> bool:
        what = aim.key ^ chance.key(path) * 31 ^ number << 40
        return chance.hits(fault.percent, self._seed, what, sent_us - self._begin_us)

    def serves(self, at_us: int) -> bool:
        """Whether the workload's packets pass at a moment, over whatever path they take."""
        path = self.followed(at_us)
        if path is None:
            return False
        return not any(fault.kind in _SERVICE for _, fault in self._holding(path, at_us))

    def _is_quiet(self, path: PathName, from_us: int, to_us: int) -> bool:
        """Whether no fault touches the path between two moments; the answer is kept for a while."""
        begin_us, end_us = self._quiet.get(path, (0, 0))
        if begin_us <= from_us and to_us < end_us:
            return True
        if self._holding(path, from_us):
            return False
        starts = [
            fault.start_us for _, fault in self._faults.get(path, ()) if fault.start_us > self._at(from_us)
        ]
        end_us = self._begin_us + min(starts, default=FOREVER_US)
        self._quiet[path] = (from_us, end_us)
        return to_us < end_us

    def _at(self, clock_us: int) -> int:
        return clock_us - self._begin_us

    def _holding(self, path: PathName, at_us: int) -> list[tuple[int, Fault]]:
        moment_us = self._at(at_us)
        return [
            (number, fault)
            for number, fault in self._faults.get(path, ())
            if fault.start_us <= moment_us < fault.end_us
        ]

    # --- the lower layers ---------------------------------------------------------------------------------

    def next_change_us(self, path: PathName, after_us: int) -> int | None:
        """Return when the interface layer may say something else."""
        kinds = (FaultKind.LINK_DOWN, FaultKind.RP_FILTER)
        edges = [
            self._begin_us + edge_us
            for _, fault in self._faults.get(path, ())
            if fault.kind in kinds
            for edge_us in (fault.start_us, fault.end_us)
        ]
        return min((edge_us for edge_us in edges if edge_us > after_us), default=None)

    def link(self, path: PathName, at_us: int) -> LayerReport:
        """Return what the kernel says of the interface."""
        for _, fault in self._holding(path, at_us):
            if fault.kind is FaultKind.LINK_DOWN:
                reason = _LINK_REASONS.get(fault.code, fault.code)
                return LayerReport(Layer.INTERFACE, Verdict.DOWN, reason, fault.code)
            if fault.kind is FaultKind.RP_FILTER:
                reason = "strict reverse-path filtering drops what comes back"
                return LayerReport(Layer.INTERFACE, Verdict.UNKNOWN, reason, "rp_filter", discredits=True)
        return LayerReport(Layer.INTERFACE, Verdict.UP, "up")

    def observed(self, path: PathName, at_us: int) -> LayerReport:
        """Return what an observer elsewhere says of the path."""
        kinds = {fault.kind for _, fault in self._holding(path, at_us)}
        if kinds & _UNHEARD:
            return LayerReport(Layer.DATAPLANE, Verdict.UNKNOWN, "the observer is not heard")
        if kinds & _OBSERVED:
            return LayerReport(Layer.DATAPLANE, Verdict.DOWN, "nothing gets through")
        return LayerReport(Layer.DATAPLANE, Verdict.UP, "packets get through")

    def handshake(self, path: PathName, at_us: int) -> HandshakeReport:
        """Return WireGuard's figures of the path's peer; to be asked in the order of time."""
        kinds = {fault.kind for _, fault in self._holding(path, at_us)}
        idle = FaultKind.UNPROBED in kinds
        peer = self._peers.setdefault(path, _Peer(at_us, at_us - (10 * 60 if idle else 30) * _S))
        passed = max(0, at_us - peer.at_us) * PACKET_BYTES // _S
        peer.at_us = at_us
        if not idle:
            peer.sent += passed
            self._exchange(peer, kinds, passed, at_us)
        return HandshakeReport(peer.renewed_us // _S, peer.received, peer.sent)

    @staticmethod
    def _exchange(peer: _Peer, kinds: set[FaultKind], passed: int, at_us: int) -> None:
        if kinds & _SILENT:
            return
        churning = FaultKind.DATA_DEAD in kinds
        if not churning:
            peer.received += passed
        if at_us - peer.renewed_us >= (CHURN_US if churning else REKEY_US):
            peer.renewed_us = at_us
            peer.received += RESPONSE_BYTES


def aims(addresses: Sequence[str], anchor: str | None) -> tuple[Aim, ...]:
    """Return what a round of these addresses aims at."""
    return tuple(Aim(address, address == anchor, chance.key(address)) for address in addresses)


def _touched(fault: Fault) -> tuple[PathName, ...]:
    if fault.kind is FaultKind.ISOLATED:
        return (*fault.paths, REFERENCE)
    return (REFERENCE,) if fault.kind is FaultKind.REFERENCE else fault.paths


def _concerns(fault: Fault, aim: Aim, probe_class: ProbeClass) -> bool:
    """Whether a fault can lose a probe at all."""
    if fault.classes is not None and probe_class not in fault.classes:
        return False
    if fault.targets is not None and (aim.anchor or aim.name not in fault.targets):
        return False
    if fault.kind in _EVERYTHING or fault.kind in (FaultKind.LOSS, FaultKind.REFERENCE):
        return True
    if fault.kind in _TARGETS or fault.kind is FaultKind.CLASS:
        return not aim.anchor
    return fault.kind is FaultKind.ANCHOR and aim.anchor


def _reason(fault: Fault) -> str:
    """What a probe that counts both directions would say."""
    return {FaultKind.ONE_WAY_OUT: "lost forward", FaultKind.ONE_WAY_IN: "lost on return"}.get(fault.kind, "")
