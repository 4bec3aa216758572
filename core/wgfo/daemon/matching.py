"""Which recorded evidence a changed policy can use: its streams, sources and services against the recorded ones.

What was not recorded cannot be made up. Each thing that the new policy asks for and the recording lacks is said
in a sentence; the paths are then judged by what there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from wgfo.engine.events import RoundClosed
from wgfo.engine.policy import EvidenceSource, GroupPolicy, ServicePolicy, StreamPolicy
from wgfo.model import Outcome, PathName, ProbeResult


@dataclass(frozen=True, slots=True)
class StreamMatch:
    """How a recorded stream's rounds become those of a new one."""

    index: int
    """Of the new stream."""
    picks: tuple[int, ...]
    """Places of the new targets in a recorded round."""
    base: bool
    timeout_us: int

    def round(self, event: RoundClosed) -> RoundClosed:
        """Return the round as the new policy would have seen it; a reply later than its timeout is lost."""
        results = tuple(self._result(event.results[place]) for place in self.picks)
        anchor = self._result(event.anchor) if self.base and event.anchor is not None else None
        return replace(event, stream=self.index, results=results, anchor=anchor)

    def _result(self, result: ProbeResult) -> ProbeResult:
        if result.outcome is Outcome.OK and result.rtt_us > self.timeout_us:
            return ProbeResult(Outcome.LOST, result.sent_us, reason="later than the timeout")
        return result


@dataclass(frozen=True, slots=True)
class Matching:
    """From recorded indices to the new policy's."""

    streams: Mapping[int, tuple[StreamMatch, ...]]
    sources: Mapping[int, int]
    services: Mapping[int, int]
    paths: frozenset[PathName]
    """Recorded paths that the new policy has."""
    missing: tuple[str, ...]
    """What the new policy asks for and the recording lacks."""


def match(old: GroupPolicy, new: GroupPolicy) -> Matching:
    """Match a recorded policy with a new one of the same group."""
    missing: list[str] = []
    streams: dict[int, tuple[StreamMatch, ...]] = {}
    for stream in new.streams:
        found = _stream(old, stream)
        if isinstance(found, str):
            missing.append(found)
            continue
        missing += _limits(found, stream)
        streams[found.index] = (*streams.get(found.index, ()), _made(found, stream))
    sources = _sources(old, new, missing)
    services = _services(old, new, missing)
    missing += _paths(old, new)
    return Matching(
        streams,
        sources,
        services,
        frozenset(path.name for path in old.paths if new.path(path.name) is not None),
        tuple(missing),
    )


def _stream(old: GroupPolicy, stream: StreamPolicy) -> StreamPolicy | str:
    """Return the recorded stream that holds all of a new one, or why there is none."""
    alike = [one for one in old.streams if (one.kind, one.probe_class) == (stream.kind, stream.probe_class)]
    name = f"probe {stream.kind} of class {stream.probe_class}"
    if not alike:
        return f"{name} is not in the recording"
    paced = [one for one in alike if one.interval_us == stream.interval_us]
    if not paced:
        recorded = ", ".join(f"{one.interval_us / 1_000_000:g} s" for one in alike)
        return f"{name} every {stream.interval_us / 1_000_000:g} s is not in the recording, which has: {recorded}"
    for one in paced:
        if set(stream.targets) <= set(one.targets):
            return one
    recorded = (
        ", ".join(sorted({target for one in paced for target in one.targets})) or "the far gateways alone"
    )
    return f"{name}: of its targets {', '.join(stream.targets)} the recording has only: {recorded}"


def _limits(old: StreamPolicy, new: StreamPolicy) -> Iterator[str]:
    name = f"probe {new.kind} of class {new.probe_class}"
    if new.timeout_us > old.timeout_us:
        yield (
            f"{name}: replies after {old.timeout_us / 1_000:g} ms count as lost, for the recording waited no longer"
        )
    if new.base and not old.base:
        yield f"{name}: the far gateways were not probed with it"


def _made(old: StreamPolicy, new: StreamPolicy) -> StreamMatch:
    picks = tuple(old.targets.index(target) for target in new.targets)
    return StreamMatch(new.index, picks, new.base, new.timeout_us)


def _sources(old: GroupPolicy, new: GroupPolicy, missing: list[str]) -> dict[int, int]:
    left = list(old.sources)
    found: dict[int, int] = {}
    for source in new.sources:
        one = next((it for it in left if _same_source(it, source)), None)
        if one is None:
            missing.append(f"source {source.kind} of layer {source.layer} is not in the recording")
        else:
            left.remove(one)
            found[one.index] = source.index
    return found


def _same_source(one: EvidenceSource, other: EvidenceSource) -> bool:
    return (one.kind, one.layer) == (other.kind, other.layer)


def _services(old: GroupPolicy, new: GroupPolicy, missing: list[str]) -> dict[int, int]:
    found: dict[int, int] = {}
    for service in new.services:
        one = next((it for it in old.services if _same_service(it, service)), None)
        if one is None:
            missing.append(f"service {service.kind} {', '.join(service.targets)} is not in the recording")
        else:
            found[one.index] = service.index
    return found


def _same_service(one: ServicePolicy, other: ServicePolicy) -> bool:
    return (one.kind, one.targets, one.interval_us) == (other.kind, other.targets, other.interval_us)


def _paths(old: GroupPolicy, new: GroupPolicy) -> Iterator[str]:
    for path in new.paths:
        recorded = old.path(path.name)
        if recorded is None or not recorded.visible:
            yield f"path {path.name} is not in the recording: it stays unknown"
        elif path.anchor and not recorded.anchor:
            yield f"path {path.name}: its far gateway was not probed"
    if new.has_reference and not old.has_reference:
        yield "no reference was probed: isolation cannot be told"
