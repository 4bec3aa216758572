"""A group's detector as the figures need it: rounds, limits and waits, without paths and names."""

from __future__ import annotations

from dataclasses import dataclass

from wgfo.engine.policy import GroupPolicy, StreamPolicy
from wgfo.model import Layer, ProbeClass

_SPREAD: int = 20
"""A round is spread over a twentieth of its interval, as the prober sends it."""
_ENOUGH: int = 2
"""A class has failed where two targets fail it, or all."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """One stream's rounds through one path."""

    interval_us: int
    timeout_us: int
    fall: int
    pooled: int
    """Probes of a round that count: the targets, or the anchor where it stands in alone."""
    anchor: bool = False
    """The far gateway is probed beside the targets."""

    @property
    def stagger_us(self) -> int:
        """Between two probes of a round."""
        return self.interval_us // _SPREAD // self.probes

    @property
    def probes(self) -> int:
        """Probes of a round."""
        return self.pooled + self.anchor

    @property
    def spread_us(self) -> int:
        """Between the first and the last probe of a round."""
        return self.stagger_us * (self.probes - 1)

    @property
    def closing_us(self) -> int:
        """From the first probe of a lost round to its verdict."""
        return self.spread_us + self.timeout_us

    def in_window(self, window_us: int) -> int:
        """Return how many rounds a window holds, as the engine counts them."""
        return max(1, window_us // self.interval_us)


@dataclass(frozen=True, slots=True)
class ClassRounds:
    """A class that must pass beside the small one."""

    name: ProbeClass
    rounds: Rounds

    @property
    def needed(self) -> int:
        """Targets that must fail it: two, or all where there are fewer."""
        return min(_ENOUGH, self.rounds.pooled)


@dataclass(frozen=True, slots=True)
class Detector:
    """What decides how fast and how wrongly."""

    streams: tuple[Rounds, ...]
    """Of the base class."""
    classes: tuple[ClassRounds, ...]
    percent: int
    margin: int
    window_us: int
    confirm_us: int
    hold_off_us: int
    rise: int
    anchor_alone: bool
    """No target at all: the far gateway stands in for the hosts behind it."""
    handshakes: bool

    @property
    def possible(self) -> int:
        """Probes of a full loss window."""
        return sum(rounds.pooled * rounds.in_window(self.window_us) for rounds in self.streams)

    @property
    def trip(self) -> int:
        """The least loss, in probes of a full window, at which a path is worse than a clean standby."""
        return max(_share(self.percent, self.possible), self.worse)

    @property
    def worse(self) -> int:
        """The margin in probes; the newest round does not count towards it."""
        return _share(self.margin, self.possible)


def _share(percent: int, whole: int) -> int:
    return -(-percent * whole // 100)


def detector_of(policy: GroupPolicy) -> Detector:
    """Return a policy's detector. Paths share streams and limits, so that there is one for the group."""
    anchored = any(path.anchor for path in policy.paths)
    return Detector(
        streams=tuple(_base(stream, anchored=anchored) for stream in policy.base_streams),
        classes=tuple(
            ClassRounds(stream.probe_class, _rounds(stream, policy.class_fall))
            for stream in policy.class_streams
            if stream.targets
        ),
        percent=policy.loss.percent,
        margin=policy.loss.margin,
        window_us=policy.loss.window_us,
        confirm_us=policy.loss.confirm_us,
        hold_off_us=policy.hold_off_us,
        rise=policy.rise,
        anchor_alone=not any(stream.targets for stream in policy.base_streams),
        handshakes=any(source.layer is Layer.HANDSHAKE for source in policy.sources),
    )


def _base(stream: StreamPolicy, *, anchored: bool) -> Rounds:
    with_targets = bool(stream.targets)
    pooled = len(stream.targets) if with_targets else 1
    return Rounds(
        stream.interval_us, stream.timeout_us, stream.fall, pooled, anchor=anchored and with_targets
    )


def _rounds(stream: StreamPolicy, fall: int) -> Rounds:
    return Rounds(stream.interval_us, stream.timeout_us, fall, len(stream.targets))
